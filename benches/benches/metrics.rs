//! What recording and scraping cost, beside the bare atomics and beside the peers.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use metrics::{counter, histogram, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use prodkit_metrics::{Buckets, ExemplarFilter, Format, Options, Recorder};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const SERIES: usize = 10_000;
const LABELS: [(&str, &str); 3] = [("method", "GET"), ("endpoint", "/orders/{id}"), ("status", "200")];

fn counters(c: &mut Criterion) {
    let ours = Recorder::new(Options::new());
    let theirs = PrometheusBuilder::new().build_recorder();
    let mut group = c.benchmark_group("counter");
    let atomic = AtomicU64::new(0);
    group.bench_function("atomic", |b| b.iter(|| black_box(&atomic).fetch_add(1, Relaxed)));
    let concrete = ours.counter("held_total", &[]);
    group.bench_function("concrete handle", |b| b.iter(|| black_box(&concrete).increment(1)));
    let ours_held = with_local_recorder(&ours, || counter!("held_total"));
    group.bench_function("metrics handle", |b| b.iter(|| black_box(&ours_held).increment(1)));
    let theirs_held = with_local_recorder(&theirs, || counter!("held_total"));
    group.bench_function("metrics handle, exporter", |b| b.iter(|| black_box(&theirs_held).increment(1)));
    group.bench_function("lookup by 3 labels", |b| {
        b.iter(|| ours.counter("http_requests_total", black_box(&LABELS)).increment(1));
    });
    let family = ours.counters("family_total", LABELS.map(|label| label.0));
    let values = LABELS.map(|label| label.1);
    group.bench_function("typed, 3 values", |b| b.iter(|| family.increment(black_box(values), 1)));
    let peer = Family::<[(&str, &str); 3], Counter>::default();
    group.bench_function("typed, 3 labels, prometheus-client", |b| {
        b.iter(|| peer.get_or_create(&black_box(LABELS)).inc());
    });
    let recorders: [(&str, &dyn metrics::Recorder); 2] = [("ours", &ours), ("exporter", &theirs)];
    for (name, recorder) in recorders {
        group.bench_function(BenchmarkId::new("macro, 3 static labels", name), |b| {
            with_local_recorder(recorder, || {
                b.iter(|| {
                    counter!("r_total", "method" => "GET", "endpoint" => "/", "status" => "200").increment(1);
                });
            });
        });
        group.bench_function(BenchmarkId::new("macro, 3 owned labels", name), |b| {
            with_local_recorder(recorder, || {
                b.iter(|| {
                    let [method, endpoint, status] = LABELS.map(|label| black_box(label.1).to_owned());
                    counter!("o_total", "method" => method, "endpoint" => endpoint, "status" => status)
                        .increment(1);
                });
            });
        });
    }
    group.finish();
}

/// The exporter is left out: it keeps raw samples until somebody scrapes, so it would measure memory.
fn histograms(c: &mut Criterion) {
    let ours = Recorder::new(Options::new());
    let mut group = c.benchmark_group("histogram");
    let bounds = Buckets::default();
    let theirs = prometheus_client::metrics::histogram::Histogram::new(bounds.bounds().iter().copied());
    let held = ours.histogram("held", &[]);
    let plain = Recorder::new(Options::new().exemplars(ExemplarFilter::AlwaysOff)).histogram("held", &[]);
    group.bench_function("concrete handle", |b| b.iter(|| held.record(black_box(0.07))));
    group.bench_function("concrete handle, no exemplars", |b| b.iter(|| plain.record(black_box(0.07))));
    group.bench_function("prometheus-client", |b| b.iter(|| theirs.observe(black_box(0.07))));
    let facade = with_local_recorder(&ours, || histogram!("held"));
    group.bench_function("metrics handle", |b| b.iter(|| facade.record(black_box(0.07))));
    group.finish();
}

/// One thread measured while another one records into the same series.
fn contended(c: &mut Criterion) {
    let ours = Recorder::new(Options::new());
    let (counter, wait) = (ours.counter("a_total", &[]), ours.histogram("b", &[]));
    let atomic = AtomicU64::new(0);
    let mut group = c.benchmark_group("two threads, one series");
    let works: [(&str, &(dyn Fn() + Sync)); 3] = [
        ("atomic", &|| _ = atomic.fetch_add(1, Relaxed)),
        ("counter", &|| counter.increment(1)),
        ("histogram", &|| wait.record(0.07)),
    ];
    for (name, work) in works {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    work();
                }
            });
            group.bench_function(name, |b| b.iter(work));
            stop.store(true, Relaxed);
        });
    }
    group.finish();
}

type Labels = [(&'static str, String); 3];

fn labels(i: usize) -> Labels {
    [("method", "GET".to_owned()), ("endpoint", format!("/orders/{i}/items")), ("status", "200".to_owned())]
}

fn encode(c: &mut Criterion) {
    let ours = Recorder::new(Options::new().max_series(SERIES));
    let theirs = PrometheusBuilder::new().set_buckets(Buckets::default().bounds()).unwrap().build_recorder();
    let family = Family::<[(String, String); 3], Counter>::default();
    let mut registry = Registry::default();
    registry.register("http_requests", "Requests.", family.clone());
    let ours_histograms = Recorder::new(Options::new().max_series(SERIES));
    for i in 0..SERIES {
        let labels = labels(i);
        let value = i as u64 * 37;
        for recorder in [&ours as &dyn metrics::Recorder, &theirs] {
            with_local_recorder(recorder, || counter!("http_requests_total", &labels).increment(value));
        }
        with_local_recorder(&ours_histograms, || histogram!("wait_seconds", &labels).record(0.07));
        family.get_or_create(&labels.map(|(name, value)| (name.to_owned(), value))).inc_by(value);
    }
    let mut group = c.benchmark_group(format!("encode {SERIES} series"));
    group.sample_size(50);
    for (name, recorder, format) in [
        ("counters, text", &ours, Format::Text004),
        ("counters, OpenMetrics", &ours, Format::OpenMetrics100),
        ("histograms, text", &ours_histograms, Format::Text004),
    ] {
        let mut out = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                recorder.encode(format, &mut out);
                out.len()
            });
        });
    }
    let mut out = String::new();
    group.bench_function("counters, prometheus-client", |b| {
        b.iter(|| {
            out.clear();
            text::encode(&mut out, &registry).unwrap();
            out.len()
        });
    });
    let handle = theirs.handle();
    group.bench_function("counters, exporter", |b| b.iter(|| handle.render().len()));
    group.bench_function("counters, first scrape", |b| {
        b.iter_batched(
            || {
                let fresh = Recorder::new(Options::new().max_series(SERIES));
                for i in 0..SERIES {
                    with_local_recorder(&fresh, || counter!("http_requests_total", &labels(i)).increment(1));
                }
                fresh
            },
            |fresh| {
                let mut out = Vec::new();
                fresh.encode(Format::Text004, &mut out);
                (fresh, out)
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, counters, histograms, contended, encode);
criterion_main!(benches);
