//! The whole store as values, for exporters that do not speak Prometheus.

use crate::{Exemplar, Exponential};
use std::collections::HashMap;
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

/// Nothing yet, for [`Recorder::snapshot_into`](crate::Recorder::snapshot_into).
impl Default for Snapshot {
    fn default() -> Self {
        Self { taken: SystemTime::UNIX_EPOCH, families: Vec::new() }
    }
}

impl Snapshot {
    /// What was counted after `earlier`, an older snapshot of the same [`Recorder`](crate::Recorder): the difference for
    /// counters and histograms, and gauges as they are. What did not move is left out.
    ///
    /// A point starts where `earlier` was taken, or where its series came to be if that was later. Differences of
    /// consecutive snapshots add up to the last one: an exporter that sends differences takes the last snapshot *that
    /// arrived* as `earlier`, and so loses none. A series that expired and came back counts from its new start.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before: HashMap<_, _> = earlier
            .families
            .iter()
            .flat_map(|family| family.points.iter().map(|point| ((&*family.name, &*point.labels), point)))
            .collect();
        let families = self.families.iter().filter_map(|family| {
            let points = family.points.iter().filter_map(|point| {
                let before = before.get(&(&*family.name, &*point.labels));
                match before.filter(|before| before.start == point.start) {
                    Some(before) => point.since(before, earlier.taken),
                    None => Some(point.clone()),
                }
            });
            let points: Vec<Point> = points.collect();
            (!points.is_empty()).then(|| Family { points, ..family.clone() })
        });
        Self { taken: self.taken, families: families.collect() }
    }
}

/// One metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Family {
    /// The name as it was registered (`http.server.request.duration`), not as Prometheus shows it, unless
    /// [`Options::exported_as`](crate::Options::exported_as) gave it another.
    pub name: Arc<str>,
    /// The description, if there was one.
    pub help: Option<Arc<str>>,
    /// The unit, if one is known, as [UCUM](https://ucum.org/ucum) writes it.
    pub unit: Option<&'static str>,
    /// What it is; every point's value is of this kind.
    pub kind: Kind,
    /// Whether it is a gauge whose values may be added up: [`Exported::additive`](crate::Exported::additive) says so.
    pub additive: bool,
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

impl Point {
    fn since(&self, earlier: &Self, taken: SystemTime) -> Option<Self> {
        let value = match (&self.value, &earlier.value) {
            (Value::Counter(now), Value::Counter(then)) => {
                Value::Counter(now.checked_sub(*then).filter(|more| *more > 0)?)
            }
            (Value::Time(now), Value::Time(then)) => {
                Value::Time(now.checked_sub(*then).filter(|more| !more.is_zero())?)
            }
            (Value::Histogram(now), Value::Histogram(then)) => Value::Histogram(now.since(then, taken)?),
            // what a gauge stands at is no difference
            _ => return Some(self.clone()),
        };
        Some(Self { labels: Arc::clone(&self.labels), start: taken, value })
    }
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
    /// The same values in exponential buckets, if [`Options::exponential`](crate::Options::exponential) keeps them.
    pub exponential: Option<Exponential>,
    /// At most one per bucket, the last of each. They are not removed by being read.
    pub exemplars: Vec<Exemplar>,
}

impl Distribution {
    fn since(&self, earlier: &Self, taken: SystemTime) -> Option<Self> {
        let counts: Vec<u64> =
            self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect();
        let count = counts.iter().sum();
        if count == 0 {
            return None;
        }
        let exponential = match (&self.exponential, &earlier.exponential) {
            (Some(now), Some(then)) => Some(now.since(then)),
            (now, _) => now.clone(),
        };
        Some(Self {
            bounds: Arc::clone(&self.bounds),
            counts,
            sum: self.sum - earlier.sum,
            count,
            exponential,
            exemplars: self.exemplars.iter().filter(|exemplar| exemplar.at > taken).copied().collect(),
        })
    }
}
