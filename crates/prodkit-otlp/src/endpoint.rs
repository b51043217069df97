//! From an endpoint as people write it to a URL and a protocol.

use crate::error::EndpointError;
use crate::security::Security;
use crate::signal::Kind;
use crate::{Exporter, Protocol, Settings, Signal};
use http::Uri;
use http::uri::{Authority, PathAndQuery};

/// Where one signal goes.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    Collector(Target),
    Console,
}

impl Destination {
    /// That of an enabled signal; `None` where it has no endpoint.
    pub(crate) fn of(
        settings: &Settings,
        kind: Kind,
        signal: &Signal,
    ) -> Result<Option<Self>, crate::error::Kind> {
        match signal.exporter {
            Exporter::Console => Ok(Some(Self::Console)),
            Exporter::Otlp => Ok(Target::of(settings, kind, signal)?.map(Self::Collector)),
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Collector(target) => target.uri.authority().map(ToString::to_string).unwrap_or_default(),
            Self::Console => "standard output".to_owned(),
        }
    }
}

/// A collector and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The URL of HTTP requests; for gRPC only scheme and authority count.
    pub(crate) uri: Uri,
    pub(crate) protocol: Protocol,
    /// Over TLS, once it is known with what.
    pub(crate) security: Option<Security>,
}

impl Target {
    /// The target of an enabled signal; `None` where it has no endpoint.
    pub(crate) fn of(
        settings: &Settings,
        kind: Kind,
        signal: &Signal,
    ) -> Result<Option<Self>, crate::error::Kind> {
        let (what, text, path) = match (&signal.endpoint, &settings.endpoint) {
            (Some(own), _) => (kind.endpoint(), own, Path::AsIs(kind)),
            (None, Some(common)) => ("OTLP endpoint", common, Path::Append(kind)),
            (None, None) => return Ok(None),
        };
        let protocol = signal.protocol.or(settings.protocol);
        let target = parse(text, protocol, path, settings.is_bare_secure(signal));
        let target = target.map_err(|reason| crate::error::Kind::Endpoint { what, reason })?;
        #[cfg(not(feature = "grpc"))]
        if target.protocol == Protocol::Grpc {
            return Err(crate::error::Kind::NoGrpc { what });
        }
        Ok(Some(target))
    }
}

/// What becomes of an endpoint's path, by the exporter specification ("Endpoint URLs for OTLP/HTTP").
#[derive(Clone, Copy)]
enum Path {
    /// The endpoint is one signal's own: its URL is used as it is.
    AsIs(Kind),
    /// The endpoint is for all signals: this one's path is added.
    Append(Kind),
}

/// `bare_is_secure` is what no scheme means.
fn parse(
    text: &str,
    protocol: Option<Protocol>,
    path: Path,
    bare_is_secure: bool,
) -> Result<Target, EndpointError> {
    let (bare, secure, rest) = match text.split_once("://") {
        None => (true, bare_is_secure, text),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, false, rest),
            "https" => (false, true, rest),
            _ => return Err(EndpointError::Scheme),
        },
    };
    if secure && cfg!(not(feature = "__tls")) {
        return Err(EndpointError::NoTls);
    }
    if rest.contains('#') {
        return Err(EndpointError::Fragment);
    }
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(split);
    if authority.contains('@') {
        return Err(EndpointError::Credentials);
    }
    let authority = authority.parse::<Authority>().map_err(|_| EndpointError::Host)?;
    if authority.host().is_empty() {
        return Err(EndpointError::Host);
    }
    let port = port(&authority)?;
    let protocol =
        protocol.unwrap_or(if port == Some(4317) { Protocol::Grpc } else { Protocol::HttpProtobuf });
    let authority = match port {
        None if bare => {
            let default = if protocol == Protocol::Grpc { 4317 } else { 4318 };
            format!("{authority}:{default}").parse().map_err(|_| EndpointError::Host)?
        }
        _ => authority,
    };

    let tail = match path {
        Path::AsIs(_) if !bare || !tail.is_empty() => tail.to_owned(),
        // what is not even a URL has no path to be used as it is
        Path::AsIs(kind) => format!("/{}", kind.path()),
        Path::Append(_) if tail.contains('?') => return Err(EndpointError::Query),
        Path::Append(kind) => format!("{}/{}", tail.trim_end_matches('/'), kind.path()),
    };
    let tail = match tail {
        empty if empty.is_empty() => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path => path,
    };
    let path = tail.parse::<PathAndQuery>().map_err(|_| EndpointError::Host)?;
    let scheme = if secure { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    Ok(Target { uri: uri.map_err(|_| EndpointError::Host)?, protocol, security: None })
}

