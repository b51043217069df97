//! The service, what it says, and how it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use prodkit_e2e::http::Connection;
use prodkit_e2e::process::{Service, fixture};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::SLACK;
use crate::collector::Way;

/// A service that exports often, and gives up on a batch within the test. What `more` sets comes last, and counts.
pub(crate) fn start(
    url: &str,
    protocol: &str,
    workers: usize,
    way: Way,
    more: &[&str],
) -> (Service, SocketAddr, TempDir) {
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
    let begun = Instant::now();
    let fixture = fixture(env!("CARGO_BIN_EXE_fixture"));
    let mut service = Service::start(&fixture, folder.path(), &settings, &often)
        .unwrap_or_else(|error| panic!("{}: {error}", fixture.display()));
    let Some((Some(main), _)) = service.ready() else { panic!("never ready: {:#?}", service.seen()) };
    assert!(begun.elapsed() < SLACK, "the start waited for the collector");
    (service, main, folder)
}

/// Each is a span and a log record.
pub(crate) fn requests(main: SocketAddr, count: u64) {
    let mut connection = Connection::open(main).unwrap();
    for _ in 0..count {
        assert_eq!(connection.request("GET", "/say/0", &[], b"").unwrap().status, 200);
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

/// Ends it; in time, in order, and with every span accounted for.
pub(crate) fn end(service: &mut Service, offered: u64, flush: Duration) -> [u64; 3] {
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
