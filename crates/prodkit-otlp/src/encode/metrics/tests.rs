use super::*;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, Sum, metric::Data, number_data_point};
use prodkit_metrics::{Exported, Options, Recorder, Unit};
use prodkit_trace::TraceContext;
use prost::Message;
use std::time::Duration;

const SHAPE: Shape = Shape { temporality: Temporality::Cumulative, histograms: Histograms::Explicit };

fn recorder() -> Recorder {
    let options = Options::new()
        .exponential(true)
        .exported_as("open", Exported::named("open.count").unit("{file}").additive());
    let recorder = Recorder::new(options);
    recorder.describe("wait", Some(Unit::Seconds), "How long it took.");
    recorder
}

/// As many of each kind, with exemplars, and labels as long as they come.
fn fill(recorder: &Recorder, series: usize) {
    let _scope = TraceContext::root(true).enter();
    for n in 0..series {
        let route = format!("/customers/{{customer}}/orders/{{order}}/items/{n}");
        let labels = [("http.route", &*route), ("method", "GET"), ("http.response.status_code", "200")];
        recorder.counter("a_total", &labels).increment(1);
        recorder.time_counter("busy", &labels).increment(Duration::from_millis(1_500));
        recorder.gauge("level", &labels).set(-0.5);
        recorder.gauge("open", &labels).set(n as f64);
        for value in [0.0, 0.003, 0.3, 1e6, -7.0] {
            recorder.histogram("wait", &labels).record(value);
        }
    }
}

fn decoded(body: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(body).unwrap()
}

#[test]
fn it_is_what_prost_writes() {
    let recorder = recorder();
    fill(&recorder, 3);
    let earlier = recorder.snapshot();
    fill(&recorder, 4);
    let now = recorder.snapshot();
    // a resource with one attribute
    let mut resource = Vec::new();
    wire::key_value(&mut resource, 1, "service.name", Any::Str("orders"), None);
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        for histograms in [Histograms::Explicit, Histograms::Exponential] {
            for snapshot in [&now, &now.since(&earlier), &Snapshot::default()] {
                let shape = Shape { temporality, histograms };
                let Request { body, points } = request(&resource, snapshot, shape, 0);
                let message = decoded(&body);
                assert_eq!(message.encode_to_vec(), body, "{shape:?}");
                let scoped = &message.resource_metrics[0].scope_metrics[0];
                assert_eq!(scoped.scope.as_ref().unwrap().name, "prodkit");
                assert_eq!(scoped.metrics.len(), snapshot.families.len());
                assert_eq!(message.resource_metrics[0].resource.as_ref().unwrap().attributes.len(), 1);
                let expected: usize = snapshot.families.iter().map(|family| family.points.len()).sum();
                assert_eq!(points, expected as u64);
            }
        }
    }
}

#[test]
fn what_goes_up_and_down_is_a_sum_without_differences() {
    let recorder = recorder();
    recorder.gauge("open", &[]).set(3.0);
    recorder.gauge("open", &[("kind", "half")]).set(0.5);
    let earlier = recorder.snapshot();
    recorder.gauge("open", &[]).set(2.0);
    let snapshot = recorder.snapshot().since(&earlier);
    let shape = Shape { temporality: Temporality::Delta, ..SHAPE };
    let message = decoded(&request(&[], &snapshot, shape, 0).body);
    let [Metric { name, unit, data: Some(Data::Sum(sum)), .. }] =
        &message.resource_metrics[0].scope_metrics[0].metrics[..]
    else {
        panic!("{message:?}")
    };
    assert_eq!((&**name, &**unit), ("open.count", "{file}"));
    let Sum { aggregation_temporality, is_monotonic, data_points } = sum;
    assert_eq!((*aggregation_temporality, *is_monotonic), (2, false));
    let values: Vec<_> = data_points.iter().map(|point| point.value.unwrap()).collect();
    assert_eq!(values, [number_data_point::Value::AsInt(2), number_data_point::Value::AsDouble(0.5)]);
    assert!(
        data_points
            .iter()
            .all(|point| point.start_time_unix_nano > 0 && point.start_time_unix_nano < nanos(earlier.taken))
    );
}

/// What one export allocates once there has been one before.
fn allocated(series: usize, histograms: Histograms) -> u64 {
    let recorder = recorder();
    fill(&recorder, series);
    let mut snapshot = recorder.snapshot();
    let shape = Shape { histograms, ..SHAPE };
    let length = request(&[], &snapshot, shape, 0).body.len();
    fill(&recorder, series);
    let used = allocation_counter::measure(|| {
        recorder.snapshot_into(&mut snapshot);
        let request = request(&[], &snapshot, shape, length);
        assert_eq!(request.points, 5 * series as u64);
    });
    used.count_total
}

#[test]
fn an_export_allocates_no_more_for_more_series() {
    for histograms in [Histograms::Explicit, Histograms::Exponential] {
        // the body, and what is in front of it
        assert_eq!([1, 100, 1_500].map(|series| allocated(series, histograms)), [2; 3], "{histograms:?}");
    }
}

#[test]
fn the_first_export_allocates_what_later_ones_use_again() {
    let allocated = |series: usize, record: fn(&Recorder, &[(&str, &str)])| {
        let recorder = Recorder::new(Options::new());
        for n in 0..series {
            let route = format!("/orders/{n}/items");
            record(&recorder, &[("endpoint", &route), ("method", "GET"), ("status", "200")]);
        }
        let mut snapshot = Snapshot::default();
        let used = allocation_counter::measure(|| {
            recorder.snapshot_into(&mut snapshot);
            request(&[], &snapshot, SHAPE, 0);
        });
        used.count_total
    };
    let counter: fn(&Recorder, &[(&str, &str)]) =
        |recorder, labels| recorder.counter("a", labels).increment(1);
    let histogram: fn(&Recorder, &[(&str, &str)]) =
        |recorder, labels| recorder.histogram("b", labels).record(0.07);
    for (record, of_each) in [(counter, 1), (histogram, 2)] {
        // both grow by doubling what they have
        let more = allocated(1_500, record) - allocated(500, record);
        assert!((1_000 * of_each..1_000 * of_each + 20).contains(&more), "{more}");
    }
}

#[test]
fn a_difference_allocates_little_for_each_series() {
    let allocated = |series: usize| {
        let recorder = recorder();
        fill(&recorder, series);
        let (earlier, mut snapshot) = (recorder.snapshot(), recorder.snapshot());
        fill(&recorder, series);
        let length = request(&[], &snapshot, SHAPE, 0).body.len();
        let used = allocation_counter::measure(|| {
            recorder.snapshot_into(&mut snapshot);
            request(&[], &snapshot.since(&earlier), SHAPE, length);
        });
        used.count_total
    };
    let more = allocated(1_100) - allocated(100);
    // for each histogram of exponential buckets with its exemplars, and none for all the others
    assert!(more <= 8_100, "{more}");
}
