//! One event with six fields and its trace ids, to a null device: beside `tracing-subscriber`'s JSON.
#![expect(clippy::expect_used, reason = "a bench has nobody to hand errors to")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use prodkit_benches::{event, event_with_ids, null};
use prodkit_log::{Format, Level, Options, start};
use prodkit_trace::TraceContext;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

fn log(c: &mut Criterion) {
    let mut group = c.benchmark_group("log");
    let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = TraceContext::from_traceparent(parent).expect("a traceparent");
    let _scope = context.enter();

    let theirs = tracing_subscriber::fmt().json().with_writer(Arc::new(null())).finish();
    with_default(theirs, || {
        group.bench_function("tracing-subscriber json", |b| b.iter(|| event_with_ids(black_box(7))));
        let span = tracing::info_span!("request", order = 7);
        let _entered = span.enter();
        group.bench_function("tracing-subscriber json, in a span", |b| {
            b.iter(|| event_with_ids(black_box(7)));
        });
    });

    let (layer, log) = start(Options::default().format(Format::Json), null()).expect("a thread");
    with_default(tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(layer), || {
        group.bench_function("event", |b| b.iter(|| event(black_box(7))));
        group.bench_function("disabled event", |b| b.iter(|| tracing::debug!(n = black_box(7), "off")));
        let span = tracing::info_span!("request", order = 7);
        let _entered = span.enter();
        group.bench_function("event, in a span", |b| b.iter(|| event(black_box(7))));
    });
    let access = log.lines().target("http.access");
    group.bench_function("preformatted line", |b| {
        b.iter(|| {
            access
                .line(Level::INFO, "request completed", None, Some(context))
                .str("method", "GET")
                .str("route", "/api/orders/{id}")
                .str("path", "/api/orders/123456")
                .u64("status", 200)
                .u64("latency_us", black_box(7))
                .str("user", "u-12345")
                .finish();
        });
    });
    log.shutdown(Duration::from_secs(9));
    group.finish();
}

criterion_group!(benches, log);
criterion_main!(benches);
