//! Metrics: the points of one snapshot, or of the difference of two.

use super::{nanos, pair, text};
use crate::{Histograms, Temporality};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint,
    NumberDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prodkit_metrics::{Distribution, Exemplar, Family, Kind, Point, Side, Snapshot, Unit, Value};

/// The request and how many data points it holds. `temporality` says what the snapshot is.
pub(crate) fn request(
    resource: &Resource,
    snapshot: &Snapshot,
    temporality: Temporality,
    histograms: Histograms,
) -> (ExportMetricsServiceRequest, u64) {
    let temporality = match temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative,
        Temporality::Delta => AggregationTemporality::Delta,
    };
    let time = nanos(snapshot.taken);
    let points = snapshot.families.iter().map(|family| family.points.len() as u64).sum();
    let scope_metrics = proto::ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: "prodkit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: (snapshot.families.iter())
            .map(|family| metric(family, time, temporality as i32, histograms))
            .collect(),
        schema_url: String::new(),
    };
    let resource_metrics = proto::ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![scope_metrics],
        schema_url: String::new(),
    };
    (ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }, points)
}

fn metric(family: &Family, time: u64, temporality: i32, histograms: Histograms) -> proto::Metric {
    let exponential = histograms == Histograms::Exponential && family.points.iter().all(is_exponential);
    let data = match family.kind {
        Kind::Counter => metric::Data::Sum(proto::Sum {
            data_points: family.points.iter().map(|point| number(point, time)).collect(),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(proto::Gauge {
            data_points: family.points.iter().map(|point| number(point, time)).collect(),
        }),
        Kind::Histogram if exponential => metric::Data::ExponentialHistogram(proto::ExponentialHistogram {
            data_points: family.points.iter().filter_map(|point| self::exponential(point, time)).collect(),
            aggregation_temporality: temporality,
        }),
        Kind::Histogram => metric::Data::Histogram(proto::Histogram {
            data_points: family.points.iter().filter_map(|point| histogram(point, time)).collect(),
            aggregation_temporality: temporality,
        }),
    };
    proto::Metric {
        name: family.name.to_string(),
        description: family.help.as_deref().unwrap_or_default().to_owned(),
        unit: family.unit.map(unit).unwrap_or_default().to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn number(point: &Point, time: u64) -> NumberDataPoint {
    let (value, start) = match point.value {
        // the wire has no unsigned number; a counter that large is none
        Value::Counter(n) => {
            (Some(number_data_point::Value::AsInt(i64::try_from(n).unwrap_or(i64::MAX))), point.start.into())
        }
        Value::Time(time) => {
            (Some(number_data_point::Value::AsDouble(time.as_secs_f64())), point.start.into())
        }
        Value::Gauge(n) => (Some(number_data_point::Value::AsDouble(n)), None),
        _ => (None, None),
    };
    NumberDataPoint {
        attributes: labels(point),
        start_time_unix_nano: start.map_or(0, nanos),
        time_unix_nano: time,
        value,
        ..NumberDataPoint::default()
    }
}

fn histogram(point: &Point, time: u64) -> Option<HistogramDataPoint> {
    let Value::Histogram(Distribution { bounds, counts, sum, count, exemplars, .. }) = &point.value else {
        return None;
    };
    Some(HistogramDataPoint {
        attributes: labels(point),
        start_time_unix_nano: nanos(point.start),
        time_unix_nano: time,
        count: *count,
        sum: Some(*sum),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.to_vec(),
        exemplars: exemplars.iter().map(self::exemplar).collect(),
        ..HistogramDataPoint::default()
    })
}

fn is_exponential(point: &Point) -> bool {
    matches!(&point.value, Value::Histogram(Distribution { exponential: Some(_), .. }))
}

fn exponential(point: &Point, time: u64) -> Option<ExponentialHistogramDataPoint> {
    let Value::Histogram(Distribution { sum, exponential: Some(buckets), exemplars, .. }) = &point.value
    else {
        return None;
    };
    let side = |side: &Side| Buckets { offset: side.offset, bucket_counts: side.counts.clone() };
    Some(ExponentialHistogramDataPoint {
        attributes: labels(point),
        start_time_unix_nano: nanos(point.start),
        time_unix_nano: time,
        // exactly what its own buckets add up to: the explicit ones may be a record ahead
        count: buckets.count(),
        sum: Some(*sum),
        scale: buckets.scale,
        zero_count: buckets.zero_count,
        zero_threshold: buckets.zero_threshold,
        positive: Some(side(&buckets.positive)),
        negative: Some(side(&buckets.negative)),
        exemplars: exemplars.iter().map(self::exemplar).collect(),
        ..ExponentialHistogramDataPoint::default()
    })
}

fn exemplar(exemplar: &Exemplar) -> proto::Exemplar {
    let Exemplar { at, context, .. } = exemplar;
    proto::Exemplar {
        time_unix_nano: nanos(*at),
        span_id: context.map(|context| context.span_id().to_u64().to_be_bytes().to_vec()).unwrap_or_default(),
        trace_id: context
            .map(|context| context.trace_id().to_u128().to_be_bytes().to_vec())
            .unwrap_or_default(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
        ..proto::Exemplar::default()
    }
}

fn labels(point: &Point) -> Vec<KeyValue> {
    point.labels.iter().map(|(name, value)| label(name, value)).collect()
}

/// Attributes that the semantic conventions have as whole numbers, where labels are text always.
const NUMBERS: [&str; 2] = ["http.response.status_code", "server.port"];

fn label(name: &str, value: &str) -> KeyValue {
    match value.parse() {
        Ok(number) if NUMBERS.contains(&name) => pair(name, any_value::Value::IntValue(number)),
        _ => text(name, value),
    }
}

/// The unit as [UCUM](https://ucum.org/ucum) writes it.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "1",
        Unit::Percent => "%",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Nanoseconds => "ns",
        Unit::Tebibytes => "TiBy",
        Unit::Gibibytes => "GiBy",
        Unit::Mebibytes => "MiBy",
        Unit::Kibibytes => "KiBy",
        Unit::Bytes => "By",
        Unit::TerabitsPerSecond => "Tbit/s",
        Unit::GigabitsPerSecond => "Gbit/s",
        Unit::MegabitsPerSecond => "Mbit/s",
        Unit::KilobitsPerSecond => "kbit/s",
        Unit::BitsPerSecond => "bit/s",
        Unit::CountPerSecond => "1/s",
    }
}
