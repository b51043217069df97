//! Through the `metrics` facade.

use crate::{recorder, text};
use metrics::{counter, describe_counter, describe_histogram, gauge, histogram, with_local_recorder};

#[test]
fn macros_and_handles_reach_the_same_series() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        describe_counter!("requests_total", "Requests.");
        describe_histogram!("wait", metrics::Unit::Seconds, "Waiting.");
        counter!("requests_total", "method" => "GET", "status" => "200").increment(1);
        let status = String::from("200");
        counter!("requests_total", "status" => status, "method" => "GET").increment(2);
        counter!("requests_total", "method" => "GET", "status" => "200").absolute(2);
        gauge!("temperature").increment(2.5);
        gauge!("temperature").decrement(5);
        histogram!("wait").record_many(0.2, 4);
    });
    recorder.counter("requests_total", &[("status", "200"), ("method", "GET")]).increment(4);
    recorder.gauge("temperature", &[]).increment(1.0);
    let handle: metrics::Histogram = recorder.histogram("wait", &[]).into();
    handle.record(0.2);

    let text = text(&recorder);
    for line in [
        "# HELP requests_total Requests.\n",
        "requests_total{method=\"GET\",status=\"200\"} 7\n",
        "temperature -1.5\n",
        "wait_seconds_bucket{le=\"0.1\"} 0\n",
        "wait_seconds_bucket{le=\"0.5\"} 5\n",
        "wait_seconds_sum 1\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(recorder.stats().series, 3);
}

#[test]
fn many_labels_in_any_order_are_one_series() {
    let recorder = recorder();
    with_local_recorder(&recorder, || {
        for turn in 0..40_usize {
            let mut labels: Vec<_> = (0..10).map(|i| (format!("l{i}"), i.to_string())).collect();
            labels.rotate_left(turn % 10);
            counter!("turned", &labels).increment(1);
        }
    });
    assert_eq!(recorder.stats().series, 1);
    assert!(text(&recorder).contains("l9=\"9\"} 40\n"));
}

#[test]
fn the_recorder_is_an_object_for_others() {
    let recorder = recorder();
    let object: std::sync::Arc<dyn metrics::Recorder + Send + Sync> = std::sync::Arc::new(recorder.clone());
    with_local_recorder(&*object, || counter!("seen_total").increment(1));
    drop(object);
    assert_eq!(recorder.counter("seen_total", &[]).value(), 1);
}

#[test]
fn typed_labels_reach_the_same_series() {
    let recorder = recorder();
    let (hits, level) = (recorder.counters("hits_total", ["b", "a"]), recorder.gauges("level", ["a"]));
    let wait = recorder.histograms("wait", []);
    for _ in 0..2 {
        hits.clone().increment(["1", "2"], 3);
        level.increment(["x"], 5.0);
        level.decrement(["x"], 4.0);
        wait.record([], 0.1);
    }
    level.set(["y"], 7.0);
    recorder.counter("hits_total", &[("a", "2"), ("b", "1")]).increment(1);
    assert_eq!(hits.at(["1", "2"]).value(), 7);
    assert_eq!((level.at(["x"]).value(), level.at(["y"]).value()), (2.0, 7.0));
    assert_eq!(wait.at([]).value().count, 2);
    assert_eq!(recorder.stats().series, 4);
}

#[test]
fn observers_are_asked_before_each_reading() {
    let recorder = crate::recorder();
    let level = recorder.gauge("level", &[]);
    let asked = level.clone();
    recorder.observe(move || asked.increment(1.0));
    assert!(crate::text(&recorder).contains("level 1\n"));
    let snapshot = recorder.snapshot();
    assert!(matches!(snapshot.families[0].points[0].value, prodkit_metrics::Value::Gauge(2.0)));
    // what one registers is seen by the reading it was asked for
    let other = recorder.clone();
    recorder.observe(move || other.counter("late", &[]).increment(1));
    assert!(crate::text(&recorder).contains("late_total 1\n"));
}
