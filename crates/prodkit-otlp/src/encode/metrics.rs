//! Metrics: the points of one snapshot, or of the difference of two.
//!
//! Written as they are read, from `opentelemetry/proto/metrics/v1/metrics.proto`, whose field numbers these are.

use super::{nanos, scope};
use crate::wire::{self, Any, bytes, fixed64, framed, head, message, packed64, present64, sint, uint};
use crate::{Histograms, Temporality};
use prodkit_metrics::{Distribution, Exemplar, Exponential, Family, Kind, Point, Side, Snapshot, Value};

/// A request and how many data points it holds.
pub(crate) struct Request {
    pub(crate) body: Vec<u8>,
    pub(crate) points: u64,
}

/// How points are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What the snapshot is.
    pub(crate) temporality: Temporality,
    pub(crate) histograms: Histograms,
}

/// An `ExportMetricsServiceRequest`. `length` is about how long it will be.
pub(crate) fn request(resource: &[u8], snapshot: &Snapshot, shape: Shape, length: usize) -> Request {
    let time = nanos(snapshot.taken);
    let mut body = Vec::with_capacity(length + length / 8);
    for family in &snapshot.families {
        message(&mut body, 2, |out| metric(out, family, time, shape));
    }
    // what is around them, now that their length is known
    let mut scoped = Vec::with_capacity(resource.len() + 128);
    scope(&mut scoped, "prodkit");
    let name = scoped.len();
    let metrics = name + body.len();
    let all = framed(1, resource.len()) + framed(2, metrics);
    head(&mut scoped, 1, all);
    head(&mut scoped, 1, resource.len());
    scoped.extend_from_slice(resource);
    head(&mut scoped, 2, metrics);
    // the scope comes last of these
    scoped.rotate_left(name);
    body.splice(0..0, scoped);
    Request { body, points: snapshot.families.iter().map(|family| family.points.len() as u64).sum() }
}

fn metric(out: &mut Vec<u8>, family: &Family, time: u64, shape: Shape) {
    bytes(out, 1, family.name.as_bytes());
    bytes(out, 2, family.help.as_deref().unwrap_or_default().as_bytes());
    bytes(out, 3, family.unit.unwrap_or_default().as_bytes());
    let exponential = shape.histograms == Histograms::Exponential && family.points.iter().all(is_exponential);
    let points = &family.points;
    let (field, point): (_, fn(&mut Vec<u8>, &Point, u64)) = match family.kind {
        Kind::Gauge if family.additive => (7, sum),
        Kind::Gauge => (5, gauge),
        Kind::Counter => (7, counter),
        Kind::Histogram if exponential => (10, self::exponential),
        Kind::Histogram => (9, histogram),
    };
    message(out, field, |out| {
        for each in points {
            message(out, 1, |out| point(out, each, time));
        }
        // those that go down as well as up have no differences
        if field != 5 {
            let cumulative = family.additive || shape.temporality == Temporality::Cumulative;
            uint(out, 2, if cumulative { 2 } else { 1 });
        }
        uint(out, 3, u64::from(family.kind == Kind::Counter));
    });
}

fn counter(out: &mut Vec<u8>, point: &Point, time: u64) {
    fixed64(out, 2, nanos(point.start));
    fixed64(out, 3, time);
    match point.value {
        // the wire has no unsigned number; a counter that large is none
        Value::Counter(n) => present64(out, 6, n.min(i64::MAX.cast_unsigned())),
        Value::Time(time) => present64(out, 4, time.as_secs_f64().to_bits()),
        _ => {}
    }
    attributes(out, 7, point);
}

fn gauge(out: &mut Vec<u8>, point: &Point, time: u64) {
    fixed64(out, 3, time);
    if let Value::Gauge(value) = point.value {
        present64(out, 4, value.to_bits());
    }
    attributes(out, 7, point);
}

/// A gauge that may be added up. What it counts is whole nearly always, and then so is its number.
fn sum(out: &mut Vec<u8>, point: &Point, time: u64) {
    const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    fixed64(out, 2, nanos(point.start));
    fixed64(out, 3, time);
    match point.value {
        Value::Gauge(value) if value.trunc() == value && value.abs() <= EXACT => {
            present64(out, 6, (value as i64).cast_unsigned());
        }
        Value::Gauge(value) => present64(out, 4, value.to_bits()),
        _ => {}
    }
    attributes(out, 7, point);
}

fn histogram(out: &mut Vec<u8>, point: &Point, time: u64) {
    let Value::Histogram(Distribution { bounds, counts, sum, count, exemplars, .. }) = &point.value else {
        return;
    };
    fixed64(out, 2, nanos(point.start));
    fixed64(out, 3, time);
    fixed64(out, 4, *count);
    present64(out, 5, sum.to_bits());
    packed64(out, 6, counts.iter().copied());
    packed64(out, 7, bounds.iter().map(|bound| bound.to_bits()));
    exemplars.iter().for_each(|last| message(out, 8, |out| exemplar(out, last)));
    attributes(out, 9, point);
}

fn is_exponential(point: &Point) -> bool {
    matches!(&point.value, Value::Histogram(Distribution { exponential: Some(_), .. }))
}

fn exponential(out: &mut Vec<u8>, point: &Point, time: u64) {
    let Value::Histogram(Distribution { sum, exponential: Some(buckets), exemplars, .. }) = &point.value
    else {
        return;
    };
    attributes(out, 1, point);
    fixed64(out, 2, nanos(point.start));
    fixed64(out, 3, time);
    let Exponential { scale, zero_count, zero_threshold, positive, negative, .. } = buckets;
    // exactly what its own buckets add up to: the explicit ones may be a record ahead
    fixed64(out, 4, buckets.count());
    present64(out, 5, sum.to_bits());
    sint(out, 6, *scale);
    fixed64(out, 7, *zero_count);
    message(out, 8, |out| side(out, positive));
    message(out, 9, |out| side(out, negative));
    exemplars.iter().for_each(|last| message(out, 11, |out| exemplar(out, last)));
    fixed64(out, 14, zero_threshold.to_bits());
}

fn side(out: &mut Vec<u8>, side: &Side) {
    sint(out, 1, side.offset);
    if !side.counts.is_empty() {
        message(out, 2, |out| side.counts.iter().for_each(|count| wire::varint(out, *count)));
    }
}

fn exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let Exemplar { value, at, context, .. } = exemplar;
    fixed64(out, 2, nanos(*at));
    present64(out, 3, value.to_bits());
    if let Some(context) = context {
        bytes(out, 4, &context.span_id().to_u64().to_be_bytes());
        bytes(out, 5, &context.trace_id().to_u128().to_be_bytes());
    }
}

/// Attributes that the semantic conventions have as whole numbers, where labels are text always.
const NUMBERS: [&str; 2] = ["http.response.status_code", "server.port"];

fn attributes(out: &mut Vec<u8>, field: u32, point: &Point) {
    for (name, value) in &*point.labels {
        let number = if NUMBERS.contains(&name.as_str()) { value.parse().ok() } else { None };
        wire::key_value(out, field, name, number.map_or(Any::Str(value), Any::I64), None);
    }
}

#[cfg(test)]
mod tests;
