//! What is too much, or does not fit.

use crate::{recorder, text};
use metrics::{counter, gauge, with_local_recorder};
use prodkit_metrics::{Options, Recorder};

#[test]
fn the_cap_is_exact_and_loses_nothing() {
    let recorder = Recorder::new(Options::new().max_series(5));
    with_local_recorder(&recorder, || {
        for turn in 0..3 {
            for user in 0..20 {
                counter!("hits_total", "user" => user.to_string()).increment(1);
            }
            assert_eq!(recorder.stats().overflowed, (turn + 1) * 15);
        }
    });
    let text = text(&recorder);
    assert_eq!(text.lines().filter(|line| line.contains("user=")).count(), 5);
    assert!(text.contains("hits_total{otel_metric_overflow=\"true\"} 45\n"), "{text}");
    assert!(text.contains("hits_total{user=\"4\"} 3\n"), "{text}");
    assert_eq!(recorder.stats().series, 6);
    // A known series is still found, another metric has its own cap.
    recorder.counter("hits_total", &[("user", "0")]).increment(1);
    recorder.gauge("other", &[("user", "77")]).set(1.0);
    assert_eq!((recorder.stats().overflowed, recorder.stats().series), (45, 7));
}

#[test]
fn typed_labels_obey_the_cap_and_the_kind() {
    let recorder = Recorder::new(Options::new().max_series(2));
    let hits = recorder.counters("hits_total", ["user"]);
    for _ in 0..2 {
        ["a", "b", "c", "d"].into_iter().for_each(|user| hits.increment([user], 1));
    }
    assert!(text(&recorder).contains("{otel_metric_overflow=\"true\"} 4\n"));
    assert_eq!(hits.at(["a"]).value(), 2);
    recorder.gauges("hits_total", ["user"]).set(["a"], 5.0);
    assert_eq!(recorder.stats().conflicts, 1);
}

#[test]
fn a_cap_of_zero_leaves_the_overflow_series() {
    let recorder = Recorder::new(Options::new().max_series(0));
    recorder.histogram("wait", &[]).record(1.0);
    assert!(text(&recorder).contains("wait_count{otel_metric_overflow=\"true\"} 1\n"));
}

#[test]
fn oversized_label_sets_overflow() {
    let recorder = recorder();
    let long = "x".repeat(5000);
    recorder.counter("hits_total", &[("path", &long)]).increment(1);
    assert_eq!(text(&recorder), "# TYPE hits_total counter\nhits_total{otel_metric_overflow=\"true\"} 1\n");
}

#[test]
fn metric_names_are_bounded() {
    let recorder = Recorder::new(Options::new().max_metrics(2));
    for name in ["a", "b", "c", "d"] {
        recorder.describe(name, None, "Described.");
        recorder.gauge(name, &[]).set(1.0);
    }
    recorder.gauge(&"x".repeat(257), &[]).set(1.0);
    assert_eq!((recorder.stats().metrics, recorder.stats().conflicts), (2, 3));
    assert!(text(&recorder).ends_with("b 1\n"));
}

#[test]
fn a_name_has_one_kind() {
    let recorder = recorder();
    recorder.counter("thing", &[]).increment(1);
    let lost = recorder.gauge("thing", &[]);
    lost.set(5.0);
    assert_eq!(lost.value(), 5.0, "the handle works, it is only not shown");
    with_local_recorder(&recorder, || gauge!("thing").set(9.0));
    recorder.histogram("thing", &[("a", "b")]).record(1.0);
    assert_eq!(text(&recorder), "# TYPE thing_total counter\nthing_total 1\n");
    assert_eq!(recorder.stats().conflicts, 3);
}

#[test]
fn no_two_metrics_share_a_line() {
    let recorder = recorder();
    recorder.histogram("wait", &[]).record(1.0);
    recorder.gauge("wait_count", &[]).set(5.0);
    recorder.gauge("size_bytes", &[]).set(1.0);
    recorder.counter("size", &[]).increment(1);
    // Would make it `size_bytes_total`, which is free; and this one `wait_seconds`, free too.
    recorder.describe("size", Some(metrics::Unit::Bytes), "");
    recorder.gauge("wait_seconds_sum", &[]).set(1.0);
    // Not free any more: it stays `wait`.
    recorder.describe("wait", Some(metrics::Unit::Seconds), "Waiting.");
    let text = text(&recorder);
    for line in ["wait_count 1\n", "# HELP wait Waiting.\n", "size_bytes 1\n", "size_bytes_total 1\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(recorder.stats().conflicts, 2);
}

#[test]
fn only_finite_values_enter_a_histogram() {
    let recorder = recorder();
    let wait = recorder.histogram("wait", &[]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0] {
        wait.record(value);
    }
    wait.record_many(f64::MAX, 3);
    let value = wait.value();
    assert_eq!((value.sum, value.count), (1.0, 1));
    assert_eq!(recorder.stats().rejected, 6);
}
