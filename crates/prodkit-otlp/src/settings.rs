//! What is exported, where to and within which bounds.

mod env;
mod headers;
mod limits;
mod tls;

pub use env::Warning;
pub use headers::{Headers, InvalidHeader};
pub use limits::Limits;
pub use tls::Tls;

use crate::Sampling;
use std::fmt;
use std::time::Duration;

/// Everything that can be set about exporting. [`Settings::default`] exports nothing: there is no endpoint.
///
/// ```
/// use prodkit_otlp::Settings;
///
/// let mut settings = Settings::to("http://localhost:4318");
/// settings.logs.enabled = true;
/// settings.sampling.ratio = 1.0;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The collector, for all signals that name no endpoint of their own. `None` is off. Default: `None`.
    ///
    /// A URL (`http://host:4318`, to which `v1/traces` and so on is added) or a bare `host:port`. Port 4317 means gRPC
    /// unless [`protocol`](Self::protocol) says otherwise. `https` needs the feature `tls` of this crate.
    pub endpoint: Option<String>,
    /// Whether a bare `host:port` is spoken to in plain text. Default: `None`, which means plain text unless
    /// [`tls`](Self::tls) names a file.
    pub insecure: Option<bool>,
    /// The files behind connections over TLS. Default: none, and the authorities of the system are believed.
    pub tls: Tls,
    /// How the collector is spoken to. Default: `None`, which means gRPC for port 4317 and HTTP for every other.
    pub protocol: Option<Protocol>,
    /// Headers (for gRPC: metadata) of each request. Default: none.
    pub headers: Headers,
    /// How a request's body is compressed. Default: not at all.
    pub compression: Compression,
    /// How long one attempt to deliver may take, connecting included. Default: 10 s.
    ///
    /// At exit the budget of [`Otlp::shutdown`](crate::Otlp::shutdown) cuts it short.
    pub timeout: Duration,
    /// What happens after an attempt that may be repeated.
    pub retry: Retry,
    /// Spans.
    pub traces: Signal,
    /// Metrics. Of their [`Batch`] only the timeout is used: a set of metrics is sent whole.
    pub metrics: Signal,
    /// Log records. Off unless asked for: standard output is usually collected already, and every line would be stored
    /// twice.
    pub logs: Signal,
    /// Time between two exports of metrics. Default: 15 s (the specification's is 60 s).
    pub metric_interval: Duration,
    /// From when on counters and histograms count. Default: from their beginning.
    pub temporality: Temporality,
    /// The buckets of histograms. Default: those with explicit bounds.
    ///
    /// Exponential ones have to be kept by the recorder ([`prodkit_metrics::Options::exponential`]); a histogram that has
    /// none is exported with explicit bounds.
    pub histograms: Histograms,
    /// How much of a span and of a log record is kept.
    pub limits: Limits,
    /// Which new traces are recorded. Default: a tenth of them, and all those the caller records.
    pub sampling: Sampling,
}

/// What one signal does differently.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Signal {
    /// Whether it is exported at all. Default: traces and metrics are, logs are not.
    pub enabled: bool,
    /// Where to. Default: to the collector.
    pub exporter: Exporter,
    /// Its own endpoint, a URL that is used as it is or a bare `host:port`. Default: the common one.
    pub endpoint: Option<String>,
    /// Its own word on a bare `host:port`. Default: the common one.
    pub insecure: Option<bool>,
    /// Its own files, each in place of the common one. Default: the common ones.
    pub tls: Tls,
    /// Its own protocol. Default: the common one.
    pub protocol: Option<Protocol>,
    /// Its own headers, instead of the common ones. Default: the common ones.
    pub headers: Option<Headers>,
    /// Its own compression. Default: the common one.
    pub compression: Option<Compression>,
    /// Its own timeout. Default: the common one.
    pub timeout: Option<Duration>,
    /// How items are queued and gathered.
    pub batch: Batch,
}

