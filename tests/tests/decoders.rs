//! Software nobody here wrote decodes what is exported: every signal, over both transports.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_e2e::tools::{self, Foreign, Outcome, find, trial, with_python};
use rustix::process::Signal;
use serde_json::Value;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

fn main() -> ExitCode {
    tools::run(vec![
        with_python("opentelemetry.proto", "python_decodes_every_signal_over_http", |python| {
            python_decodes(python, "http/protobuf", &[])
        }),
        with_python("opentelemetry.proto", "python_decodes_what_is_compressed", |python| {
            python_decodes(python, "http/protobuf", &["otlp.compression=gzip"])
        }),
        with_python(
            "opentelemetry.proto",
            "python_decodes_differences_and_exponential_histograms",
            |python| {
                python_decodes(
                    python,
                    "http/protobuf",
                    &["otlp.temporality=delta", "otlp.histograms=exponential"],
                )
            },
        ),
        with_python("grpc", "python_decodes_every_signal_over_grpc", |python| {
            python_decodes(python, "grpc", &[])
        }),
        with_python("grpc", "python_decodes_what_is_compressed_over_grpc", |python| {
            python_decodes(python, "grpc", &["otlp.compression=gzip"])
        }),
        trial("rotel_decodes_every_signal_over_http", agent, |agent| rotel_decodes(agent, "http/protobuf")),
        trial("rotel_decodes_json", agent, |agent| rotel_decodes(agent, "http/json")),
        trial("rotel_decodes_every_signal_over_grpc", agent, |agent| rotel_decodes(agent, "grpc")),
    ])
}

/// The binary that comes with the Python package.
fn agent() -> Result<PathBuf, String> {
    let python = find("python3").ok_or("python3 not found")?;
    let script = "import rotel, os; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
    let output = Command::new(python).args(["-c", script]).stderr(Stdio::null()).output();
    let path = output.ok().filter(|output| output.status.success());
    let path = path.and_then(|output| String::from_utf8(output.stdout).ok());
    path.map(|path| PathBuf::from(path.trim())).ok_or_else(|| "Python's rotel not found".to_owned())
}

/// A service that exports to `endpoint`, works a little and ends.
fn worked(endpoint: &str, protocol: &str, more: &[&str]) -> Outcome {
    let (endpoint, protocol) =
        (format!("otlp.endpoint=http://{endpoint}"), format!("otlp.protocol={protocol}"));
    let settings = [
        &*endpoint,
        &protocol,
        "otlp.sampling_ratio=1",
        "otlp.logs=true",
        "service.name=decoded",
        "shutdown.delay=0s",
    ];
    let folder = tempfile::tempdir()?;
    let mut service = Service::start(FIXTURE, folder.path(), &[&settings[..], more].concat(), &[])?;
    let (main, _) = service.ready().ok_or("never ready")?;
    let main = main.ok_or("does not serve")?;
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = Connection::open(main)?.request("GET", "/spans", &[("traceparent", caller)], b"")?;
    if answer.status != 200 {
        return Err(format!("/spans answered {}", answer.status).into());
    }
    get(main, "/panic")?;
    service.signal(Signal::TERM)?;
    let code = service.wait()?.code();
    if code == Some(0) { Ok(()) } else { Err(format!("{code:?}: {:#?}", service.seen()).into()) }
}

fn python_decodes(python: PathBuf, protocol: &'static str, more: &[&str]) -> Outcome {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/otlp_sink.py");
    let mut sink = Foreign::spawn(Command::new(python).arg(script).stdout(Stdio::piped()))?;
    let mut lines = BufReader::new(sink.stdout().ok_or("no output")?).lines();
    let http = lines.next().ok_or("the sink did not start")??;
    let grpc = lines.next().ok_or("the sink did not start")??;
    worked(if protocol == "grpc" { &grpc } else { &http }, protocol, more)?;
    get(http.parse()?, "/stop")?;
    let mut received = Vec::new();
    for line in lines {
        received.push(serde_json::from_str::<Value>(&line?)?);
    }
    let of =
        |signal: &str| -> Vec<&Value> { received.iter().filter(|item| item["signal"] == signal).collect() };
    if let Some(item) = received.iter().find(|item| item["service"] != "decoded") {
        return Err(format!("of whom? {item}").into());
    }
    spans_are_whole(&of("traces"))?;
    metrics_are_whole(&of("metrics"), more)?;
    let deepest = of("logs").into_iter().find(|log| log["body"] == "at the bottom");
    match deepest {
        Some(log) if log["number"] == 13 && log["trace_id"] == TRACE && log["attributes"]["depth"] == "0" => {
            Ok(())
        }
        other => Err(format!("{other:#?}").into()),
    }
}

