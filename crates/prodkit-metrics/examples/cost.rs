//! One operation, as often as told, for counting instructions: run it for N and for 2N and subtract.
//!
//! ```text
//! cargo build --release -p prodkit-metrics --example cost
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/cost counter 1000000
//! ```
//!
//! Operations: `empty`, `atomic`, `counter`, `facade`, `macro`, `lookup`, `typed`,
//! `histogram`, `plain-histogram`, `encode`,
//! `encode-histograms`.
#![expect(clippy::panic, reason = "a tool")]

use metrics::{counter, with_local_recorder};
use prodkit_metrics::{ExemplarFilter, Format, Options, Recorder};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn main() {
    let mut args = std::env::args().skip(1);
    let operation = args.next().unwrap_or_default();
    let times: usize = args.next().and_then(|times| times.parse().ok()).unwrap_or(1000);
    let recorder = Recorder::new(Options::new().max_series(10_000));
    let atomic = AtomicU64::new(0);
    let counter = recorder.counter("held_total", &[]);
    let facade: metrics::Counter = counter.clone().into();
    let wait = recorder.histogram("wait", &[]);
    let plain = Recorder::new(Options::new().exemplars(ExemplarFilter::AlwaysOff)).histogram("wait", &[]);
    let labels = [("method", "GET"), ("endpoint", "/orders/{id}"), ("status", "200")];
    let typed = recorder.counters("typed_total", labels.map(|label| label.0));
    let mut out = Vec::new();
    if operation.starts_with("encode") {
        for i in 0..10_000 {
            let labels = [("endpoint", &*format!("/orders/{i}/items")), ("method", "GET"), ("status", "200")];
            if operation == "encode" {
                recorder.counter("http_requests_total", &labels).increment(i * 37);
            } else {
                recorder.histogram("http_request_duration_seconds", &labels).record(0.07);
            }
        }
        recorder.encode(Format::Text004, &mut out);
    }
    let repeat = |mut work: Box<dyn FnMut()>| (0..times).for_each(|_| work());
    match operation.as_str() {
        "empty" => repeat(Box::new(|| {})),
        "atomic" => repeat(Box::new(move || _ = black_box(&atomic).fetch_add(1, Relaxed))),
        "counter" => repeat(Box::new(move || black_box(&counter).increment(1))),
        "facade" => repeat(Box::new(move || black_box(&facade).increment(1))),
        "histogram" => repeat(Box::new(move || wait.record(black_box(0.07)))),
        "plain-histogram" => repeat(Box::new(move || plain.record(black_box(0.07)))),
        "lookup" => repeat(Box::new(move || {
            recorder.counter("http_requests_total", black_box(&labels)).increment(1);
        })),
        "typed" => repeat(Box::new(move || typed.increment(black_box(labels.map(|label| label.1)), 1))),
        "macro" => with_local_recorder(&recorder, || {
            repeat(Box::new(|| {
                counter!("r_total", "method" => "GET", "endpoint" => "/", "status" => "200").increment(1);
            }));
        }),
        "encode" | "encode-histograms" => repeat(Box::new(move || {
            out.clear();
            recorder.encode(Format::Text004, &mut out);
            black_box(&out);
        })),
        other => panic!("no operation {other:?}"),
    }
}
