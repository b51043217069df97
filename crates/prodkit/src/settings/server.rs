//! `server`: the main port.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use prodkit_config::Bytes;
use prodkit_http::{InvalidProxy, TrustedProxy};
use serde::Deserialize;

use super::{at_least_one, checked};
use crate::certificates::Files;

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
    /// The least that may be in flight, where the limit is to follow how long requests take: it begins here and is never
    /// above `max_in_flight`. What the service can do for certain. Default: none; the limit is `max_in_flight`.
    #[cfg_attr(feature = "schema", schemars(example = &50))]
    pub(crate) adaptive_limit: Option<NonZeroUsize>,
    /// Proxies whose `Forwarded` or `X-Forwarded-*` are believed: addresses, networks as 10.0.0.0/8, and `unix` for whoever
    /// connects to a Unix socket. Default: none; the client is who connects.
    #[cfg_attr(feature = "schema", schemars(example = &["10.0.0.0/8", "fd00::/8"]))]
    pub(crate) trusted_proxies: Vec<Proxy>,
    /// `required` where a balancer of connections is in front: each connection begins with its header of the PROXY protocol,
    /// version 1 or 2, which names the client; any other is closed. Default: `off`.
    pub(crate) proxy_protocol: ProxyProtocol,
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
            adaptive_limit: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: ProxyProtocol::default(),
            probes: true,
            tls: ServerTls::default(),
        }
    }
}

/// A proxy that is believed, checked where it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String")]
pub(crate) struct Proxy(pub(crate) TrustedProxy);

impl TryFrom<String> for Proxy {
    type Error = InvalidProxy;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[cfg(feature = "schema")]
impl serde::Serialize for Proxy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Whether connections begin with a header of the PROXY protocol. There is no "where there is one": whoever may leave it
/// out may also invent one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProxyProtocol {
    #[default]
    Off,
    Required,
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