/// The durations of requests have the name and the attributes of the conventions, and buckets as asked for.
fn metrics_are_whole(metrics: &[&Value], settings: &[&str]) -> Outcome {
    let has = |setting: &str| settings.contains(&setting);
    let kind = if has("otlp.histograms=exponential") { "exponential_histogram" } else { "histogram" };
    // by the numbers of AggregationTemporality
    let temporality: u64 = if has("otlp.temporality=delta") { 1 } else { 2 };
    let durations = metrics.iter().find(|metric| metric["name"] == "http.server.request.duration");
    let durations = durations.ok_or_else(|| format!("metrics: {metrics:#?}"))?;
    let attributes = &durations["attributes"];
    let good = durations["kind"] == kind
        && durations["unit"] == "s"
        && durations["temporality"] == temporality
        && durations["count"].as_u64().is_some_and(|count| count > 0)
        && durations["count"] == durations["buckets"]
        && attributes["http.request.method"] == "GET"
        && attributes["http.route"].is_string()
        && attributes["url.scheme"] == "http"
        // the first is the one of /panic
        && attributes["http.response.status_code"] == "500"
        && attributes["error.type"] == "500"
        && durations["numbers"] == serde_json::json!(["http.response.status_code"]);
    let others = ["http_request_duration_seconds", "http_requests_total"];
    let twice = metrics.iter().any(|metric| others.iter().any(|name| metric["name"] == *name));
    if !good || twice {
        return Err(format!("{durations:#?}, twice: {twice}").into());
    }
    process_is_told_as_the_conventions_have_it(metrics, temporality)
}

