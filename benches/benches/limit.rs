//! What the adaptive limit costs a request where it is on, beside what a fixed one costs.

use criterion::{Criterion, criterion_group, criterion_main};
use prodkit_http::Gradient;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

const TOOK: Duration = Duration::from_millis(10);

fn limit(c: &mut Criterion) {
    let mut group = c.benchmark_group("limit");
    let in_flight = AtomicUsize::new(0);
    group.bench_function("fixed", |b| {
        b.iter(|| {
            let admitted = in_flight.fetch_add(1, Relaxed) < black_box(1_000);
            in_flight.fetch_sub(1, Relaxed);
            admitted
        });
    });
    let start = Instant::now();
    let mut gradient = Gradient::new(20, 1_000, start);
    group.bench_function("sample", |b| {
        b.iter(|| gradient.sample(black_box(start), black_box(TOOK), black_box(15)));
    });
    let (mut gradient, mut now) = (Gradient::new(20, 1_000, start), start);
    group.bench_function("a window of ten samples and its end", |b| {
        b.iter(|| {
            now += Duration::from_secs(1);
            (0..10).find_map(|_| gradient.sample(black_box(now), black_box(TOOK), black_box(15)))
        });
    });
    group.finish();
}

criterion_group!(benches, limit);
criterion_main!(benches);
