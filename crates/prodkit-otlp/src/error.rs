//! What can keep telemetry from starting.

use std::fmt;
use std::io;

/// Why exporting cannot start; the message fits after "failed to start telemetry: ". It is never about the network, and
/// never shows the credentials an endpoint may hold.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("the {what} cannot be used: {reason}")]
    Endpoint { what: &'static str, reason: EndpointError },
    #[cfg(not(feature = "grpc"))]
    #[error(
        "the {what} speaks gRPC, which needs the feature `grpc` of prodkit-otlp (`otlp-grpc` of prodkit)"
    )]
    NoGrpc { what: &'static str },
    /// It says what was done, and to which file.
    #[cfg(feature = "__tls")]
    #[error("cannot connect over TLS: {what}")]
    Tls { what: String, source: Option<prodkit_tls::Error> },
    #[error("the {0} is zero")]
    Zero(&'static str),
    #[error("cannot start the telemetry thread")]
    Thread(#[source] io::Error),
}

/// What is wrong with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointError {
    Credentials,
    Fragment,
    Host,
    NoTls,
    Port,
    Query,
    Scheme,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "it holds a user name or password, which belong into a header",
            Self::Fragment => "it holds a fragment (`#`)",
            Self::Host => "it is neither a URL nor host:port",
            Self::NoTls => "TLS needs the feature `tls` of prodkit-otlp (`tls` of prodkit)",
            Self::Port => "its port is not a number from 1 to 65535",
            Self::Query => "it holds a query, to which no signal's path can be added",
            Self::Scheme => "its scheme is neither http nor https",
        })
    }
}
