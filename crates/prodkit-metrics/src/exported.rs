//! What a metric is called where exporters read it.

use std::fmt;
use std::sync::Arc;

/// Labels into labels.
pub(crate) type Relabel = fn(&[(String, String)]) -> Vec<(String, String)>;

/// How a metric looks in a [`Snapshot`](crate::Snapshot), where that is not how it was registered: a service may keep the
/// names its dashboards know on `/metrics`, and speak the semantic conventions over OTLP.
///
/// ```
/// use prodkit_metrics::{Exported, Options, Recorder};
///
/// let exported = Exported::named("http.server.request.duration").labels(|labels| {
///     let renamed = labels.iter().map(|(name, value)| match name.as_str() {
///         "method" => ("http.request.method".to_owned(), value.clone()),
///         _ => (name.clone(), value.clone()),
///     });
///     renamed.collect()
/// });
/// let recorder = Recorder::new(Options::new().exported_as("http_request_duration_seconds", exported));
///
/// recorder.histogram("http_request_duration_seconds", &[("method", "GET")]).record(0.2);
/// let family = &recorder.snapshot().families[0];
/// assert_eq!(&*family.name, "http.server.request.duration");
/// assert_eq!(family.points[0].labels[0].0, "http.request.method");
/// ```
#[derive(Clone)]
pub struct Exported {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) relabel: Option<Relabel>,
    pub(crate) unit: Option<&'static str>,
    pub(crate) additive: bool,
}

impl Exported {
    /// Under this name, with its labels as they are.
    pub fn named(name: impl Into<Box<str>>) -> Self {
        Self { name: Some(name.into().into()), ..Self::hidden() }
    }

    /// Not at all: what it says is in another metric already.
    pub fn hidden() -> Self {
        Self { name: None, relabel: None, unit: None, additive: false }
    }

    /// With the labels that `relabel` makes of its own, which come sorted by name. It is called once for each series. Two
    /// series should not become one.
    #[must_use]
    #[expect(clippy::type_complexity, reason = "an alias would hide what to write")]
    pub fn labels(mut self, relabel: fn(&[(String, String)]) -> Vec<(String, String)>) -> Self {
        self.relabel = Some(relabel);
        self
    }

    /// In this unit, written as [UCUM](https://ucum.org/ucum) has it (`By`, `{thread}`), in place of the one it was described
    /// with.
    #[must_use]
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// As a gauge whose values may be added up, over its series and over processes: what OpenTelemetry calls an up-down
    /// counter. Of another metric it changes nothing.
    #[must_use]
    pub fn additive(mut self) -> Self {
        self.additive = true;
        self
    }
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported").field("name", &self.name).finish_non_exhaustive()
    }
}
