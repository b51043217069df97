//! A collector that fails in every way a collector can, and a service that must not care: it starts, serves and ends as
//! without one, says so once, and accounts for every span.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prodkit_e2e::http::Connection;
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_fakes::{Behaviour, FakeAuthority, FakeCollector};
use prost::Message as _;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const FLOOD: &str = env!("CARGO_BIN_EXE_flood");

/// Requests of each cell, each a span.
const REQUESTS: u64 = 20;
/// What the last telemetry may take of a collector that gets nothing, and of one that answers.
const FLUSH: Duration = Duration::from_millis(800);
const LONG_FLUSH: Duration = Duration::from_secs(20);
/// What anything may take besides, on a machine under load.
const SLACK: Duration = Duration::from_secs(10);

/// That of the collectors that speak TLS.
static AUTHORITY: LazyLock<FakeAuthority> = LazyLock::new(FakeAuthority::new);

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Refuses,
    /// Packets go nowhere: no answer to a connection at all.
    Swallows,
    /// Connections are made and nothing is ever answered.
    Silent,
    /// Every answer takes its time, but comes.
    Slow,
    /// The answer ends in the middle.
    Resets,
    /// 429, with an hour of `Retry-After`.
    Limits,
    /// 503.
    Unavailable,
    /// A part of each batch is rejected.
    Partial,
    /// The port speaks TLS, and we do not.
    Tls,
    /// We speak TLS, and the port does not.
    Plain,
    /// Its certificate is of an authority that nobody told us of.
    Untrusted,
    /// It demands a certificate, and we have none.
    Demands,
    /// 401: will not pass by waiting.
    Forbids,
}

const WAYS: [Way; 13] = [
    Way::Refuses,
    Way::Swallows,
    Way::Silent,
    Way::Slow,
    Way::Resets,
    Way::Limits,
    Way::Unavailable,
    Way::Partial,
    Way::Tls,
    Way::Plain,
    Way::Untrusted,
    Way::Demands,
    Way::Forbids,
];

/// The collector, and what keeps it failing.
enum Collector {
    Fake(FakeCollector),
    Socket {
        address: SocketAddr,
        /// They keep the backlog full.
        _waiting: Vec<TcpStream>,
        _listener: Option<TcpListener>,
    },
}

impl Way {
    /// It answers, so that waiting for it is worth it.
    fn answers(self) -> bool {
        matches!(self, Self::Slow | Self::Partial)
    }

    /// It is spoken to over TLS, by those who believe the authority in this file.
    fn over_tls(self, folder: &Path) -> Option<PathBuf> {
        let trusted = match self {
            Self::Plain | Self::Untrusted => FakeAuthority::new().certificate(),
            Self::Demands => AUTHORITY.certificate(),
            _ => return None,
        };
        fs::write(folder.join("ca.crt"), trusted).unwrap();
        Some(folder.join("ca.crt"))
    }

    fn flush(self) -> Duration {
        if self.answers() { LONG_FLUSH } else { FLUSH }
    }
}

impl Collector {
    fn start(way: Way) -> Self {
        let fake = |behaviour| {
            let collector = FakeCollector::start();
            collector.behave(behaviour);
            Self::Fake(collector)
        };
        match way {
            Way::Refuses => {
                // bound and closed again: nobody listens there
                let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                Self::Socket { address, _waiting: Vec::new(), _listener: None }
            }
            Way::Swallows => swallow(),
            Way::Tls => alert(),
            Way::Plain => fake(Behaviour::Answer),
            Way::Untrusted | Way::Demands => {
                let collector = FakeCollector::start();
                let clients = (way == Way::Demands).then_some(&*AUTHORITY);
                collector.tls(&AUTHORITY.issue(&["127.0.0.1"]), clients);
                Self::Fake(collector)
            }
            Way::Silent => fake(Behaviour::Hang),
            Way::Slow => fake(Behaviour::Slow(Duration::from_millis(100))),
            Way::Resets => fake(Behaviour::Reset),
            Way::Limits => fake(Behaviour::status(429).header("retry-after", "3600")),
            Way::Unavailable => fake(Behaviour::status(503)),
            Way::Forbids => fake(Behaviour::status(401)),
            Way::Partial => {
                let partial =
                    ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".into() };
                let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
                fake(Behaviour::Body(answer.encode_to_vec().into()))
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Fake(collector) => collector.url(),
            Self::Socket { address, .. } => format!("http://{address}"),
        }
    }
}

/// A listener that accepts nothing and whose backlog is full: the kernel drops what comes.
fn swallow() -> Collector {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the backlog has no end");
    }
    Collector::Socket { address, _waiting: waiting, _listener: Some(listener) }
}

