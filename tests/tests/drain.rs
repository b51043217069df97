//! The end as every kind of client meets it: what can be finished is, and the deadline is kept whatever anybody does.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use prodkit_e2e::process::{DEADLINE, Service};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// How much later than promised an end may be: what an idle machine needs, or, unless `PRODKIT_IDLE=1` says that it is
/// one, what a busy one may.
fn slack() -> Duration {
    let idle = std::env::var_os("PRODKIT_IDLE").is_some_and(|value| value == "1");
    if idle { Duration::from_millis(250) } else { Duration::from_secs(1) }
}

struct Running {
    service: Service,
    main: SocketAddr,
    _folder: TempDir,
}

fn start(ways: &str, settings: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fixture.yaml"), format!("ways: [{ways}]")).unwrap();
    let settings = [&["shutdown.delay=0s", "server.timeout=1h"], settings].concat();
    let config = ["--config", "fixture.yaml"];
    let mut service = Service::start_with(FIXTURE, folder.path(), &config, &settings, &[]).unwrap();
    let (main, _) = service.ready().unwrap_or_else(|| panic!("never ready: {:#?}", service.seen()));
    Running { service, main: main.unwrap(), _folder: folder }
}

impl Running {
    fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.main).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(bytes).unwrap();
        client
    }

    fn get(&self, path: &str) -> TcpStream {
        self.connect(format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes())
    }

    fn upgraded(&self, path: &str) -> TcpStream {
        let head = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
        let mut client = self.connect(head.as_bytes());
        assert!(until(&mut client, "\r\n\r\n").contains("101"));
        client.write_all(b"one").unwrap();
        until(&mut client, "one");
        client
    }

    /// Waits until the signal has closed the port.
    fn until_closed(&self) {
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(self.main).is_ok() {
            assert!(Instant::now() < until, "the port stays open");
        }
    }

    /// Waits for the end that a signal brings; exit code, report and how long it took.
    fn end(&mut self) -> (Option<i32>, Value, Duration) {
        let begun = Instant::now();
        self.service.signal(Signal::TERM).unwrap();
        self.ended(begun)
    }

    fn ended(&mut self, begun: Instant) -> (Option<i32>, Value, Duration) {
        let code = self.service.wait().unwrap().code();
        let took = begun.elapsed();
        let report = self.service.seen().iter().rfind(|line| line["msg"] == "stopped").cloned();
        (code, report.unwrap_or_default(), took)
    }
}

/// Reads until `end` has come; all that came.
fn until(client: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap_or_else(|error| {
            panic!("{error} before {end:?}: {}", String::from_utf8_lossy(&seen));
        });
        seen.extend(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

fn rest(client: &mut TcpStream) -> String {
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    rest
}

/// A connection with prior knowledge and one request on it.
fn http2(path: &str) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // GET, http, a path and an authority that are not in the table (RFC 7541, section 6)
    let head =
        [&[0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()], path.as_bytes(), b"\x01\x01t"].concat();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[]), frame(1, 5, 1, &head)].concat()
}

#[test]
fn a_stream_of_events_says_goodbye() {
    let mut running = start("serve", &[]);
    let mut client = running.get("/events");
    until(&mut client, "data: tick\n\n");
    let (code, report, _) = running.end();
    let last = rest(&mut client);
    assert!(last.contains("data: bye\n\n") && last.ends_with("0\r\n\r\n"), "{last}");
    assert_eq!((code, &report["requests_cut"]), (Some(0), &Value::from(0)), "{report}");
}

#[test]
fn an_upgraded_connection_says_goodbye() {
    let mut running = start("serve", &[]);
    let mut client = running.upgraded("/echo/upgraded");
    let (code, report, _) = running.end();
    assert_eq!(rest(&mut client), "bye");
    assert_eq!((code, &report["requests_cut"]), (Some(0), &Value::from(0)), "{report}");
}

#[test]
fn what_was_half_sent_may_be_completed_when_the_port_is_closed() {
    let mut running = start("serve", &[]);
    let mut body = running.connect(b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n\r\nab");
    let mut gate = running.get("/gate");
    running.service.line("at the gate").unwrap();
    let begun = Instant::now();
    running.service.signal(Signal::TERM).unwrap();
    running.until_closed();
    // the body first: what waits at the gate keeps the process
    body.write_all(b"cd").unwrap();
    let answer = rest(&mut body);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n4"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    drop(gate.shutdown(std::net::Shutdown::Both));
    let (code, report, _) = running.ended(begun);
    assert_eq!(code, Some(0), "{report}");
    drop(gate.read(&mut [0]));
}

#[test]
fn a_request_in_flight_over_http2_is_finished() {
    let mut running = start("serve", &[]);
    let mut client = running.connect(&http2("/slow"));
    running.service.line("slow request").unwrap();
    let (code, report, _) = running.end();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.windows(7).any(|bytes| bytes == b"at last"), "{answer:?}");
    assert_eq!((code, &report["requests_cut"]), (Some(0), &Value::from(0)), "{report}");
}