/// How items wait for their export. Everything here is a bound: what does not fit is dropped and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Items in one request, at most. Default: 512.
    pub size: usize,
    /// How long an item waits for others to fill its request. Default: 5 s.
    pub delay: Duration,
    /// Items waiting, at most, those in flight not counted. Default: 2048.
    pub queue: usize,
    /// The memory that waiting items may take, roughly, in bytes. Default: 8 MiB.
    pub bytes: usize,
    /// How long one batch may take with all its attempts. Default: as long as [`Retry::max_elapsed_time`] says.
    pub timeout: Option<Duration>,
}

/// Repeating what failed in a way that may pass: no connection, no answer, or status 429, 502, 503 or 504.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Default: on.
    pub enabled: bool,
    /// How long a batch is tried for, from its first attempt on, before it counts as failed. Default: 1 minute.
    ///
    /// The first attempt has its [`timeout`](Settings::timeout), even where that is longer.
    /// [`Batch::timeout`] and, for metrics, [`Settings::metric_interval`] bound it too.
    pub max_elapsed_time: Duration,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/gRPC; needs the feature `grpc` of this crate.
    Grpc,
    /// OTLP/HTTP with binary protobuf bodies.
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies, for collectors that take nothing else: several times the work.
    HttpJson,
}

/// Where a signal is exported to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exporter {
    /// To the collector, over OTLP.
    #[default]
    Otlp,
    /// To standard output, each request as one line of OTLP's JSON. For looking at it; needs no endpoint.
    Console,
}

/// How the body of a request is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// With gzip.
    Gzip,
    /// Not.
    #[default]
    None,
}

/// From when on exported counters and histograms count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Temporality {
    /// From the beginning of each series: an export that is lost is made up for by the next.
    #[default]
    Cumulative,
    /// From the last export that was delivered: the difference of one that was not is part of the next. A collector that took
    /// an export and could not say so counts it twice.
    Delta,
}

/// The buckets of exported histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Histograms {
    /// With the bounds that were chosen for each.
    #[default]
    Explicit,
    /// Base-2 exponential ones, within 4.5 % of each value.
    Exponential,
}

impl Settings {
    /// The defaults, with a collector.
    #[must_use]
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()), ..Self::default() }
    }

    /// Whether anything would be exported.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let on = |signal: &Signal| {
            let somewhere = signal.exporter == Exporter::Console || self.endpoint.is_some();
            signal.enabled && (somewhere || signal.endpoint.is_some())
        };
        on(&self.traces) || on(&self.metrics) || on(&self.logs)
    }
}

/// Longer than any of this can last, and short enough to be added to any moment.
pub(crate) const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl Settings {
    /// The same with times that a clock can reach: a year is as good as for ever.
    pub(crate) fn within_reach(mut self) -> Self {
        let Self { timeout, retry, traces, metrics, logs, metric_interval, .. } = &mut self;
        let mut times = vec![timeout, metric_interval, &mut retry.max_elapsed_time];
        for signal in [traces, metrics, logs] {
            times.push(&mut signal.batch.delay);
            times.extend(&mut signal.timeout);
            times.extend(&mut signal.batch.timeout);
        }
        times.into_iter().for_each(|time| *time = FAR.min(*time));
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            insecure: None,
            tls: Tls::default(),
            protocol: None,
            headers: Headers::default(),
            compression: Compression::default(),
            timeout: opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
            retry: Retry::default(),
            traces: Signal::new(true),
            metrics: Signal::new(true),
            logs: Signal::new(false),
            metric_interval: Duration::from_secs(15),
            temporality: Temporality::default(),
            histograms: Histograms::default(),
            limits: Limits::default(),
            sampling: Sampling::default(),
        }
    }
}

impl Signal {
    fn new(enabled: bool) -> Self {
        Self {
            enabled,
            exporter: Exporter::default(),
            endpoint: None,
            insecure: None,
            tls: Tls::default(),
            protocol: None,
            headers: None,
            compression: None,
            timeout: None,
            batch: Batch::default(),
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { size: 512, delay: Duration::from_secs(5), queue: 2048, bytes: 8 << 20, timeout: None }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { enabled: true, max_elapsed_time: Duration::from_secs(60) }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        })
    }
}
