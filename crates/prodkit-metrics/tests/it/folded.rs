//! Series that the formats of Prometheus show as one.

use crate::{open_metrics, text};
use prodkit_metrics::{Buckets, Exemplar, Kind, Options, Recorder, Value};
use prodkit_trace::TraceContext;
use std::time::Duration;

fn recorder() -> Recorder {
    let seconds = Buckets::new(&[0.1, 1.0]).unwrap();
    let options = Options::new()
        .buckets(seconds)
        .shown_without("wait_seconds", "status")
        .shown_without("cpu_seconds_total", "mode")
        .shown_without("open", "what");
    Recorder::new(options)
}

#[test]
fn series_that_differ_in_a_label_that_is_not_shown_are_their_sum() {
    let recorder = recorder();
    for (status, route, value) in [("200", "/b", 0.05), ("500", "/b", 0.5), ("500", "/a", 3.0)] {
        recorder.histogram("wait_seconds", &[("status", status), ("route", route)]).record(value);
    }
    for (mode, millis) in [("user", 1_500), ("system", 250)] {
        recorder.time_counter("cpu_seconds_total", &[("mode", mode)]).absolute(Duration::from_millis(millis));
    }
    recorder.gauge("open", &[("what", "files")]).set(3.0);
    recorder.gauge("open", &[("what", "sockets")]).set(4.0);
    let lines: Vec<String> = text(&recorder).lines().map(str::to_owned).collect();
    assert_eq!(
        lines.iter().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(),
        [
            "cpu_seconds_total 1.75",
            "open 7",
            r#"wait_seconds_bucket{route="/a",le="0.1"} 0"#,
            r#"wait_seconds_bucket{route="/a",le="1"} 0"#,
            r#"wait_seconds_bucket{route="/a",le="+Inf"} 1"#,
            r#"wait_seconds_sum{route="/a"} 3"#,
            r#"wait_seconds_count{route="/a"} 1"#,
            r#"wait_seconds_bucket{route="/b",le="0.1"} 1"#,
            r#"wait_seconds_bucket{route="/b",le="1"} 2"#,
            r#"wait_seconds_bucket{route="/b",le="+Inf"} 2"#,
            r#"wait_seconds_sum{route="/b"} 0.55"#,
            r#"wait_seconds_count{route="/b"} 2"#,
        ]
    );
}

#[test]
fn a_snapshot_has_each_of_them() {
    let recorder = recorder();
    for (status, value) in [("200", 0.05), ("500", 0.5)] {
        recorder.histogram("wait_seconds", &[("status", status)]).record(value);
    }
    let snapshot = recorder.snapshot();
    let [family] = &snapshot.families[..] else { panic!("one: {snapshot:?}") };
    assert_eq!(family.kind, Kind::Histogram);
    let sums = family.points.iter().map(|point| match &point.value {
        Value::Histogram(value) => (point.labels[0].1.as_str(), value.count, value.sum),
        other => panic!("{other:?}"),
    });
    assert_eq!(sums.collect::<Vec<_>>(), [("200", 1, 0.05), ("500", 1, 0.5)]);
}

#[test]
fn the_latest_exemplar_of_them_is_shown() {
    let recorder = recorder();
    let (first, second) = (TraceContext::root(true), TraceContext::root(true));
    let [good, bad] = ["200", "500"].map(|status| recorder.histogram("wait_seconds", &[("status", status)]));
    bad.record_in(0.02, first);
    let before = at(&recorder);
    // two readings of the clock may be the same
    while at(&recorder) == before {
        good.record_in(0.03, second);
    }
    let text = open_metrics(&recorder);
    let line = text.lines().find(|line| line.starts_with("wait_seconds_bucket{le=\"0.1\"}")).unwrap();
    assert!(line.contains(&second.trace_id().to_string()) && line.contains("} 0.03 "), "{line}");
}

/// When the last exemplar was recorded.
fn at(recorder: &Recorder) -> std::time::SystemTime {
    let families = recorder.snapshot().families;
    let points = families.iter().flat_map(|family| &family.points);
    let exemplars = points.flat_map(|point| match &point.value {
        Value::Histogram(value) => value.exemplars.clone(),
        _ => Vec::new(),
    });
    exemplars.map(|Exemplar { at, .. }| at).max().unwrap()
}