/// What a TLS server answers to plain text: an alert, and the end.
fn alert() -> Collector {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            // whatever of this fails, the client sees a connection that makes no sense
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 0x46]);
        }
    });
    Collector::Socket { address, _waiting: Vec::new(), _listener: None }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // most of them wait for a clock
    arguments.test_threads.get_or_insert(6);
    let mut trials = Vec::new();
    for protocol in ["http/protobuf", "grpc"] {
        for workers in [1, 4] {
            for way in WAYS {
                // a fake that speaks gRPC answers with gRPC's words for these
                let name = format!("{way:?}, {protocol}, {workers} workers");
                if protocol == "grpc" && matches!(way, Way::Resets) {
                    continue;
                }
                trials.push(trial(name, move || cell(way, protocol, workers)));
            }
        }
    }
    for workers in [1, 4] {
        trials.push(trial(format!("it comes back, {workers} workers"), move || it_comes_back(workers)));
    }
    for flavour in ["current_thread", "one", "many"] {
        let name = format!("a million of each to nobody, {flavour}");
        trials.push(trial(name, move || a_million_of_each_to_nobody(flavour)));
        for way in [Way::Refuses, Way::Swallows, Way::Silent, Way::Unavailable] {
            trials.push(trial(format!("{way:?}, {flavour}"), move || drop(flooded(flavour, way, 3_000))));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A service that exports often, and gives up on a batch within the test.
fn start(url: &str, protocol: &str, workers: usize, way: Way) -> (Service, SocketAddr, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca = way.over_tls(folder.path());
    let secured = url.replace("http:", "https:");
    let url = if ca.is_some() { &secured } else { url };
    let ca = ca.map(|path| format!("otlp.tls.ca={}", path.display()));
    let (endpoint, protocol) = (format!("otlp.endpoint={url}"), format!("otlp.protocol={protocol}"));
    let workers = format!("runtime.workers={workers}");
    let flush = format!("shutdown.flush={}ms", way.flush().as_millis());
    // no longer than that may an export of metrics take
    let interval = if way.answers() { "otlp.metric_interval=20s" } else { "otlp.metric_interval=200ms" };
    let timeout = if way.answers() { "otlp.timeout=10s" } else { "otlp.timeout=300ms" };
    let settings = [
        &*endpoint,
        &protocol,
        &workers,
        &flush,
        "shutdown.delay=0s",
        "otlp.sampling_ratio=1",
        "otlp.logs=true",
        timeout,
        "shutdown.grace=60s",
        interval,
        "otlp.retry.max_elapsed_time=600ms",
    ];
    let settings: Vec<_> = settings.into_iter().chain(ca.as_deref()).collect();
    let often = [("OTEL_BSP_SCHEDULE_DELAY", "20"), ("OTEL_BLRP_SCHEDULE_DELAY", "20")];
    let begun = Instant::now();
    let mut service = Service::start(FIXTURE, folder.path(), &settings, &often).unwrap();
    let Some((Some(main), _)) = service.ready() else { panic!("never ready: {:#?}", service.seen()) };
    assert!(begun.elapsed() < SLACK, "the start waited for the collector");
    (service, main, folder)
}

/// Each is a span and a log record.
fn requests(main: SocketAddr, count: u64) {
    let mut connection = Connection::open(main).unwrap();
    for _ in 0..count {
        assert_eq!(connection.request("GET", "/say/0", &[], b"").unwrap().status, 200);
    }
}

const BEGAN: &str = "telemetry is not delivered; one more line when it is again";
const ENDED: &str = "telemetry is delivered again";
const REJECTED: &str = "the collector rejected telemetry";

/// It may have been said while the service started.
fn said(service: &mut Service, message: &str) -> Option<Value> {
    service.seen_or_next(|line| line["msg"] == message)
}

fn count(service: &Service, message: &str) -> usize {
    service.seen().iter().filter(|line| line["msg"] == message).count()
}

/// The numbers of a signal in the last line: exported, dropped, failed.
fn last(service: &Service, signal: &str) -> [u64; 3] {
    let stopped = service.seen().iter().rfind(|line| line["msg"] == "stopped");
    let Some(text) = stopped.and_then(|line| line["telemetry"].as_str()) else {
        panic!("no last line: {:#?}", service.seen())
    };
    let part = text.split("; ").find_map(|part| part.strip_prefix(signal)).unwrap();
    ["exported", "dropped", "failed"].map(|what| {
        let told = part.split(", ").find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok());
        told.unwrap_or(0)
    })
}

/// Ends it; in time, in order, and with every span accounted for.
fn end(service: &mut Service, offered: u64, flush: Duration) -> [u64; 3] {
    let begun = Instant::now();
    service.signal(Signal::TERM).unwrap();
    let code = service.wait().unwrap().code();
    assert!(begun.elapsed() < flush + SLACK, "the end took {:?}", begun.elapsed());
    assert_eq!(code, Some(0), "{:#?}", service.seen());
    let stopped = service.seen().iter().rfind(|line| line["msg"] == "stopped").unwrap();
    let took = Duration::from_millis(stopped["flush_ms"].as_u64().unwrap());
    assert!(took <= flush + Duration::from_secs(2), "the flush kept its budget: {stopped}");
    let traces = last(service, "traces");
    assert_eq!(traces.iter().sum::<u64>(), offered, "{stopped}");
    traces
}

fn cell(way: Way, protocol: &str, workers: usize) {
    let collector = Collector::start(way);
    let (mut service, main, _folder) = start(&collector.url(), protocol, workers, way);
    requests(main, REQUESTS);
    let lossless = way == Way::Slow;
    if way == Way::Partial {
        assert!(said(&mut service, REJECTED).is_some());
    } else if !lossless {
        let line = said(&mut service, BEGAN).unwrap_or_else(|| panic!("nothing said: {:#?}", service.seen()));
        assert_eq!(line["level"], "WARN");
        assert!(line["lost"].is_u64() && line["reason"].is_string(), "{line}");
    }
    // it goes on as if nothing were
    requests(main, REQUESTS);
    let [exported, dropped, failed] = end(&mut service, 2 * REQUESTS, way.flush());
    match way {
        Way::Slow => assert_eq!((dropped, failed), (0, 0)),
        Way::Partial => assert!(exported > 0 && failed > 0 && dropped == 0),
        _ => assert_eq!(exported, 0),
    }
    let began = usize::from(!lossless && way != Way::Partial);
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (began, 0), "{:#?}", service.seen());
}

