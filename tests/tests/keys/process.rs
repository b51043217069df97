//! `runtime.*` and `metrics.*`.

use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::Connection;
use prodkit_e2e::process::DEADLINE;

use crate::rig::{Setup, with};

pub(crate) fn workers() {
    for workers in [1, 3] {
        let rig = with("runtime.workers", &workers.to_string());
        assert_eq!(rig.metric("prodkit_runtime_workers"), Some(f64::from(workers)));
    }
}

pub(crate) fn max_series() {
    for (limit, alone, together) in [("2", 2, Some(2.0)), ("3", 3, Some(1.0)), ("10", 4, None)] {
        let rig = with("metrics.max_series", limit);
        for n in 0..4 {
            assert_eq!(rig.status(&format!("/count/{n}")), 200);
        }
        let own = (0..4).filter(|n| rig.metric(&format!("counted_total{{n=\"{n}\"}}")).is_some()).count();
        let overflow = rig.metric("counted_total{otel_metric_overflow=\"true\"}");
        assert_eq!((own, overflow), (alone, together), "{limit}");
    }
}

pub(crate) fn native_histograms() {
    /// Field 6 of `Histogram` in `io/prometheus/client/metrics.proto`, `zero_threshold`, which is 2^-32.
    const ZERO_THRESHOLD: [u8; 9] = [0x31, 0, 0, 0, 0, 0, 0, 0xf0, 0x3d];
    for native in [false, true] {
        let rig = with("metrics.native_histograms", &native.to_string());
        assert_eq!(rig.status("/"), 200);
        let accept = [("accept", "application/vnd.google.protobuf")];
        let scrape = Connection::open(rig.admin).unwrap().request("GET", "/metrics", &accept, b"").unwrap();
        let kind =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        assert_eq!(scrape.header("content-type"), Some(kind));
        let found = scrape.body.windows(ZERO_THRESHOLD.len()).any(|bytes| bytes == ZERO_THRESHOLD);
        assert_eq!(found, native);
    }
}

pub(crate) fn exemplars() {
    for (value, kept) in [("trace_based", 1), ("always_on", 2), ("always_off", 0)] {
        assert_eq!(remembered(&Setup::new().set("metrics.exemplars", value)), kept, "{value}");
    }
}

/// How many of two requests, one of them sampled, are remembered with their trace.
pub(crate) fn remembered(setup: &Setup) -> usize {
    let rig = setup.serve();
    rig.sampled();
    // in a bucket of its own
    assert_eq!(rig.status("/slow"), 200);
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let scrape = Connection::open(rig.admin).unwrap().request("GET", "/metrics", &accept, b"").unwrap();
    let is_kept = |line: &&str| line.starts_with("http_request_duration") && line.contains(" # {trace_id=");
    scrape.text().lines().filter(is_kept).count()
}

pub(crate) fn the_runtime_says_how_busy_it_is() {
    let rig = with("runtime.workers", "2");
    for worker in 0..2 {
        rig.until(&format!("tokio_worker_parks_total{{worker=\"{worker}\"}}"), |parks| parks > 0.0);
        rig.until(&format!("tokio_worker_busy_seconds_total{{worker=\"{worker}\"}}"), |busy| busy > 0.0);
    }
    assert!(rig.metric("tokio_global_queue_depth").is_some());
    assert!(rig.metric("prodkit_runtime_alive_tasks").is_some_and(|tasks| tasks > 0.0));
}

pub(crate) fn expire_idle() {
    let rig = with("metrics.expire_idle", "1h");
    assert_eq!(rig.status("/count/0"), 200);
    assert_eq!(rig.metric("counted_total{n=\"0\"}"), Some(1.0));
    assert_eq!(rig.metric("counted_total{n=\"0\"}"), Some(1.0));

    let rig = with("metrics.expire_idle", "1ms");
    assert_eq!(rig.status("/count/0"), 200);
    let until = Instant::now() + DEADLINE;
    while rig.metric("counted_total{n=\"0\"}").is_some() {
        assert!(Instant::now() < until, "it is still there");
        thread::park_timeout(Duration::from_millis(5));
    }
}
