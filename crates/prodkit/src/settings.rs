//! The sections of the configuration that belong to prodkit. Every key has a default that boots, and takes effect.

mod checked;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use prodkit_config::{Bytes, duration};
use prodkit_live::Live;
use prodkit_log::Filter;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::filter;

/// The top-level names an app's own configuration may not take, unless it declares the section itself.
pub(crate) const SECTIONS: &[&str] = &[
    "service", "server", "admin", "health", "shutdown", "log", "otlp", "metrics", "secrets", "config",
    "runtime",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) service: Service,
    pub(crate) server: Server,
    pub(crate) admin: Admin,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
    pub(crate) log: Log,
    pub(crate) otlp: Otlp,
    pub(crate) metrics: Metrics,
    pub(crate) config: Config,
    pub(crate) runtime: Runtime,
}

/// Who this service is, in telemetry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) namespace: Option<String>,
    /// `deployment.environment.name`.
    pub(crate) environment: Option<String>,
}

/// The main port.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// From the first byte of a request to the start of its response.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    /// For a connection to send its first byte.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) first_byte_timeout: Duration,
    /// For the whole head of a request.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) header_timeout: Duration,
    /// For a request's body.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) read_timeout: Duration,
    /// For a client to take what was written.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) write_timeout: Duration,
    /// Between two requests of one connection.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) idle_timeout: Duration,
    pub(crate) max_header_size: Bytes,
    pub(crate) max_body_size: Bytes,
    pub(crate) max_connections: NonZeroUsize,
    /// Requests worked on at once; one more is answered 503.
    pub(crate) max_in_flight: NonZeroUsize,
    /// The probes on the main port too.
    pub(crate) probes: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8080,
            timeout: Duration::from_secs(30),
            first_byte_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            max_header_size: Bytes::kibi(32),
            max_body_size: Bytes::mebi(2),
            max_connections: at_least_one(10_000),
            max_in_flight: at_least_one(1_000),
            probes: true,
        }
    }
}

/// The port for probes, metrics and operators.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Admin {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What lies beyond probes and metrics takes this, as `Authorization: Bearer …`. Without one it is there only where
    /// the host is a loopback address.
    pub(crate) token: Option<Token>,
    /// What lies beyond probes and metrics may be read by everyone who reaches the port.
    pub(crate) public: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { host: "0.0.0.0".to_owned(), port: 9090, token: None, public: false }
    }
}

/// The password of the admin port.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Token(SecretString);

impl Token {
    /// Takes as long for a wrong token as for the right one of the same length.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        let token = self.0.expose_secret().as_bytes();
        let different = token.iter().zip(given).fold(0, |different, (one, other)| different | (one ^ other));
        token.len() == given.len() && std::hint::black_box(different) == 0
    }
}

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(token: String) -> Result<Self, Self::Error> {
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(token.into())) } else { Err("a token is one word of visible ASCII characters") }
    }
}

/// When a check counts, and when the process counts as stuck.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    /// Without progress of the main runtime for so long, liveness fails.
    #[serde(deserialize_with = "checked::stall")]
    pub(crate) stall: Duration,
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) period: Duration,
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    /// Failures in a row before a good check is bad.
    pub(crate) unhealthy_after: u32,
    /// Successes in a row before a bad check is good.
    pub(crate) healthy_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 1,
        }
    }
}

/// How long stopping may take; what is not set follows from where the process runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shutdown {
    /// All of it: TERMINATION_GRACE_PERIOD_SECONDS less 3 s where known, else 25 s.
    #[serde(with = "duration::option")]
    pub(crate) grace: Option<Duration>,
    /// Not ready but still serving: 5 s in Kubernetes, else none.
    #[serde(with = "duration::option")]
    pub(crate) delay: Option<Duration>,
    /// The slice reserved for telemetry: 2 s.
    #[serde(with = "duration::option")]
    pub(crate) flush: Option<Duration>,
}

/// The log on standard output.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Log {
    /// `info`, or per target: `info,hyper=warn`. Moves.
    pub(crate) level: Live<LogLevel>,
    pub(crate) format: LogFormat,
    /// The longest line; a longer one is cut and says so.
    pub(crate) max_line: Bytes,
    /// What may wait to be written; beyond it lines are dropped and counted.
    pub(crate) buffer: Bytes,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Live::fixed(LogLevel(filter::standard())),
            format: LogFormat::default(),
            max_line: Bytes::new(16_000),
            buffer: Bytes::mebi(8),
        }
    }
}

/// A filter that is checked where it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LogLevel(pub(crate) Filter);

impl TryFrom<String> for LogLevel {
    type Error = prodkit_log::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        filter::parse(&text).map(Self)
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// JSON, unless standard output is a terminal.
    #[default]
    Auto,
    Json,
    Console,
}

/// Where traces, metrics and logs are pushed; nothing is, unless an endpoint is set.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Otlp {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<OtlpProtocol>,
    pub(crate) headers: BTreeMap<String, String>,
    /// For one export, its retries included; cut by the budget at exit.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    pub(crate) retry: OtlpRetry,
    pub(crate) traces: bool,
    pub(crate) metrics: bool,
    /// Off, because standard output is usually collected already.
    pub(crate) logs: bool,
    /// The share of new traces to sample, 0 to 1. Moves.
    pub(crate) sampling_ratio: Live<SamplingRatio>,
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) metric_interval: Duration,
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            retry: OtlpRetry::default(),
            traces: true,
            metrics: true,
            logs: false,
            sampling_ratio: Live::fixed(SamplingRatio(0.1)),
            metric_interval: Duration::from_secs(15),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct SamplingRatio(pub(crate) f64);

impl TryFrom<f64> for SamplingRatio {
    type Error = &'static str;

    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err("a ratio is between 0 and 1") }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum OtlpProtocol {
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    #[serde(rename = "grpc")]
    Grpc,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct OtlpRetry {
    pub(crate) enabled: bool,
    #[serde(with = "duration")]
    pub(crate) max_elapsed_time: Duration,
}

impl Default for OtlpRetry {
    fn default() -> Self {
        Self { enabled: true, max_elapsed_time: Duration::from_secs(60) }
    }
}

/// The metric store.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Metrics {
    /// Series of one metric; what comes beyond is counted in one overflow series.
    pub(crate) max_series: NonZeroUsize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { max_series: at_least_one(2_000) }
    }
}

/// What happens when the sources of the configuration change.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// What moves follows the sources; if not, everything waits for a restart.
    pub(crate) reload: bool,
    /// How often the sources are looked at without being told of a change.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) poll: Duration,
    /// For everything that follows from a new configuration to be built and verified.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) prepare_timeout: Duration,
    /// A new configuration is taken back when this long after it 1 % of at least 50 requests fail, twice as many as
    /// before, or a critical check that was good turns bad. Off by default.
    #[serde(with = "duration::option")]
    pub(crate) soak: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reload: true,
            poll: Duration::from_secs(15),
            prepare_timeout: Duration::from_secs(10),
            soak: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Runtime {
    /// Worker threads; by default the CPU limit rounded up.
    #[serde(deserialize_with = "checked::workers")]
    pub(crate) workers: Option<NonZeroUsize>,
}

const fn at_least_one(count: usize) -> NonZeroUsize {
    match NonZeroUsize::new(count) {
        Some(count) => count,
        None => NonZeroUsize::MIN,
    }
}
