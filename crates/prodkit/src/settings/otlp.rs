//! `otlp`: what is pushed, and where to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use prodkit_live::Live;
use prodkit_secrets::Secret;
use serde::Deserialize;

use super::checked;

/// Where traces, metrics and logs are pushed; nothing is, unless an endpoint is set.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Otlp {
    /// The collector: a URL, or `host:port`. Also `OTEL_EXPORTER_OTLP_ENDPOINT`. Default: none, and nothing is exported.
    #[cfg_attr(feature = "schema", schemars(example = &"http://localhost:4318"))]
    pub(crate) endpoint: Option<String>,
    /// How the collector is spoken to. Also `OTEL_EXPORTER_OTLP_PROTOCOL`. Default: grpc for port 4317, else http/protobuf.
    pub(crate) protocol: Option<OtlpProtocol>,
    /// Headers of each request, for gRPC its metadata, each written out or as where it is (`env:`, `file:`; no `vault:`, which
    /// is asked later than this is needed). Also `OTEL_EXPORTER_OTLP_HEADERS`. Default: none.
    #[cfg_attr(feature = "schema", serde(serialize_with = "no_headers"))]
    pub(crate) headers: BTreeMap<String, Secret>,
    /// How what is sent is compressed. Also `OTEL_EXPORTER_OTLP_COMPRESSION`. Default: none.
    pub(crate) compression: OtlpCompression,
    /// Certificates towards a collector whose endpoint begins with https. Needs the feature `tls`.
    pub(crate) tls: OtlpTls,
    /// For one attempt to deliver, connecting included. Also `OTEL_EXPORTER_OTLP_TIMEOUT`, in ms. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    /// What happens after an attempt that may be repeated: no connection, no answer, or status 429, 502, 503 or 504.
    pub(crate) retry: OtlpRetry,
    /// Whether traces are exported. Default: true.
    pub(crate) traces: bool,
    /// Whether metrics are exported; `/metrics` has them in any case. Default: true.
    pub(crate) metrics: bool,
    /// Whether log lines are exported, those of requests and of panics among them. Default: false, because standard output
    /// is usually collected already.
    pub(crate) logs: bool,
    /// The share of new traces to record, 0 to 1; those of callers who decided keep their decision. Takes effect without a
    /// restart. Default: 0.1.
    pub(crate) sampling_ratio: Live<SamplingRatio>,
    /// Whether the span of a request that failed is sent, though its trace is not sampled. It says so. Default: true.
    pub(crate) keep_errors: bool,
    /// From how long on a request counts as slow, and its span is sent, though its trace is not sampled. It says so.
    /// Default: 1s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) keep_slower_than: Duration,
    /// From one export of metrics to the next. Also `OTEL_METRIC_EXPORT_INTERVAL`, in ms. Default: 15s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) metric_interval: Duration,
    /// From when on exported counters and histograms count: from their beginning, or from the last export that arrived. Also
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. Default: cumulative.
    pub(crate) temporality: OtlpTemporality,
    /// The buckets of exported histograms: those that were chosen for each, or exponential ones. Also
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`. Default: explicit.
    pub(crate) histograms: OtlpHistograms,
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            headers: BTreeMap::new(),
            compression: OtlpCompression::default(),
            tls: OtlpTls::default(),
            timeout: Duration::from_secs(10),
            retry: OtlpRetry::default(),
            traces: true,
            metrics: true,
            logs: false,
            sampling_ratio: Live::fixed(SamplingRatio(0.1)),
            keep_errors: true,
            keep_slower_than: Duration::from_secs(1),
            metric_interval: Duration::from_secs(15),
            temporality: OtlpTemporality::default(),
            histograms: OtlpHistograms::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[cfg_attr(feature = "schema", schemars(with = "f64", extend("minimum" = 0, "maximum" = 1)))]
#[serde(try_from = "f64")]
pub(crate) struct SamplingRatio(pub(crate) f64);

impl TryFrom<f64> for SamplingRatio {
    type Error = &'static str;

    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err("a ratio is between 0 and 1") }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
pub(crate) enum OtlpProtocol {
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    #[serde(rename = "http/json")]
    HttpJson,
    #[serde(rename = "grpc")]
    Grpc,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum OtlpTemporality {
    #[default]
    Cumulative,
    Delta,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum OtlpHistograms {
    #[default]
    Explicit,
    Exponential,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum OtlpCompression {
    Gzip,
    #[default]
    None,
}

/// Files, which are followed: what they hold next is for the next export.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct OtlpTls {
    /// A file with the authorities of collectors, PEM. Also `OTEL_EXPORTER_OTLP_CERTIFICATE`. Default: those of the system, as
    /// they are at the start.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/otlp/ca.crt"))]
    pub(crate) ca: Option<PathBuf>,
    /// A file with a certificate for collectors that ask for one, and the chain behind it, PEM. Also
    /// `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/otlp/tls.crt"))]
    pub(crate) cert: Option<PathBuf>,
    /// A file with its private key, PEM. Also `OTEL_EXPORTER_OTLP_CLIENT_KEY`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/otlp/tls.key"))]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct OtlpRetry {
    /// Whether it is tried again. Default: true.
    pub(crate) enabled: bool,
    /// From the first attempt until it counts as failed. Default: 1m.
    pub(crate) max_elapsed_time: Duration,
}

impl Default for OtlpRetry {
    fn default() -> Self {
        Self { enabled: true, max_elapsed_time: Duration::from_secs(60) }
    }
}

/// By default there are none, which is all that is ever serialized.
#[cfg(feature = "schema")]
fn no_headers<S: serde::Serializer>(_: &BTreeMap<String, Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(std::iter::empty::<(String, String)>())
}
