//! Differences instead of totals, and exponential histograms.

use super::{AMPLE, patient, resource};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, number_data_point,
};
use prodkit_fakes::{Behaviour, FakeCollector, Received};
use prodkit_metrics::{Options, Recorder};
use prodkit_otlp::{Histograms, Otlp, Settings, Temporality, start};
use prost::Message;
use std::time::Duration;

const PATH: &str = "/v1/metrics";

/// One export of the counter `orders`: from when, until when, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    start: u64,
    time: u64,
    count: i64,
}

/// `None` where it did not move.
fn sent(request: &Received) -> Option<Sent> {
    let metrics = metrics(request);
    let orders = metrics.into_iter().find(|(name, _)| name == "orders")?;
    let Data::Sum(sum) = orders.1 else { panic!("a counter") };
    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Delta);
    assert!(sum.is_monotonic);
    let [point] = &sum.data_points[..] else { panic!("one point") };
    let Some(number_data_point::Value::AsInt(count)) = point.value else { panic!("whole") };
    Some(Sent { start: point.start_time_unix_nano, time: point.time_unix_nano, count })
}

fn metrics(request: &Received) -> Vec<(String, Data)> {
    let request = ExportMetricsServiceRequest::decode(request.body.clone()).unwrap();
    let metrics = request.resource_metrics[0].scope_metrics[0].metrics.clone();
    metrics.into_iter().map(|metric| (metric.name, metric.data.unwrap())).collect()
}

/// Exports differences that often, each once.
fn started(collector: &FakeCollector, every: Duration, recorder: &Recorder) -> Otlp {
    let mut settings: Settings = patient(collector.url());
    settings.temporality = Temporality::Delta;
    settings.metric_interval = every;
    settings.retry.enabled = false;
    start(settings, resource(), Some(recorder.clone())).unwrap()
}

/// What the last export is the end of: each begins where the one before was taken.
fn chain(all: &[Sent]) -> Vec<Sent> {
    let mut chain = vec![*all.last().unwrap()];
    while let Some(before) = all.iter().find(|sent| sent.time == chain[0].start) {
        chain.insert(0, *before);
    }
    chain
}

#[tokio::test]
async fn what_did_not_arrive_is_part_of_the_next_difference() {
    let (collector, recorder) = (FakeCollector::start(), Recorder::new(Options::new()));
    let orders = recorder.counter("orders", &[]);
    orders.increment(1);
    let otlp = started(&collector, Duration::from_millis(20), &recorder);
    collector.wait_for_at(PATH, 1).await;
    for behaviour in [Behaviour::status(400), Behaviour::Answer, Behaviour::Reset, Behaviour::status(503)] {
        collector.behave(behaviour);
        for _ in 0..3 {
            let before = collector.received_at(PATH).len();
            orders.increment(10);
            collector.wait_for_at(PATH, before + 1).await;
        }
    }
    collector.behave(Behaviour::Answer);
    orders.increment(100);
    let report = otlp.shutdown(AMPLE).await;
    let all: Vec<_> = collector.received_at(PATH).iter().filter_map(sent).collect();
    let chain = chain(&all);
    assert_eq!(chain.iter().map(|sent| sent.count).sum::<i64>(), 221, "{all:#?}");
    assert_eq!(chain[0].start, all[0].start, "from its beginning on");
    assert!(all.len() - chain.len() >= 6 && chain.len() >= 3, "{all:#?}");
    assert!(report.stats.metrics.failed >= 6, "{report}");
}

#[tokio::test]
async fn the_last_difference_begins_where_the_one_under_way_ends() {
    for (behaviour, arrives) in
        [(Behaviour::Slow(Duration::from_millis(200)), true), (Behaviour::Hang, false)]
    {
        let (collector, recorder) = (FakeCollector::start(), Recorder::new(Options::new()));
        let orders = recorder.counter("orders", &[]);
        orders.increment(1);
        collector.behave(behaviour);
        let otlp = started(&collector, Duration::from_millis(300), &recorder);
        collector.wait_for_at(PATH, 1).await;
        orders.increment(10);
        let report = otlp.shutdown(Duration::from_secs(1)).await;
        let all: Vec<_> = collector.received_at(PATH).iter().filter_map(sent).collect();
        let [first, last] = all[..] else { panic!("two exports: {all:#?}") };
        if arrives {
            assert_eq!((last.start, first.count, last.count), (first.time, 1, 10));
            assert_eq!(report.stats.metrics.exported, 2, "{report}");
        } else {
            assert_eq!((last.start, last.count), (first.start, 11));
            assert_eq!(report.stats.metrics.exported, 0, "{report}");
        }
    }
}

/// The points of the histogram `wait`, if they are exponential.
fn exponential(request: &Received) -> Option<(AggregationTemporality, ExponentialHistogramDataPoint)> {
    let wait = metrics(request).into_iter().find(|(name, _)| name == "wait")?;
    let Data::ExponentialHistogram(wait) = wait.1 else { return None };
    Some((wait.aggregation_temporality(), wait.data_points[0].clone()))
}

#[tokio::test]
async fn histograms_are_exponential_where_they_are_asked_for_and_kept() {
    for (kept, temporality) in
        [(true, Temporality::Cumulative), (true, Temporality::Delta), (false, Temporality::Cumulative)]
    {
        let collector = FakeCollector::start();
        let recorder = Recorder::new(Options::new().exponential(kept));
        let wait = recorder.histogram("wait", &[]);
        [0.0, 0.25, 0.25, 1.0, -1.0].into_iter().for_each(|value| wait.record(value));
        let mut settings = patient(collector.url());
        settings.temporality = temporality;
        settings.histograms = Histograms::Exponential;
        let otlp = start(settings, resource(), Some(recorder)).unwrap();
        assert_eq!(otlp.shutdown(AMPLE).await.stats.metrics.exported, 1);
        let found = exponential(&collector.received_at(PATH)[0]);
        let Some((found, point)) = found else {
            assert!(!kept);
            continue;
        };
        let expected = match temporality {
            Temporality::Delta => AggregationTemporality::Delta,
            _ => AggregationTemporality::Cumulative,
        };
        assert_eq!((kept, found), (true, expected));
        assert_eq!((point.count, point.zero_count, point.scale), (5, 1, 3));
        assert!((point.sum.unwrap() - 0.5).abs() < 1e-9);
        // a bucket's upper end belongs to it: 2^-2 ends the bucket -17, 2^0 the bucket -1
        let positive = point.positive.unwrap();
        assert_eq!((positive.offset, positive.bucket_counts[0], positive.bucket_counts[16]), (-17, 2, 1));
        let negative = point.negative.unwrap();
        assert_eq!((negative.offset, &negative.bucket_counts[..]), (-1, &[1][..]));
    }
}