fn port(authority: &Authority) -> Result<Option<u16>, EndpointError> {
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    match after_host.strip_prefix(':') {
        None if after_host.is_empty() => Ok(None),
        None => Err(EndpointError::Host),
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => match port.parse() {
            Ok(0) | Err(_) => Err(EndpointError::Port),
            Ok(port) => Ok(Some(port)),
        },
        Some(_) => Err(EndpointError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_as_people_write_them() {
        use Protocol::{Grpc, HttpProtobuf as Http};
        const APPEND: Path = Path::Append(Kind::Traces);
        const AS_IS: Path = Path::AsIs(Kind::Traces);
        type Row = (&'static str, Option<Protocol>, Path, Result<(&'static str, Protocol), EndpointError>);
        let table: &[Row] = &[
            ("http://c:4318", None, APPEND, Ok(("http://c:4318/v1/traces", Http))),
            ("http://c:4318/", None, APPEND, Ok(("http://c:4318/v1/traces", Http))),
            ("HTTP://c:4318/otlp/", None, APPEND, Ok(("http://c:4318/otlp/v1/traces", Http))),
            ("http://c", None, APPEND, Ok(("http://c/v1/traces", Http))),
            ("http://c:4317", None, APPEND, Ok(("http://c:4317/v1/traces", Grpc))),
            ("http://c:4317", Some(Http), APPEND, Ok(("http://c:4317/v1/traces", Http))),
            ("http://c:4318", Some(Grpc), APPEND, Ok(("http://c:4318/v1/traces", Grpc))),
            ("c:4317", None, APPEND, Ok(("http://c:4317/v1/traces", Grpc))),
            ("c:4318", None, APPEND, Ok(("http://c:4318/v1/traces", Http))),
            ("c:9999", None, APPEND, Ok(("http://c:9999/v1/traces", Http))),
            ("10.0.0.1:4317", None, APPEND, Ok(("http://10.0.0.1:4317/v1/traces", Grpc))),
            ("[::1]:4317", None, APPEND, Ok(("http://[::1]:4317/v1/traces", Grpc))),
            ("http://[::1]/x", None, APPEND, Ok(("http://[::1]/x/v1/traces", Http))),
            ("localhost", None, APPEND, Ok(("http://localhost:4318/v1/traces", Http))),
            ("localhost", Some(Grpc), APPEND, Ok(("http://localhost:4317/v1/traces", Grpc))),
            ("http://c:4318", None, AS_IS, Ok(("http://c:4318/", Http))),
            ("http://c:4318/a/b?k=v", None, AS_IS, Ok(("http://c:4318/a/b?k=v", Http))),
            ("http://c:4318?k=v", None, AS_IS, Ok(("http://c:4318/?k=v", Http))),
            ("c:4318", None, AS_IS, Ok(("http://c:4318/v1/traces", Http))),
            ("c:4318/x", None, AS_IS, Ok(("http://c:4318/x", Http))),
            ("unix:///run/otel.sock", None, APPEND, Err(EndpointError::Scheme)),
            ("grpc://c:4317", None, APPEND, Err(EndpointError::Scheme)),
            ("http://user:secret@c:4318", None, APPEND, Err(EndpointError::Credentials)),
            ("user:secret@c:4318", None, APPEND, Err(EndpointError::Credentials)),
            ("http://c:4318?k=v", None, APPEND, Err(EndpointError::Query)),
            ("http://c:4318/#x", None, APPEND, Err(EndpointError::Fragment)),
            ("http://c:0", None, APPEND, Err(EndpointError::Port)),
            ("http://c:65536", None, APPEND, Err(EndpointError::Port)),
            ("c:", None, APPEND, Err(EndpointError::Port)),
            ("c:http", None, APPEND, Err(EndpointError::Port)),
            ("", None, APPEND, Err(EndpointError::Host)),
            ("http://", None, APPEND, Err(EndpointError::Host)),
            ("/v1/traces", None, APPEND, Err(EndpointError::Host)),
            ("http://a b", None, APPEND, Err(EndpointError::Host)),
            ("::1:4317", None, APPEND, Err(EndpointError::Host)),
        ];
        for &(text, protocol, path, expected) in table {
            let found =
                parse(text, protocol, path, false).map(|target| (target.uri.to_string(), target.protocol));
            assert_eq!(found, expected.map(|(uri, protocol)| (uri.to_owned(), protocol)), "{text}");
        }
    }

    #[test]
    fn who_is_spoken_to_over_tls() {
        for (text, bare_is_secure, uri) in [
            ("https://c", false, Some("https://c/v1/logs")),
            ("HTTPS://c:4317", false, Some("https://c:4317/v1/logs")),
            ("c:4317", true, Some("https://c:4317/v1/logs")),
            ("c", true, Some("https://c:4318/v1/logs")),
            ("http://c", true, None),
            ("c:4317", false, None),
        ] {
            let found = parse(text, None, Path::Append(Kind::Logs), bare_is_secure);
            match (uri, cfg!(feature = "__tls")) {
                (Some(uri), true) => assert_eq!(found.unwrap().uri, uri),
                (Some(_), false) => assert_eq!(found.unwrap_err(), EndpointError::NoTls, "{text}"),
                (None, _) => assert_eq!(found.unwrap().uri.scheme_str(), Some("http"), "{text}"),
            }
        }
    }
}
