//! One attempt to deliver one request.

pub(crate) mod connect;
mod console;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod json;

use crate::endpoint::Destination;
use crate::settings::{Compression, Headers};
use crate::signal::Kind;
use bytes::Bytes;
use std::time::Duration;

/// The largest answer that is read; the specification's bound for clients.
const MAX_ANSWER: usize = 4 << 20;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The collector took it; this is its answer, an OTLP `Export…ServiceResponse`.
    Accepted(Bytes),
    /// It may be sent again, after this long if the collector said so.
    Again { why: Why, after: Option<Duration> },
    /// It will not be taken, however often it is sent.
    Refused(Why),
}

/// Why an attempt did not succeed, short and without anything the collector chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The connection ended or made no sense.
    Broken,
    /// Status code of gRPC.
    #[cfg(feature = "grpc")]
    Code(i32),
    /// Status of HTTP.
    Status(u16),
    /// No answer in time.
    Timeout,
    /// No connection over TLS, for this.
    #[cfg(feature = "__tls")]
    Tls(&'static str),
    /// More than [`MAX_ANSWER`].
    TooLarge,
    /// No connection: refused, unknown host.
    Unreachable,
}

impl Why {
    /// Whether there was nobody to send it to.
    pub(crate) fn is_no_connection(self) -> bool {
        match self {
            Self::Unreachable => true,
            #[cfg(feature = "__tls")]
            Self::Tls(_) => true,
            _ => false,
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken => f.write_str("connection broken"),
            #[cfg(feature = "grpc")]
            Self::Code(code) => write!(f, "gRPC status {code}"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Timeout => f.write_str("no answer in time"),
            #[cfg(feature = "__tls")]
            Self::Tls(reason) => write!(f, "no connection over TLS: {reason}"),
            Self::TooLarge => f.write_str("answer too large"),
            Self::Unreachable => f.write_str("no connection"),
        }
    }
}

/// How the requests of one signal are sent.
#[derive(Debug)]
pub(crate) struct How<'a> {
    pub(crate) kind: Kind,
    pub(crate) headers: &'a Headers,
    pub(crate) compression: Compression,
    pub(crate) timeout: Duration,
}

/// Sends the requests of one signal. Dropping a send in progress ends it.
#[derive(Debug)]
pub(crate) enum Transport {
    Console(console::Transport),
    #[cfg(feature = "grpc")]
    Grpc(grpc::Transport),
    Http(Box<http::Transport>),
}

impl Transport {
    /// Connects to nothing yet. Must be called on the telemetry runtime.
    pub(crate) fn new(to: Destination, how: &How<'_>) -> Self {
        let target = match to {
            Destination::Console => return Self::Console(console::Transport::new(how)),
            Destination::Collector(target) => target,
        };
        #[cfg(feature = "grpc")]
        if target.protocol == crate::Protocol::Grpc {
            return Self::Grpc(grpc::Transport::new(target, how));
        }
        Self::Http(Box::new(http::Transport::new(target, how)))
    }

    /// What is sent for a request in binary protobuf: once for all attempts.
    pub(crate) fn prepare(&self, body: Vec<u8>) -> Bytes {
        match self {
            Self::Console(transport) => transport.prepare(&body),
            #[cfg(feature = "grpc")]
            Self::Grpc(_) => body.into(),
            Self::Http(transport) => transport.prepare(body),
        }
    }

    /// One attempt; bounded by the timeout of the transport.
    pub(crate) async fn send(&self, body: Bytes) -> Attempt {
        match self {
            Self::Console(transport) => transport.send(body).await,
            #[cfg(feature = "grpc")]
            Self::Grpc(transport) => transport.send(body).await,
            Self::Http(transport) => transport.send(body).await,
        }
    }
}

fn user_agent() -> ::http::HeaderValue {
    ::http::HeaderValue::from_static(concat!("prodkit-otlp/", env!("CARGO_PKG_VERSION")))
}
