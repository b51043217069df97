//! The store as values.

use crate::recorder;
use prodkit_metrics::{Distribution, Kind, Options, Recorder, Snapshot, Unit, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
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
    assert_eq!((family.unit, family.help.as_deref()), (Some("s"), Some("Time.")));
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

#[test]
fn a_difference_has_what_moved_and_starts_where_the_earlier_one_was_taken() {
    let recorder = Recorder::new(Options::new().exponential(true));
    let (moves, rests) = (recorder.counter("moves", &[]), recorder.counter("rests", &[]));
    let wait = recorder.histogram("wait", &[("queue", "a")]);
    moves.increment(2);
    rests.increment(1);
    wait.record(0.3);
    recorder.gauge("level", &[]).set(5.0);
    let first = recorder.snapshot();
    moves.increment(3);
    wait.record(0.3);
    wait.record(900.0);
    recorder.counter("later", &[]).increment(1);
    let second = recorder.snapshot();

    let more = second.since(&first);
    let names: Vec<_> = more.families.iter().map(|family| &*family.name).collect();
    assert_eq!(names, ["later", "level", "moves", "wait"]);
    let point =
        |name: &str| more.families.iter().find(|family| &*family.name == name).unwrap().points[0].clone();
    assert!(matches!(point("moves").value, Value::Counter(3)));
    assert!(matches!(point("level").value, Value::Gauge(level) if level == 5.0));
    assert_eq!(point("moves").start, first.taken);
    assert!(point("later").start >= first.taken);
    let Value::Histogram(wait) = point("wait").value else { panic!("a histogram") };
    assert_eq!((wait.count, wait.counts.iter().sum::<u64>()), (2, 2));
    assert_eq!(wait.exponential.unwrap().count(), 2);
    assert_eq!(more.taken, second.taken);
}

#[test]
fn the_memory_of_an_older_snapshot_may_be_that_of_other_metrics() {
    let (first, second) = (recorder(), Recorder::new(Options::new().exponential(true)));
    first.counter("a", &[]).increment(1);
    first.histogram("b", &[("x", "1")]).record(1.0);
    first.histogram("b", &[("x", "2")]).record(2.0);
    first.gauge("c", &[]).set(1.0);
    second.histogram("a", &[]).record(0.5);
    second.counter("b", &[]).increment(7);
    let mut snapshot = first.snapshot();
    for recorder in [&second, &first, &second] {
        recorder.snapshot_into(&mut snapshot);
        let fresh = recorder.snapshot();
        assert_eq!(format!("{:?}", snapshot.families), format!("{:?}", fresh.families));
    }
}

/// What a counter or a histogram stands at, by name.
fn totals(snapshot: &Snapshot) -> BTreeMap<String, Vec<u64>> {
    let family = |family: &prodkit_metrics::Family| {
        let value = match &family.points[0].value {
            Value::Counter(count) => vec![*count],
            Value::Histogram(Distribution { counts, exponential, .. }) => {
                let exponential = exponential.as_ref().unwrap();
                let count = [exponential.zero_count, exponential.count()];
                counts.iter().copied().chain(count).collect()
            }
            _ => Vec::new(),
        };
        (family.name.to_string(), value)
    };
    snapshot.families.iter().map(family).collect()
}

proptest! {
    #[test]
    fn differences_add_up(steps in proptest::collection::vec((0..3_usize, -3.0..3.0_f64, 0..3_u32), 0..60)) {
        let recorder = Recorder::new(Options::new().exponential(true));
        let mut last = recorder.snapshot();
        let mut sum = BTreeMap::new();
        let mut take = |last: &mut Snapshot| {
            let now = recorder.snapshot();
            for (name, more) in totals(&now.since(last)) {
                let sum: &mut Vec<u64> = sum.entry(name).or_insert_with(|| vec![0; more.len()]);
                sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            *last = now;
        };
        for (metric, power, export) in steps {
            match metric {
                0 => recorder.counter("a", &[]).increment(power.abs() as u64),
                // far enough apart to make the buckets coarser on the way
                1 => recorder.histogram("h", &[]).record(10_f64.powf(power * 4.0)),
                _ => recorder.histogram("h", &[]).record(-power),
            }
            if export == 0 {
                take(&mut last);
            }
        }
        take(&mut last);
        sum.retain(|_, values| values.iter().any(|value| *value > 0));
        let mut expect = totals(&last);
        expect.retain(|_, values| values.iter().any(|value| *value > 0));
        prop_assert_eq!(sum, expect);
    }
}
