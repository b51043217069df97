//! The same random program through us and through metrics-exporter-prometheus.

use crate::parser::{self, Sample};
use crate::{recorder, text};
use metrics::{Key, Label, Level, Metadata, Unit};
use metrics_exporter_prometheus::PrometheusBuilder;
use prodkit_metrics::{Buckets, Format};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    Increment(u64),
    Absolute(u64),
    Set(f64),
    Add(f64),
    Subtract(f64),
    Record(f64),
    RecordMany(f64, usize),
}

/// Kind by name, so that no program has conflicts: the other recorder shows both metrics, we refuse the second.
fn step() -> impl Strategy<Value = (String, Vec<(String, String)>, Op)> {
    // Multiples of ⅛ add up to the same sum in any order.
    let number = (-800_i32..800).prop_map(|eighths| f64::from(eighths) / 8.0);
    let counter = prop_oneof![(0..1000_u64).prop_map(Op::Increment), (0..1000_u64).prop_map(Op::Absolute)];
    let gauge = prop_oneof![
        number.clone().prop_map(Op::Set),
        number.clone().prop_map(Op::Add),
        number.clone().prop_map(Op::Subtract),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Op::Set),
    ];
    let histogram = prop_oneof![
        number.clone().prop_map(Op::Record),
        (number, 0..5_usize).prop_map(|(v, n)| Op::RecordMany(v, n))
    ];
    let metric = prop_oneof![
        ("(c|c:x|http\\.requests|größe)_total", counter),
        ("(g|g\\.y|queue-length)", gauge),
        ("(h|h_seconds|wait\\.time)", histogram),
    ];
    let labels = vec(("(method|endpoint|a\\.b)", "(GET|/t/\\{id\\}|a\"b|c\\\\d|e\nf|ü)"), 0..3);
    (metric, labels).prop_map(|((name, op), labels)| (name, labels, op))
}

/// Samples by name and labels, whatever order they were printed in.
fn samples(text: &str) -> BTreeMap<(String, Vec<(String, String)>), String> {
    let blocks = parser::parse(text, Format::Text004).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let of = |Sample { name, mut labels, value, .. }: Sample| {
        labels.sort();
        ((name, labels), value.to_string())
    };
    blocks.into_values().flat_map(|block| block.samples).map(of).collect()
}

proptest! {
    #[test]
    fn the_same_program_shows_the_same_samples(program in vec(step(), 0..60)) {
        let ours = recorder();
        let theirs = PrometheusBuilder::new()
            .set_buckets(Buckets::default().bounds())
            .unwrap()
            .with_recommended_naming(true)
            .build_recorder();
        let metadata = Metadata::new("test", Level::INFO, None);
        let recorders: [&dyn metrics::Recorder; 2] = [&ours, &theirs];
        for recorder in recorders {
            recorder.describe_histogram("wait.time".into(), Some(Unit::Milliseconds), "Say \\ and\nmore".into());
            recorder.describe_gauge("g.y".into(), Some(Unit::Bytes), "Bytes.".into());
            for (name, labels, op) in &program {
                let mut labels = labels.clone();
                labels.sort();
                labels.dedup_by(|a, b| a.0 == b.0);
                let labels: Vec<Label> = labels.into_iter().map(|(name, value)| Label::new(name, value)).collect();
                let key = Key::from_parts(name.clone(), labels);
                match *op {
                    Op::Increment(by) => recorder.register_counter(&key, &metadata).increment(by),
                    Op::Absolute(value) => recorder.register_counter(&key, &metadata).absolute(value),
                    Op::Set(value) => recorder.register_gauge(&key, &metadata).set(value),
                    Op::Add(by) => recorder.register_gauge(&key, &metadata).increment(by),
                    Op::Subtract(by) => recorder.register_gauge(&key, &metadata).decrement(by),
                    Op::Record(value) => recorder.register_histogram(&key, &metadata).record(value),
                    Op::RecordMany(value, times) => recorder.register_histogram(&key, &metadata).record_many(value, times),
                }
            }
        }
        // It ends families with an empty line, collapses no runs of `_`, and spells infinity as Rust does.
        let rendered = theirs.handle().render();
        let rendered = [("\n\n", "\n"), ("gr__e", "gr_e"), (" inf\n", " +Inf\n"), (" -inf\n", " -Inf\n")]
            .iter()
            .fold(rendered, |text, (theirs, ours)| text.replace(theirs, ours));
        let (ours, theirs) = (samples(&text(&ours)), samples(rendered.trim_start_matches('\n')));
        prop_assert_eq!(ours, theirs);
    }
}
