//! Counters, histograms, and how they leave.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use metrics::{counter, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use prodkit_metrics::{Format, Options, Recorder};
use prodkit_otlp::{Resource, Settings, start};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

const SERIES: usize = 10_000;

/// Whether it is an operation of these; runs it.
pub(crate) fn run(operation: &str, times: usize, sink: Option<String>) -> bool {
    let repeat = |work: &mut dyn FnMut()| (0..times).for_each(|_| work());
    match operation {
        "held" => {
            let handle = Recorder::default().counter("held_total", &[]);
            repeat(&mut || black_box(&handle).increment(1));
        }
        "atomic" => {
            let atomic = Arc::new(AtomicU64::new(0));
            repeat(&mut || _ = black_box(&atomic).fetch_add(1, Relaxed));
        }
        "facade" => {
            let handle = with_local_recorder(&Recorder::default(), || counter!("held_total"));
            repeat(&mut || black_box(&handle).increment(1));
        }
        "counter" => with_local_recorder(&Recorder::default(), || repeat(&mut count)),
        "counter-exporter" => {
            let theirs = PrometheusBuilder::new().build_recorder();
            with_local_recorder(&theirs, || repeat(&mut count));
        }
        "scrape" => {
            let recorder = counters(SERIES);
            let mut out = Vec::new();
            repeat(&mut || {
                out.clear();
                recorder.encode(Format::Text004, &mut out);
                black_box(&out);
            });
        }
        "scrape-client" => {
            let family = Family::<[(String, String); 3], Counter>::default();
            let mut registry = Registry::default();
            registry.register("http_requests", "Requests.", family.clone());
            for n in 0..SERIES {
                let [route, method, status] = labels(n);
                let labels = [("endpoint", route), ("method", method), ("status", status)];
                let labels = labels.map(|(name, value)| (name.to_owned(), value));
                family.get_or_create(&labels).inc_by(n as u64 * 37);
            }
            let mut out = String::new();
            repeat(&mut || {
                out.clear();
                prometheus_client::encoding::text::encode(&mut out, &registry).expect("text");
                black_box(&out);
            });
        }
        "push" => push(counters(times), times, &sink.expect("an address")),
        "push-histograms" => push(histograms(times), times, &sink.expect("an address")),
        "kept" => drop(black_box(counters(times))),
        "kept-histograms" => drop(black_box(histograms(times))),
        "records" => records(times),
        _ => return false,
    }
    true
}

fn labels(n: usize) -> [String; 3] {
    [format!("/orders/{n}/items"), "GET".to_owned(), "200".to_owned()]
}

fn counters(series: usize) -> Recorder {
    let recorder = Recorder::new(Options::new().max_series(series));
    for n in 0..series {
        let [route, method, status] = labels(n);
        let labels = [("endpoint", &*route), ("method", &*method), ("status", &*status)];
        recorder.counter("http_requests_total", &labels).increment(n as u64 * 37);
    }
    recorder
}

fn histograms(series: usize) -> Recorder {
    let recorder = Recorder::new(Options::new().max_series(series));
    for n in 0..series {
        let [route, method, status] = labels(n);
        let labels = [("endpoint", &*route), ("method", &*method), ("status", &*status)];
        recorder.histogram("http_request_duration_seconds", &labels).record(0.07);
    }
    recorder
}

fn count() {
    counter!("r_total", "method" => "GET", "endpoint" => "/", "status" => "200").increment(1);
}

/// The only export is that of the end.
fn push(recorder: Recorder, series: usize, sink: &str) {
    let mut settings = Settings::to(format!("http://{sink}"));
    settings.metric_interval = Duration::from_secs(3600);
    settings.timeout = Duration::from_secs(600);
    let otlp = start(settings, Resource::new("orders"), Some(recorder)).expect("a thread");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let report = runtime.block_on(otlp.shutdown(Duration::from_secs(600)));
    let metrics = report.stats.metrics;
    assert!(metrics.failed == 0 && metrics.exported >= series as u64, "{report}");
}

fn records(times: usize) {
    let recorder = Recorder::new(Options::new());
    let series: Vec<_> =
        (0..1_000).map(|n: u32| recorder.histogram("wait_seconds", &[("n", &n.to_string())])).collect();
    let before = resident();
    let mut value = 0_u32;
    for histogram in series.iter().cycle().take(times) {
        value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        histogram.record(f64::from(value) / 1e9);
    }
    println!("{before} KiB before, {} KiB after {times} records", resident());
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
