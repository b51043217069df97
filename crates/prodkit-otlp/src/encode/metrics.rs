//! Metrics: cumulative points of one snapshot.

use super::{nanos, text};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, AggregationTemporality, HistogramDataPoint, NumberDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prodkit_metrics::{Distribution, Exemplar, Family, Kind, Point, Snapshot, Unit, Value};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// The request and how many data points it holds.
pub(crate) fn request(resource: &Resource, snapshot: &Snapshot) -> (ExportMetricsServiceRequest, u64) {
    let time = nanos(snapshot.taken);
    let points = snapshot.families.iter().map(|family| family.points.len() as u64).sum();
    let scope_metrics = proto::ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: "prodkit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: snapshot.families.iter().map(|family| metric(family, time)).collect(),
        schema_url: String::new(),
    };
    let resource_metrics = proto::ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![scope_metrics],
        schema_url: String::new(),
    };
    (ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }, points)
}

fn metric(family: &Family, time: u64) -> proto::Metric {
    let data = match family.kind {
        Kind::Counter => metric::Data::Sum(proto::Sum {
            data_points: family.points.iter().map(|point| number(point, time)).collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(proto::Gauge {
            data_points: family.points.iter().map(|point| number(point, time)).collect(),
        }),
        Kind::Histogram => metric::Data::Histogram(proto::Histogram {
            data_points: family.points.iter().filter_map(|point| histogram(point, time)).collect(),
            aggregation_temporality: CUMULATIVE,
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

fn exemplar(exemplar: &Exemplar) -> proto::Exemplar {
    proto::Exemplar {
        time_unix_nano: nanos(exemplar.at),
        span_id: exemplar.context.span_id().to_u64().to_be_bytes().to_vec(),
        trace_id: exemplar.context.trace_id().to_u128().to_be_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
        ..proto::Exemplar::default()
    }
}

fn labels(point: &Point) -> Vec<KeyValue> {
    point.labels.iter().map(|(name, value)| text(name, value)).collect()
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