#[test]
fn who_never_says_a_word_holds_nothing_up() {
    let mut running = start("serve", &["shutdown.grace=20s"]);
    let silent: Vec<_> = (0..20).map(|_| running.connect(b"")).collect();
    let half = running.connect(b"GET / HT");
    let (code, report, took) = running.end();
    assert_eq!((code, &report["connections_cut"]), (Some(0), &Value::from(0)), "{report}");
    // what is half a head gets a second
    assert!(took < Duration::from_secs(1) + slack(), "{took:?} {report}");
    drop((silent, half));
}

#[test]
fn the_deadline_is_kept_whatever_clients_do() {
    let mut running = start("serve", &["shutdown.grace=2s"]);
    let mut clients = vec![
        running.get("/events/for-ever"),
        running.upgraded("/echo/upgraded/for-ever"),
        running.get("/hang"),
        // never reads
        running.get("/large"),
        running.connect(b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n\r\nab"),
    ];
    until(&mut clients[0], "data: tick\n\n");
    running.service.line("hanging request").unwrap();
    clients.push(running.connect(&http2("/hang")));
    running.service.line("hanging request").unwrap();
    let (code, report, took) = running.end();
    assert_eq!((code, &report["connections_cut"]), (Some(3), &Value::from(6)), "{report}");
    // the service is done with the answer that nobody reads, and yet it was not given
    assert_eq!(report["requests_cut"], Value::from(6), "{report}");
    assert!(took < Duration::from_secs(2) + slack(), "{took:?} {report}");
}

#[test]
fn the_deadline_is_kept_whatever_the_service_does() {
    for ways in ["task-hangs", "hook-hangs", "hook-blocks", "hook-blocks, task-hangs, hook-hangs"] {
        let one = ["shutdown.grace=2s", "runtime.workers=1"];
        let mut running = start(&format!("serve, {ways}"), &one);
        let (code, report, took) = running.end();
        assert_eq!(code, Some(3), "{ways}: {report}");
        assert!(took < Duration::from_secs(2) + slack(), "{ways}: {took:?} {report}");
    }
    // the only worker is busy for 5 s when the signal comes
    let mut running = start("serve", &["shutdown.grace=2s", "runtime.workers=1"]);
    let _client = running.get("/block");
    running.service.line("blocking request").unwrap();
    let (code, report, took) = running.end();
    assert_eq!(code, Some(3), "{report}");
    assert!(took < Duration::from_secs(2) + slack(), "{took:?} {report}");
}

#[test]
fn a_second_signal_is_the_end_at_once() {
    let mut running = start("serve, hook-blocks", &["shutdown.grace=1h", "runtime.workers=1"]);
    running.service.signal(Signal::TERM).unwrap();
    running.service.line("stopping").unwrap();
    let (code, _, took) = running.end();
    assert_eq!(code, Some(2));
    let idle = slack() < Duration::from_secs(1);
    let promised = Duration::from_millis(100);
    assert!(took < if idle { promised } else { promised + slack() }, "{took:?}");
}

#[test]
fn a_signal_before_it_is_ready_runs_the_hooks_in_reverse() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("fixture.yaml"),
        "ways: [hook-says-first, serve, check-fails, hook-says-second]",
    )
    .unwrap();
    let settings = ["shutdown.delay=0s", "health.unhealthy_after=1"];
    let mut service =
        Service::start_with(FIXTURE, folder.path(), &["--config", "fixture.yaml"], &settings, &[]).unwrap();
    service.line("check failing").unwrap_or_else(|| panic!("{:#?}", service.seen()));
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
    let said: Vec<_> = service.seen().iter().filter_map(|line| line["msg"].as_str()).collect();
    assert!(!said.contains(&"ready"), "{said:?}");
    let hooks: Vec<_> = said.into_iter().filter(|said| ["first", "second"].contains(said)).collect();
    assert_eq!(hooks, ["second", "first"]);
}
