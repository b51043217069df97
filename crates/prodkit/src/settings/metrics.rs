//! `metrics`: what is counted.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::at_least_one;

/// The metric store.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Metrics {
    /// Series of one metric; what comes beyond is summed into one overflow series. Default: 2000.
    pub(crate) max_series: NonZeroUsize,
    /// Whether histograms count in exponential buckets as well: for a Prometheus that asks for native histograms.
    /// Default: false.
    pub(crate) native_histograms: bool,
    /// Which values histograms remember with their trace, for `/metrics` and OTLP. Also `OTEL_METRICS_EXEMPLAR_FILTER`.
    /// Default: trace_based.
    pub(crate) exemplars: Exemplars,
    /// A series that nothing has used for so long is forgotten at the next scrape. Default: none; all are kept.
    #[cfg_attr(feature = "schema", schemars(example = &"1h"))]
    pub(crate) expire_idle: Option<Duration>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            max_series: at_least_one(2_000),
            native_histograms: false,
            exemplars: Exemplars::default(),
            expire_idle: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exemplars {
    /// Those of sampled traces.
    #[default]
    TraceBased,
    /// All, with their trace where there is one.
    AlwaysOn,
    /// None.
    AlwaysOff,
}
