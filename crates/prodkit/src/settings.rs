//! The sections of the configuration that belong to prodkit. Every key has a default that boots, and takes effect.

mod checked;
mod health;
mod log;
mod metrics;
mod otlp;
mod secrets;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use prodkit_config::Bytes;
use prodkit_secrets::Secret;
use serde::Deserialize;

use crate::certificates::Files;

pub(crate) use health::Health;
pub(crate) use log::{Log, LogFormat, LogLevel};
pub(crate) use metrics::{Exemplars, Metrics};
pub(crate) use otlp::{Otlp, SamplingRatio};
#[cfg(feature = "otlp")]
pub(crate) use otlp::{OtlpCompression, OtlpHistograms, OtlpProtocol, OtlpTemporality};
#[cfg(feature = "__vault")]
pub(crate) use secrets::VaultAuth;
pub(crate) use secrets::{Secrets, Vault};

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

/// The main port, where the app serves.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Server {
    /// The address to listen on; `"::"` answers IPv6 and IPv4, `unix:/run/orders.sock` is a Unix socket. Default: every
    /// address of IPv4.
    pub(crate) host: String,
    /// The port; 0 takes a free one. Also `PORT`. Default: 8080.
    pub(crate) port: u16,
    /// Who may connect to a Unix socket, as `chmod` has it. Default: 0660, its owner and its group.
    pub(crate) socket_mode: SocketMode,
    /// From the head of a request to the head of its response; then 503. Also `HTTP_TIMEOUT`. Default: 30s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    /// For a new connection to send its first byte; then it is closed. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) first_byte_timeout: Duration,
    /// From the first byte of the head of a request to its last; then the connection is closed. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) header_timeout: Duration,
    /// How long a request's body may keep the app waiting, in sum, a second more for each 4 KiB that arrive; then 408.
    /// Default: 30s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) read_timeout: Duration,
    /// How long a client may take nothing of what is written to it; then it is cut. Default: 1m.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) write_timeout: Duration,
    /// Between two requests of a connection; longer than that of the load balancer in front. Default: 1m 15s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) idle_timeout: Duration,
    /// The head of a request; more is answered 431. Default: 32KiB.
    pub(crate) max_header_size: Bytes,
    /// The body of a request; more is answered 413. Default: 2MiB.
    pub(crate) max_body_size: Bytes,
    /// Connections served at a time; the next one waits, unanswered. Default: 10000.
    pub(crate) max_connections: NonZeroUsize,
    /// Requests in flight at a time; the next one is answered 503. Default: 1000.
    pub(crate) max_in_flight: NonZeroUsize,
    /// Whether the probes are on the main port, too. Default: true.
    pub(crate) probes: bool,
    /// TLS, and nothing else, on the main port; none unless `cert` is set. Needs the feature `tls`.
    pub(crate) tls: ServerTls,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8080,
            socket_mode: SocketMode(0o660),
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
            tls: ServerTls::default(),
        }
    }
}

/// The permission bits of a socket's file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = "^0?[0-7]{3}$")))]
#[serde(try_from = "String")]
pub(crate) struct SocketMode(pub(crate) u32);

impl TryFrom<String> for SocketMode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(&text);
        let mode =
            u32::from_str_radix(digits, 8).ok().filter(|_| digits.len() == 3 && !digits.starts_with('+'));
        mode.map(Self).ok_or("a mode is three octal digits in quotes, as \"0660\"")
    }
}

#[cfg(feature = "schema")]
impl serde::Serialize for SocketMode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04o}", self.0))
    }
}

/// The certificate of the main port. The files are followed: a new pair holds for new connections, those that are open stay.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct ServerTls {
    /// A file with the certificate and the chain behind it, PEM. Default: none, and no TLS.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/tls/tls.crt"))]
    pub(crate) cert: Option<PathBuf>,
    /// A file with its private key, PEM. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/tls/tls.key"))]
    pub(crate) key: Option<PathBuf>,
    /// A file with the authorities of clients, PEM: then each client must show a certificate of theirs. Default: none, and
    /// clients need not show one.
    #[cfg_attr(feature = "schema", schemars(example = &"/etc/tls/ca.crt"))]
    pub(crate) client_ca: Option<PathBuf>,
    /// For the handshake of a new connection; then it is closed. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) handshake_timeout: Duration,
}

impl Default for ServerTls {
    fn default() -> Self {
        Self { cert: None, key: None, client_ca: None, handshake_timeout: Duration::from_secs(10) }
    }
}

impl ServerTls {
    pub(crate) fn files(&self) -> Files {
        let file = |setting, path: &Option<PathBuf>| path.clone().map(|path| (setting, path));
        Files {
            name: "server",
            cert: file("server.tls.cert", &self.cert),
            key: file("server.tls.key", &self.key),
            roots: file("server.tls.client_ca", &self.client_ca),
        }
    }
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
