//! The sections of the configuration that belong to prodkit. Every key has a default that boots, and takes effect.

mod checked;
mod health;
mod log;
mod metrics;
mod otlp;
mod secrets;
mod server;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use prodkit_secrets::Secret;
use serde::Deserialize;

pub(crate) use health::Health;
pub(crate) use log::{Log, LogFormat, LogLevel};
pub(crate) use metrics::{Exemplars, Metrics};
pub(crate) use otlp::{Otlp, SamplingRatio};
#[cfg(feature = "otlp")]
pub(crate) use otlp::{OtlpCompression, OtlpHistograms, OtlpProtocol, OtlpTemporality};
#[cfg(feature = "__vault")]
pub(crate) use secrets::VaultAuth;
pub(crate) use secrets::{Secrets, Vault};
pub(crate) use server::{ProxyProtocol, Server};

/// The top-level names an app's own configuration may not take, unless it declares the section itself.
pub(crate) const SECTIONS: &[&str] = &[
    "service", "server", "admin", "health", "shutdown", "log", "otlp", "metrics", "secrets", "config",
    "runtime",
];

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
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
    pub(crate) secrets: Secrets,
    pub(crate) config: Config,
    pub(crate) runtime: Runtime,
}

/// Who this service is: in traces, metrics, logs over OTLP, and `prodkit_build_info`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Service {
    /// Its name. Also `OTEL_SERVICE_NAME`. Default: that of the package, or else of the executable.
    #[cfg_attr(feature = "schema", schemars(example = &"orders"))]
    pub(crate) name: Option<String>,
    /// Its version. Default: that of the package.
    #[cfg_attr(feature = "schema", schemars(example = &"1.2.3"))]
    pub(crate) version: Option<String>,
    /// What it is a part of. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"shop"))]
    pub(crate) namespace: Option<String>,
    /// Where it runs, in telemetry `deployment.environment.name`. Also `APP_ENV`. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"production"))]
    pub(crate) environment: Option<String>,
}

/// The port for probes, metrics and operators.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Admin {
    /// The address to listen on. Default: every address of IPv4.
    pub(crate) host: String,
    /// The port; 0 takes a free one. Default: 9090.
    pub(crate) port: u16,
    /// What lies beyond probes and metrics, and everything that changes something, takes this, as `Authorization: Bearer …`.
    /// Without one it is there only where `host` is a loopback address. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"file:/var/secrets/admin-token"))]
    #[cfg_attr(feature = "schema", serde(skip_serializing))]
    pub(crate) token: Option<Secret>,
    /// Whether what lies beyond probes and metrics may be read by everyone who reaches the port. Default: false.
    pub(crate) public: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { host: "0.0.0.0".to_owned(), port: 9090, token: None, public: false }
    }
}

/// How long stopping may take. What is not set follows from where the process runs.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Shutdown {
    /// All of it; then the process ends, with exit code 3. Default: TERMINATION_GRACE_PERIOD_SECONDS less 3s where that is
    /// set, else 25s.
    #[cfg_attr(feature = "schema", schemars(example = &"25s"))]
    pub(crate) grace: Option<Duration>,
    /// How long everything is still served, while balancers learn that it is not ready. Default: in Kubernetes 5s, or 15s
    /// when nobody announced the stop, but at most two thirds of what `flush` leaves; elsewhere none.
    #[cfg_attr(feature = "schema", schemars(example = &"5s"))]
    pub(crate) delay: Option<Duration>,
    /// What is reserved for the last telemetry. Default: 2s, or half of `grace` where that is less.
    #[cfg_attr(feature = "schema", schemars(example = &"2s"))]
    pub(crate) flush: Option<Duration>,
    /// The file for the last words, where it exists: the pod's `terminationMessagePath`. Default: in Kubernetes
    /// /dev/termination-log, elsewhere none.
    #[cfg_attr(feature = "schema", schemars(example = &"/dev/termination-log"))]
    pub(crate) termination_message_path: Option<PathBuf>,
}

/// What happens when the sources of the configuration change. Kubernetes brings a changed ConfigMap or Secret to its
/// mounted file up to 2 minutes later (kubelet's sync period and its cache, 1 minute each), and never to one mounted with
/// subPath; the file is followed within milliseconds.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Config {
    /// Whether what takes effect without a restart follows the sources; if not, all waits for one. Default: true.
    pub(crate) reload: bool,
    /// How often the sources are looked at without being told of a change. Default: 15s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) poll: Duration,
    /// For everything that follows from a new configuration to be built and verified. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) prepare_timeout: Duration,
    /// A new configuration is taken back when within this time 1 % of at least 50 requests fail, and twice as many as in as
    /// much time before, or a critical check that was good turns bad. Default: none; it is never taken back.
    #[cfg_attr(feature = "schema", schemars(example = &"1m"))]
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

/// The main runtime.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Runtime {
    /// Worker threads, 1024 at most. Default: the CPU limit, rounded up.
    #[serde(deserialize_with = "checked::workers")]
    #[cfg_attr(feature = "schema", schemars(example = &4))]
    #[cfg_attr(feature = "schema", schemars(range(max = 1024)))]
    pub(crate) workers: Option<NonZeroUsize>,
}

const fn at_least_one(count: usize) -> NonZeroUsize {
    match NonZeroUsize::new(count) {
        Some(count) => count,
        None => NonZeroUsize::MIN,
    }
}
