//! The protobuf format, read by prost into the messages of `io/prometheus/client/metrics.proto`.

use crate::recorder;
use prodkit_metrics::{Format, Options, Recorder, Unit};
use prodkit_trace::{TraceContext, current};
use proptest::prelude::*;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    /// Of counters.
    #[prost(message, optional, tag = "3")]
    created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

fn families(recorder: &Recorder) -> Vec<MetricFamily> {
    let mut out = Vec::new();
    recorder.encode(Format::Protobuf, &mut out);
    let mut rest = &out[..];
    let mut families = Vec::new();
    while !rest.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut rest).expect("a family behind its length"));
    }
    families
}

/// The numbers of the buckets, as Prometheus counts them, and how many values are in each.
fn buckets(spans: &[BucketSpan], deltas: &[i64]) -> Vec<(i32, u64)> {
    let mut deltas = deltas.iter();
    let (mut at, mut count) = (0, 0);
    let mut buckets = Vec::new();
    for span in spans {
        at += span.offset.expect("an offset");
        for _ in 0..span.length.expect("a length") {
            count += deltas.next().expect("as many deltas as buckets");
            buckets.push((at, u64::try_from(count).expect("no negative count")));
            at += 1;
        }
    }
    assert!(deltas.next().is_none(), "as many buckets as deltas");
    buckets
}

#[test]
fn every_kind_of_metric_arrives() {
    let recorder = recorder();
    recorder.describe("wait", Some(Unit::Seconds), "How long \"it\" took.");
    recorder.counter("requests", &[("path", "a\"b\\c\nd"), ("method", "GET")]).increment(3);
    recorder.time_counter("cpu_seconds_total", &[]).absolute(std::time::Duration::from_millis(1500));
    recorder.gauge("level", &[]).set(-2.5);
    let sampled = TraceContext::root(true);
    recorder.histogram("wait", &[]).record_in(0.02, sampled);
    assert!(current().is_none());

    let families = families(&recorder);
    let named: Vec<_> =
        families.iter().map(|family| (family.name.as_deref().unwrap(), family.kind.unwrap())).collect();
    assert_eq!(named, [("cpu_seconds_total", 0), ("level", 1), ("requests_total", 0), ("wait_seconds", 4)]);
    let only = |name: &str| {
        let family = families.iter().find(|family| family.name.as_deref() == Some(name)).unwrap();
        assert_eq!(family.metric.len(), 1);
        family.metric[0].clone()
    };
    assert_eq!(only("cpu_seconds_total").counter.unwrap().value, Some(1.5));
    assert_eq!(only("level").gauge.unwrap().value, Some(-2.5));
    let requests = only("requests_total");
    let labels: Vec<_> =
        requests.label.iter().map(|l| (l.name.as_deref().unwrap(), l.value.as_deref().unwrap())).collect();
    assert_eq!(labels, [("method", "GET"), ("path", "a\"b\\c\nd")]);
    let counter = requests.counter.unwrap();
    assert_eq!(counter.value, Some(3.0));
    assert!(counter.created.unwrap().seconds > 1_700_000_000);

    let wait = &families[3];
    assert_eq!(
        (wait.help.as_deref(), wait.unit.as_deref()),
        (Some("How long \"it\" took."), Some("seconds"))
    );
    let histogram = only("wait_seconds").histogram.unwrap();
    assert_eq!((histogram.sample_count, histogram.sample_sum), (Some(1), Some(0.02)));
    let counts: Vec<_> = histogram.bucket.iter().map(|bucket| bucket.cumulative_count.unwrap()).collect();
    assert_eq!(counts, [0, 0, 0, 1, 1, 1, 1, 1, 1]);
    assert_eq!(histogram.bucket[8].upper_bound, Some(f64::INFINITY));
    let exemplar = histogram.bucket[3].exemplar.clone().unwrap();
    assert_eq!(exemplar.value, Some(0.02));
    assert_eq!(exemplar.label[0].value.as_deref(), Some(&*sampled.trace_id().to_string()));
    assert_eq!(histogram.schema, None, "not native unless asked for");
}

#[test]
fn a_native_histogram_without_values_is_still_native() {
    let recorder = Recorder::new(Options::new().exponential(true));
    drop(recorder.histogram("wait", &[]));
    let histogram = families(&recorder)[0].metric[0].histogram.clone().unwrap();
    assert_eq!((histogram.sample_count, histogram.zero_count, histogram.schema), (Some(0), Some(0), Some(3)));
    // How a scraper tells: by a span, a zero count or a zero threshold.
    assert_eq!(histogram.positive_span, [BucketSpan { offset: Some(0), length: Some(0) }]);
    assert!(histogram.zero_threshold.unwrap() > 0.0);
}

proptest! {
    #[test]
    fn native_buckets_say_what_was_recorded(
        values in proptest::collection::vec((any::<bool>(), -30.0..30.0_f64), 1..200)
    ) {
        let recorder = Recorder::new(Options::new().exponential(true));
        let wait = recorder.histogram("wait", &[]);
        let values: Vec<f64> =
            values.into_iter().map(|(negative, power)| if negative { -power.exp2() } else { power.exp2() }).collect();
        values.iter().for_each(|value| wait.record(*value));

        let histogram = families(&recorder)[0].metric[0].histogram.clone().unwrap();
        let positive = buckets(&histogram.positive_span, &histogram.positive_delta);
        let negative = buckets(&histogram.negative_span, &histogram.negative_delta);
        let all: u64 = positive.iter().chain(&negative).map(|(_, count)| count).sum();
        prop_assert_eq!(all + histogram.zero_count.unwrap(), values.len() as u64);
        prop_assert_eq!(histogram.sample_count, Some(values.len() as u64));
        // Bucket i of Prometheus ends at base^i, that end included.
        let base = (-f64::from(histogram.schema.unwrap())).exp2().exp2();
        for (bucket, count) in positive {
            let (low, high) = (base.powi(bucket - 1), base.powi(bucket));
            let inside = values.iter().filter(|value| **value > low * (1.0 + 1e-9) && **value <= high * (1.0 - 1e-9));
            let around = values.iter().filter(|value| **value > low * (1.0 - 1e-9) && **value <= high * (1.0 + 1e-9));
            prop_assert!(inside.count() as u64 <= count && count <= around.count() as u64, "bucket {}", bucket);
        }
    }
}

#[test]
fn series_that_are_shown_as_one_are_one_native_histogram() {
    let recorder = Recorder::new(Options::new().exponential(true).shown_without("wait_seconds", "status"));
    for (status, value) in [("200", 0.25), ("500", 0.25), ("503", 4.0)] {
        recorder.histogram("wait_seconds", &[("status", status)]).record(value);
    }
    let families = families(&recorder);
    let [MetricFamily { metric, .. }] = &families[..] else { panic!("one: {families:?}") };
    let [metric] = &metric[..] else { panic!("one: {metric:?}") };
    assert!(metric.label.is_empty());
    let histogram = metric.histogram.as_ref().unwrap();
    let head = (histogram.sample_count, histogram.sample_sum, histogram.schema);
    assert_eq!(head, (Some(3), Some(4.5), Some(3)));
    assert_eq!(histogram.positive_delta, [2, -1], "two of 0.25, one of 4");
    assert_eq!(histogram.bucket.last().unwrap().cumulative_count, Some(3));
}
