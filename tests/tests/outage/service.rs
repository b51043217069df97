//! The service, what it says, and how it ends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, Response};
use prodkit_e2e::process::{Service, order_service, released};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::collector::Way;
use crate::{SLACK, network};

/// Where it serves.
pub(crate) enum Main {
    Tcp(SocketAddr),
    /// In a network of its own nobody reaches a port of it.
    Unix(PathBuf),
}

/// An order-service that exports often, and gives up on a batch within the test. What `more` sets comes last, and counts.
pub(crate) fn start(
    url: &str,
    protocol: &str,
    workers: usize,
    way: Way,
    more: &[&str],
) -> (Service, Main, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca = way.over_tls(folder.path());
    let url = way.spell(url);
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
    let settings: Vec<_> = settings.into_iter().chain(ca.as_deref()).chain(more.iter().copied()).collect();
    let often = [("OTEL_BSP_SCHEDULE_DELAY", "20"), ("OTEL_BLRP_SCHEDULE_DELAY", "20")];
    let binary =
        released("order-service").map_or_else(|| order_service(Path::new(crate::FLOOD)), Ok).unwrap();
    let socket = (way == Way::Drops).then(|| folder.path().join("main.socket"));
    let begun = Instant::now();
    let started = match &socket {
        Some(socket) => {
            let host = format!("server.host=unix:{}", socket.display());
            let settings: Vec<_> = settings.iter().copied().chain([&*host]).collect();
            network::of_its_own(&binary, folder.path(), &settings, &often)
        }
        None => Service::start(&binary, folder.path(), &settings, &often),
    };
    let mut service = started.unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let ready = service.ready().unwrap_or_else(|| panic!("never ready: {:#?}", service.seen()));
    assert!(begun.elapsed() < SLACK, "the start waited for the collector");
    let main = socket.map(Main::Unix).or(ready.0.map(Main::Tcp)).unwrap();
    (service, main, folder)
}

/// What each request is: its own span, `getOrder` below it, and `fetchOrderFromDB` below that.
pub(crate) const SPANS: u64 = 3;

/// So many requests.
pub(crate) fn requests(main: &Main, count: u64) {
    match main {
        Main::Tcp(address) => {
            let mut connection = Connection::open(*address).unwrap();
            all(count, |method, path| connection.request(method, path, &[], b""));
        }
        Main::Unix(path) => {
            let mut connection = Connection::open_unix(path).unwrap();
            all(count, |method, path| connection.request(method, path, &[], b""));
        }
    }
}

fn all(count: u64, mut request: impl FnMut(&str, &str) -> std::io::Result<Response>) {
    for _ in 0..count {
        // the books are empty
        assert_eq!(request("GET", "/api/orders/ORD-none").unwrap().status, 404);
    }
}

pub(crate) const BEGAN: &str = "telemetry is not delivered; one more line when it is again";
pub(crate) const ENDED: &str = "telemetry is delivered again";
pub(crate) const REJECTED: &str = "the collector rejected telemetry";

/// It may have been said while the service started.
pub(crate) fn said(service: &mut Service, message: &str) -> Option<Value> {
    service.seen_or_next(|line| line["msg"] == message)
}

pub(crate) fn count(service: &Service, message: &str) -> usize {
    service.seen().iter().filter(|line| line["msg"] == message).count()
}

/// The numbers of a signal in the last line: exported, dropped, failed.
pub(crate) fn last(service: &Service, signal: &str) -> [u64; 3] {
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

/// Ends it after so many requests; in time, in order, and with every span accounted for.
pub(crate) fn end(service: &mut Service, requests: u64, flush: Duration) -> [u64; 3] {
    let begun = Instant::now();
    service.signal(Signal::TERM).unwrap();
    let code = service.wait().unwrap().code();
    assert!(begun.elapsed() < flush + SLACK, "the end took {:?}", begun.elapsed());
    assert_eq!(code, Some(0), "{:#?}", service.seen());
    let stopped = service.seen().iter().rfind(|line| line["msg"] == "stopped").unwrap();
    let took = Duration::from_millis(stopped["flush_ms"].as_u64().unwrap());
    assert!(took <= flush + Duration::from_secs(2), "the flush kept its budget: {stopped}");
    let traces = last(service, "traces");
    assert_eq!(traces.iter().sum::<u64>(), requests * SPANS, "{stopped}");
    traces
}