/// Name, unit and whether it only goes up; what goes down as well has no differences.
fn process_is_told_as_the_conventions_have_it(metrics: &[&Value], temporality: u64) -> Outcome {
    for (name, unit, is_monotonic) in [
        ("process.cpu.time", "s", true),
        ("process.memory.usage", "By", false),
        ("process.memory.virtual", "By", false),
        ("process.unix.file_descriptor.count", "{file_descriptor}", false),
        ("process.thread.count", "{thread}", false),
    ] {
        let found = metrics.iter().find(|metric| metric["name"] == name).ok_or(name)?;
        let temporality = if is_monotonic { temporality } else { 2 };
        // nobody has scraped, and yet they are read
        let good = (found["value"].as_f64().is_some_and(|value| value > 0.0) || name == "process.cpu.time")
            && found["kind"] == "sum"
            && found["monotonic"] == is_monotonic
            && found["unit"] == unit
            && found["temporality"] == temporality;
        if !good {
            return Err(format!("{found:#?}").into());
        }
    }
    let modes = metrics.iter().find(|metric| metric["name"] == "process.cpu.time");
    let mode = modes.map(|metric| metric["attributes"]["cpu.mode"].clone());
    if mode == Some("system".into()) || mode == Some("user".into()) {
        Ok(())
    } else {
        Err("no cpu.mode".into())
    }
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What user code did below the request, ten deep, in every way it can.
fn spans_are_whole(spans: &[&Value]) -> Outcome {
    let by_id: BTreeMap<_, _> =
        spans.iter().filter_map(|span| Some((span["span_id"].as_str()?, *span))).collect();
    let named = |name: &str| -> Result<&Value, String> {
        let all = spans.iter().filter(|span| span["trace_id"] == TRACE);
        let mut all = all.filter(|span| span["name"] == name);
        all.next().copied().ok_or_else(|| format!("no {name} in {spans:#?}"))
    };
    let server = named("GET /spans")?;
    if server["parent"] != "b7ad6b7169203331" || server["kind"] != 2 {
        return Err(format!("{server:#?}").into());
    }
    // how far below the server's span
    let depth = |span: &Value| -> Result<usize, String> {
        let (mut span, mut depth) = (span, 0);
        while span["span_id"] != server["span_id"] {
            let parent = span["parent"].as_str().unwrap_or_default();
            span = by_id.get(parent).ok_or_else(|| format!("{} is an orphan", span["name"]))?;
            depth += 1;
        }
        Ok(depth)
    };
    for (name, expected) in [
        ("deep-10", 1),
        ("deep-1", 10),
        ("task", 1),
        ("blocking", 2),
        ("library", 1),
        ("below the library", 2),
        ("told", 1),
    ] {
        let found = depth(named(name)?)?;
        if found != expected {
            return Err(format!("{name} is {found} below the request, not {expected}").into());
        }
    }
    let deepest = named("deep-1")?;
    if deepest["attributes"]["depth"] != "1" || deepest["events"][0]["name"] != "at the bottom" {
        return Err(format!("{deepest:#?}").into());
    }
    let failed = named("deep-2")?;
    if failed["status"] != 2 || failed["message"] != "no stock" {
        return Err(format!("{failed:#?}").into());
    }
    let told = named("told")?;
    let link = &told["links"][0];
    if link["span_id"] != server["span_id"]
        || link["attributes"]["why"] != "batch"
        || told["attributes"]["n"] != "2"
    {
        return Err(format!("{told:#?}").into());
    }
    Ok(())
}

/// All that a process prints, as it comes.
fn output(agent: &mut Foreign) -> Result<Receiver<String>, &'static str> {
    let mut stdout = agent.stdout().ok_or("no output")?;
    let (send, said) = channel();
    thread::spawn(move || {
        let mut chunk = [0; 1 << 16];
        while let Ok(read @ 1..) = stdout.read(&mut chunk) {
            if send.send(String::from_utf8_lossy(&chunk[..read]).into_owned()).is_err() {
                break;
            }
        }
    });
    Ok(said)
}

fn rotel_decodes(agent: PathBuf, protocol: &'static str) -> Outcome {
    let free = || -> std::io::Result<SocketAddr> { TcpListener::bind("127.0.0.1:0")?.local_addr() };
    let (grpc, http) = (free()?, free()?);
    let debug = ["traces", "metrics", "logs"].into_iter().flat_map(|signal| ["--debug-log", signal]);
    let mut rotel = Foreign::spawn(
        Command::new(agent)
            .arg("start")
            .args(["--otlp-grpc-endpoint", &grpc.to_string(), "--otlp-http-endpoint", &http.to_string()])
            .args(["--exporter", "blackhole", "--debug-log-verbosity", "detailed"])
            .args(debug)
            .stdout(Stdio::piped()),
    )?;
    let said = output(&mut rotel)?;
    let to = if protocol == "grpc" { grpc } else { http };
    let until = Instant::now() + DEADLINE;
    while TcpStream::connect(to).is_err() {
        if Instant::now() > until {
            return Err("rotel never listened".into());
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    worked(&to.to_string(), protocol, &[])?;
    let mut all = String::new();
    for expected in [
        "service.name: Str(decoded)",
        "Name           : GET /spans",
        "Parent ID      : b7ad6b7169203331",
        "Name           : deep-1\n",
        "Name: at the bottom",
        "Status message : no stock",
        "http.server.request.duration",
        "Str(at the bottom)",
    ] {
        while !all.contains(expected) {
            let left = until.saturating_duration_since(Instant::now());
            let more = said.recv_timeout(left).map_err(|_| format!("no {expected:?} in\n{all}"))?;
            all.push_str(&more);
        }
    }
    Ok(())
}
