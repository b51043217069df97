//! The whole store as values, for exporters that do not speak Prometheus.

use crate::Exemplar;
use metrics::Unit;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the facade knows these three and an exporter must handle each")]
pub enum Kind {
    /// It only goes up, and starts at zero.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts values by size.
    Histogram,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Every metric at one moment: cumulative values, in a stable order.
///
/// The values are read one after the other while recording goes on, so two of them may be some microseconds apart.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken, by the wall clock.
    pub taken: SystemTime,
    /// The metrics, sorted by the name Prometheus shows them under. None is without points.
    pub families: Vec<Family>,
}

/// One metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Family {
    /// The name as it was registered (`http.server.request.duration`), not as Prometheus shows it.
    pub name: Arc<str>,
    /// The description, if there was one.
    pub help: Option<Arc<str>>,
    /// The unit, if one was described.
    pub unit: Option<Unit>,
    /// What it is; every point's value is of this kind.
    pub kind: Kind,
    /// Its series, sorted by labels.
    pub points: Vec<Point>,
}

/// One series of a metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Point {
    /// Names and values as they were given, sorted by name. The series that takes what the cardinality cap turned
    /// away has the one label `otel.metric.overflow` = `true`.
    pub labels: Arc<[(String, String)]>,
    /// Since when it counts: the moment the series came to be.
    pub start: SystemTime,
    /// What it stands at.
    pub value: Value,
}

/// The value of a [`Point`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge. May be any number, infinite and NaN too.
    Gauge(f64),
    /// Of a histogram with explicit bounds.
    Histogram(Distribution),
    /// Of a counter of time.
    Time(Duration),
}

/// What a histogram recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Distribution {
    /// Upper, inclusive bounds, increasing, without the last, infinite one.
    pub bounds: Arc<[f64]>,
    /// How many values fell into each bucket, not cumulative: one more than there are bounds.
    pub counts: Vec<u64>,
    /// The sum of all values. Finite unless it grew past the largest number.
    pub sum: f64,
    /// How many values there were: exactly the sum of `counts`.
    pub count: u64,
    /// At most one per bucket, the last of each. They are not removed by being read: an exporter that sends deltas
    /// compares [`Exemplar::at`] with its last export.
    pub exemplars: Vec<Exemplar>,
}
