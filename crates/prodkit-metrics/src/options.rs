//! What a [`Recorder`](crate::Recorder) may be told before it starts.

use crate::histogram::Keeps;
use crate::{Buckets, ExemplarFilter, Exported};
use std::collections::HashMap;
use std::time::Duration;

/// How a [`Recorder`](crate::Recorder) keeps and shows its metrics.
///
/// ```
/// use prodkit_metrics::{Buckets, Options, Recorder, Select};
///
/// let dollars = Buckets::new(&[10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0])?;
/// let recorder = Recorder::new(Options::new().buckets_for(Select::suffix("_dollars"), dollars).max_series(500));
/// # Ok::<(), prodkit_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    buckets: Buckets,
    overrides: Vec<(Select, Buckets)>,
    pub(crate) max_series: usize,
    pub(crate) max_metrics: usize,
    pub(crate) keeps: Keeps,
    pub(crate) unit_suffix: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) exported: HashMap<Box<str>, Exported>,
    pub(crate) unshown: HashMap<Box<str>, Box<str>>,
}

impl Options {
    /// The defaults: [`Buckets::default`], 2,000 series per metric, 2,000 metrics, exemplars of sampled traces, unit suffixes on,
    /// no exponential buckets, nothing ever expires.
    pub fn new() -> Self {
        Self {
            buckets: Buckets::default(),
            overrides: Vec::new(),
            max_series: 2000,
            max_metrics: 2000,
            keeps: Keeps::default(),
            unit_suffix: true,
            idle: None,
            exported: HashMap::new(),
            unshown: HashMap::new(),
        }
    }

    /// The buckets of every histogram that no [`buckets_for`](Self::buckets_for) selects.
    pub fn buckets(mut self, buckets: Buckets) -> Self {
        self.buckets = buckets;
        self
    }

    /// The buckets of the histograms `select` names. An exact name wins over prefixes and suffixes; among those
    /// the one given first wins.
    pub fn buckets_for(mut self, select: Select, buckets: Buckets) -> Self {
        self.overrides.push((select, buckets));
        self
    }

    /// How many label sets one metric may have, 2,000 by default, as the OpenTelemetry SDK specification has it.
    ///
    /// Whatever comes after them is summed into one more series, labelled `otel_metric_overflow="true"`.
    pub fn max_series(mut self, limit: usize) -> Self {
        self.max_series = limit;
        self
    }

    /// How many metric names there may be, 2,000 by default. Later names are refused and counted.
    pub fn max_metrics(mut self, limit: usize) -> Self {
        self.max_metrics = limit;
        self
    }

    /// Which values histograms remember, the last one of each bucket. By default those recorded inside a sampled trace.
    ///
    /// Unless there are none, this costs every record one look at the current trace and every series about 100 bytes per
    /// bucket; [`ExemplarFilter::AlwaysOn`] costs every record a look at the clock and a lock that is never waited for.
    pub fn exemplars(mut self, filter: ExemplarFilter) -> Self {
        self.keeps.exemplars = filter;
        self
    }

    /// Whether histograms count in exponential buckets too: Prometheus' native histograms, for scrapers that ask for
    /// [`Format::Protobuf`](crate::Format::Protobuf), and [`Distribution::exponential`](crate::Distribution::exponential)
    /// for exporters. Off by default.
    ///
    /// On costs every record one more atomic addition, and every series half a KiB for each eight powers of two its
    /// values fall into, 12 KiB at most for either sign.
    pub fn exponential(mut self, on: bool) -> Self {
        self.keeps.exponential = on;
        self
    }

    /// Whether a described unit is made part of the Prometheus name (`request_size` in bytes is shown as
    /// `request_size_bytes`), as the OpenTelemetry specification for Prometheus has it. On by default; a name that
    /// has its unit already is left alone.
    pub fn unit_suffix(mut self, on: bool) -> Self {
        self.unit_suffix = on;
        self
    }

    /// Forgets a series that was neither looked up nor held by any handle for this long, as seen by the scrapes and
    /// snapshots. Off by default.
    ///
    /// A series that comes back after that starts at zero, which Prometheus reads as a restart. A series whose
    /// handle somebody keeps never expires, so a kept handle is never disconnected.
    pub fn expire_idle(mut self, after: Duration) -> Self {
        self.idle = Some(after);
        self
    }

    /// Shows the metric that is registered as `name` otherwise in snapshots. The text formats do not change.
    pub fn exported_as(mut self, name: impl Into<Box<str>>, exported: Exported) -> Self {
        self.exported.insert(name.into(), exported);
        self
    }

    /// Leaves `label` out of the metric that is registered as `name` in the formats of Prometheus: series that differ in
    /// nothing else are shown as one, which is their sum. Snapshots have each of them with the label. None by default; one
    /// label a metric.
    ///
    /// For what an exporter needs and dashboards do not have: recorded once, it costs a record nothing. A series that is
    /// dropped by [`expire_idle`](Self::expire_idle) is missing in the sum from then on.
    pub fn shown_without(mut self, name: impl Into<Box<str>>, label: impl Into<Box<str>>) -> Self {
        self.unshown.insert(name.into(), label.into());
        self
    }

    /// The buckets for a histogram under its own name or under its sanitised one.
    pub(crate) fn buckets_of(&self, raw: &str, clean: &str) -> &Buckets {
        let mut loose = None;
        for (select, buckets) in &self.overrides {
            if select.matches(raw) || select.matches(clean) {
                if select.is_exact() {
                    return buckets;
                }
                loose.get_or_insert(buckets);
            }
        }
        loose.unwrap_or(&self.buckets)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Which metrics an option is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select(Part);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Whole(String),
    Prefix(String),
    Suffix(String),
}

impl Select {
    /// The metric of this name.
    pub fn name(name: impl Into<String>) -> Self {
        Self(Part::Whole(name.into()))
    }

    /// Every metric whose name starts like this.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self(Part::Prefix(prefix.into()))
    }

    /// Every metric whose name ends like this.
    pub fn suffix(suffix: impl Into<String>) -> Self {
        Self(Part::Suffix(suffix.into()))
    }

    fn is_exact(&self) -> bool {
        matches!(self.0, Part::Whole(_))
    }

    fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Part::Whole(whole) => name == whole,
            Part::Prefix(prefix) => name.starts_with(prefix.as_str()),
            Part::Suffix(suffix) => name.ends_with(suffix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_wins_then_the_first() {
        let [a, b, c] = [1.0, 2.0, 3.0].map(|bound| Buckets::new(&[bound]).unwrap());
        let options = Options::new()
            .buckets_for(Select::prefix("order_"), a.clone())
            .buckets_for(Select::suffix("_seconds"), b.clone())
            .buckets_for(Select::name("order.wait"), c.clone());
        for (raw, clean, expect) in [
            ("order_wait_seconds", "order_wait_seconds", &a),
            ("wait_seconds", "wait_seconds", &b),
            ("order.wait", "order_wait", &c),
            ("other", "other", &Buckets::default()),
        ] {
            assert_eq!(options.buckets_of(raw, clean), expect, "{raw}");
        }
    }
}
