//! Memory does not depend on how much is recorded, scraped or not.

use crate::recorder;
use metrics::{counter, histogram, with_local_recorder};
use prodkit_metrics::{Exported, Format, Histogram, Options, Recorder};
use prodkit_trace::TraceContext;

/// The trap of recorders that keep raw samples until a scrape.
#[test]
fn recording_into_a_thousand_series_allocates_nothing() {
    const RECORDS: u32 = 20_000_000;
    let recorder = recorder();
    let series: Vec<Histogram> =
        (0..1000).map(|i| recorder.histogram("wait", &[("i", &i.to_string())])).collect();
    let used = allocation_counter::measure(|| {
        let mut value = 0_u32;
        for _ in 0..RECORDS / 1000 {
            for histogram in &series {
                value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                histogram.record(f64::from(value) / 1e9);
            }
        }
    });
    assert_eq!((used.count_total, used.bytes_current), (0, 0));
    let all: u64 = recorder.snapshot().families[0]
        .points
        .iter()
        .map(|point| match &point.value {
            prodkit_metrics::Value::Histogram(value) => value.count,
            _ => 0,
        })
        .sum();
    assert_eq!(all, u64::from(RECORDS));
}

#[test]
fn a_known_series_is_found_without_allocating() {
    let recorder = recorder();
    let context = TraceContext::root(true);
    let typed = recorder.counters("c_total", ["method", "endpoint", "status"]);
    let everything = || {
        typed.increment(["GET", "/", "200"], 1);
        with_local_recorder(&recorder, || {
            counter!("a_total", "method" => "GET", "endpoint" => "/", "status" => "200").increment(1);
            histogram!("wait").record(0.1);
        });
        recorder.counter("b_total", &[("method", "GET"), ("endpoint", "/"), ("status", "200")]).increment(1);
        recorder.histogram("wait", &[]).record_in(0.2, context);
    };
    everything();
    assert_eq!(allocation_counter::measure(everything).count_total, 0);
}

#[test]
fn a_second_scrape_into_the_same_buffer_allocates_nothing() {
    let recorder = recorder();
    for i in 0..100 {
        recorder.counter("a_total", &[("i", &i.to_string())]).increment(1);
        recorder.gauge("b", &[("i", &i.to_string())]).set(0.5);
    }
    let mut out = Vec::new();
    recorder.encode(Format::Text004, &mut out);
    out.clear();
    out.reserve(out.capacity() + 1024);
    recorder.encode(Format::Text004, &mut out);
    out.clear();
    assert_eq!(allocation_counter::measure(|| recorder.encode(Format::Text004, &mut out)).count_total, 0);
}

#[test]
fn a_snapshot_in_the_memory_of_an_older_one_allocates_nothing() {
    let seconds = Exported::named("wait").labels(|labels| labels.to_vec()).unit("s");
    let recorder = Recorder::new(Options::new().exponential(true).exported_as("wait_seconds", seconds));
    let _scope = TraceContext::root(true).enter();
    let record = |value: f64| {
        for i in 0..100 {
            let i = i.to_string();
            recorder.counter("a_total", &[("i", &i)]).increment(1);
            recorder.gauge("b", &[("i", &i)]).set(value);
            recorder.histogram("wait_seconds", &[("i", &i)]).record(value);
            recorder.histogram("wait_seconds", &[("i", &i)]).record(-1e9 * value);
        }
    };
    record(0.1);
    record(1e9);
    let mut snapshot = recorder.snapshot();
    record(0.1);
    let used = allocation_counter::measure(|| recorder.snapshot_into(&mut snapshot));
    assert_eq!(used.count_total, 0);
    let fresh = recorder.snapshot();
    assert_eq!(format!("{:?}", snapshot.families), format!("{:?}", fresh.families));
}
