//! The store as values.

use crate::recorder;
use prodkit_metrics::{Kind, Unit, Value};
use std::time::SystemTime;

#[test]
fn a_snapshot_has_the_names_as_given() {
    let before = SystemTime::now();
    let recorder = recorder();
    recorder.describe("http.server.request.duration", Some(Unit::Seconds), "Time.");
    let duration =
        recorder.histogram("http.server.request.duration", &[("http.route", "/t/{id}"), ("a", "1")]);
    [0.001, 0.2, 7.0].into_iter().for_each(|value| duration.record(value));
    recorder.counter("a.b", &[]).increment(3);
    recorder.gauge("z", &[]).set(-1.0);

    let snapshot = recorder.snapshot();
    assert!(snapshot.taken >= before);
    let names: Vec<_> = snapshot.families.iter().map(|family| (&*family.name, family.kind)).collect();
    assert_eq!(
        names,
        [("a.b", Kind::Counter), ("http.server.request.duration", Kind::Histogram), ("z", Kind::Gauge)]
    );
    let family = &snapshot.families[1];
    assert_eq!((family.unit, family.help.as_deref()), (Some(Unit::Seconds), Some("Time.")));
    let [point] = &family.points[..] else { panic!("one point") };
    assert_eq!(&*point.labels, &[("a".into(), "1".into()), ("http.route".into(), "/t/{id}".into())]);
    assert!(point.start >= before && point.start <= snapshot.taken);
    let Value::Histogram(value) = &point.value else { panic!("a histogram") };
    assert_eq!(value.counts, [1, 0, 0, 0, 0, 1, 0, 0, 1]);
    assert_eq!((value.count, value.sum), (3, 7.201));
    assert_eq!(value.bounds.len() + 1, value.counts.len());
    assert!(matches!(snapshot.families[0].points[0].value, Value::Counter(3)));
    assert!(matches!(snapshot.families[2].points[0].value, Value::Gauge(value) if value == -1.0));
}