/// Away for a while, and then there: what waited arrives, and two lines are said about it.
fn it_comes_back(workers: usize) {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503));
    let (mut service, main, _folder) = start(&collector.url(), "http/protobuf", workers, Way::Slow);
    requests(main, REQUESTS);
    assert!(said(&mut service, BEGAN).is_some());
    requests(main, REQUESTS);
    collector.behave(Behaviour::Answer);
    requests(main, REQUESTS);
    let line = said(&mut service, ENDED).unwrap_or_else(|| panic!("never again: {:#?}", service.seen()));
    assert_eq!(line["level"], "INFO");
    assert!(line["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
    requests(main, REQUESTS);
    let [exported, ..] = end(&mut service, 4 * REQUESTS, LONG_FLUSH);
    assert!(exported >= REQUESTS, "{exported}");
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (1, 1), "{:#?}", service.seen());
}

/// What `flood` came to.
fn flooded(flavour: &str, way: Way, count: u64) -> Value {
    let collector = Collector::start(way);
    let begun = Instant::now();
    let output = Command::new(FLOOD)
        .args([flavour, &collector.url(), &count.to_string()])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(begun.elapsed() < DEADLINE * 5);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |signal: &str, what: &str| report[signal][what].as_u64().unwrap();
    for signal in ["traces", "logs", "metrics"] {
        let ends = ["exported", "dropped", "failed"].map(|what| number(signal, what));
        assert_eq!(number(signal, "offered"), ends.iter().sum::<u64>(), "{signal}: {report}");
        assert_eq!((number(signal, "queued"), ends[0]), (0, 0), "{signal}: {report}");
    }
    let offered = count / 4 * 4;
    assert_eq!((number("traces", "offered"), number("logs", "offered")), (offered, offered), "{report}");
    assert!(report["start_ms"].as_u64().unwrap() < 1_000, "{report}");
    assert!(report["shutdown_ms"].as_u64().unwrap() < 1_000 + SLACK.as_millis() as u64, "{report}");
    report
}

fn a_million_of_each_to_nobody(flavour: &str) {
    let report = flooded(flavour, Way::Refuses, 1_000_000);
    let [idle, peak] = ["idle_kib", "peak_kib"].map(|what| report[what].as_u64().unwrap());
    assert!(peak <= idle + 24 * 1024, "{report}");
}
