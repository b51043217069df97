//! What it costs that work knows its trace: one poll of a future that does nothing, bare, in a trace, and inside a
//! `tracing` span with and without ids; then what a request does once.

use criterion::{Criterion, criterion_group, criterion_main};
use prodkit_trace::{FutureExt as _, Layer, TraceContext, current};
use std::future::{Pending, pending};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

fn poll(c: &mut Criterion) {
    let mut group = c.benchmark_group("trace/poll");
    let mut cx = Context::from_waker(Waker::noop());
    let idle: fn() -> Pending<()> = pending;

    let mut bare = pin!(idle());
    group.bench_function("bare", |b| b.iter(|| black_box(bare.as_mut()).poll(&mut cx)));

    let mut traced = pin!(idle().in_trace(TraceContext::root(true)));
    group.bench_function("in a trace", |b| b.iter(|| black_box(traced.as_mut()).poll(&mut cx)));

    let registry = tracing_subscriber::registry();
    tracing::subscriber::with_default(registry, || {
        let mut spanned = pin!(idle().instrument(tracing::info_span!("work")));
        group.bench_function("in a span", |b| b.iter(|| black_box(spanned.as_mut()).poll(&mut cx)));
    });

    let layered = tracing_subscriber::registry().with(Layer::new());
    tracing::subscriber::with_default(layered, || {
        let mut spanned = pin!(idle().instrument(tracing::info_span!("work")));
        group.bench_function("in a span with ids", |b| b.iter(|| black_box(spanned.as_mut()).poll(&mut cx)));
    });
    group.finish();
}

fn request(c: &mut Criterion) {
    let mut group = c.benchmark_group("trace/request");
    let context = TraceContext::root(true);
    let header = context.traceparent();
    group.bench_function("current", |b| b.iter(|| black_box(current())));
    group.bench_function("enter and leave", |b| {
        b.iter(|| {
            let _scope = black_box(context).enter();
            black_box(());
        });
    });
    group.bench_function("root", |b| b.iter(|| TraceContext::root(black_box(true))));
    group.bench_function("child", |b| b.iter(|| black_box(context).child()));
    group.bench_function("read traceparent", |b| {
        b.iter(|| TraceContext::from_traceparent(black_box(header.as_bytes())).is_ok());
    });
    group.bench_function("write traceparent", |b| b.iter(|| black_box(context).traceparent()));
    group.finish();
}

criterion_group!(benches, poll, request);
criterion_main!(benches);
