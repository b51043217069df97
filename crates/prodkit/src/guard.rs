//! Who may see and do more on the admin port than probes and metrics.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};
use prodkit_secrets::Secret;

use crate::settings;

/// Decides by the address the port was bound to and by the token: behind a sidecar every peer looks like loopback, so the
/// peer's address means nothing.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    token: Option<Secret>,
    is_local: bool,
    is_public: bool,
}

/// Why not, and what to do about it.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

impl Guard {
    pub(crate) fn new(admin: &settings::Admin) -> Self {
        let is_local = is_local(&admin.host);
        Self { token: admin.token.clone(), is_local, is_public: admin.public }
    }

    /// Whether the request may read what is not for everyone.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.allow(headers, self.is_public)
    }

    /// Whether the request may change something: what everyone may read, not everyone may change.
    pub(crate) fn write(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.allow(headers, false)
    }

    fn allow(&self, headers: &HeaderMap, everyone: bool) -> Result<(), Refusal> {
        // A page in an operator's browser must not read through it, whatever name it has given this address.
        if let Some(origin) = headers.get(header::ORIGIN)
            && !same_origin(origin.as_bytes(), headers)
        {
            return Err(Refusal {
                status: StatusCode::FORBIDDEN,
                reason: "the request comes from another origin",
            });
        }
        if everyone {
            return Ok(());
        }
        match &self.token {
            Some(token) => match bearer(headers) {
                Some(given) if token.get().is(given) => Ok(()),
                _ => Err(Refusal {
                    status: StatusCode::UNAUTHORIZED,
                    reason: "this needs `Authorization: Bearer` with the token of the setting admin.token",
                }),
            },
            None if !self.is_local => Err(Refusal {
                status: StatusCode::FORBIDDEN,
                reason: "set admin.token, or admin.host to a loopback address; for reading, or admin.public to true",
            }),
            // Without a token the name is all there is against a page whose own name leads here.
            None if host(headers).is_some_and(is_local) => Ok(()),
            None => Err(Refusal {
                status: StatusCode::FORBIDDEN,
                reason: "the Host header must be a loopback address",
            }),
        }
    }
}

fn is_local(host: &str) -> bool {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// Without its port.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let port = host.parse::<Authority>().ok()?.port().map_or(0, |port| port.as_str().len() + 1);
    host.get(..host.len().checked_sub(port)?)
}

fn same_origin(origin: &[u8], headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
    !host.is_empty() && origin.strip_prefix(b"http://").is_some_and(|origin| origin == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn guard(host: &str, token: Option<&str>, public: bool) -> Guard {
        let token = token.map(Secret::fixed);
        Guard::new(&settings::Admin { host: host.to_owned(), token, public, ..settings::Admin::default() })
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn who_may_read() {
        let bearer = |token| ("authorization", token);
        for (bound, token, public, sent, expected) in [
            ("0.0.0.0", None, false, &[("host", "127.0.0.1:9090")][..], 403),
            ("0.0.0.0", None, true, &[("host", "pod:9090")], 200),
            ("127.0.0.1", None, false, &[("host", "127.0.0.1:9090")], 200),
            ("127.0.0.1", None, false, &[("host", "LocalHost")], 200),
            ("::1", None, false, &[("host", "[::1]:9090")], 200),
            ("localhost", None, false, &[("host", "localhost:1")], 200),
            ("127.0.0.1", None, false, &[("host", "evil.example:9090")], 403),
            ("127.0.0.1", None, false, &[("host", "127.0.0.1.evil.example")], 403),
            ("127.0.0.1", None, false, &[], 403),
            ("127.0.0.1", None, false, &[("host", "127.0.0.1:9"), ("origin", "http://evil.example")], 403),
            ("127.0.0.1", None, false, &[("host", "127.0.0.1:9"), ("origin", "null")], 403),
            ("127.0.0.1", None, false, &[("host", "127.0.0.1:9"), ("origin", "http://127.0.0.1:9")], 200),
            ("0.0.0.0", None, true, &[("host", "pod:9090"), ("origin", "http://evil.example")], 403),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("Bearer s3")], 200),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("bearer s3")], 200),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("Bearer s4")], 401),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("Bearer s33")], 401),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("Bearer ")], 401),
            ("0.0.0.0", Some("s3"), false, &[("host", "pod"), bearer("Basic s3")], 401),
            ("127.0.0.1", Some("s3"), false, &[("host", "127.0.0.1")], 401),
        ] {
            let answer = guard(bound, token, public).read(&headers(sent));
            let status = answer.map_or_else(|refusal| refusal.status.as_u16(), |()| 200);
            assert_eq!(status, expected, "{bound} {token:?} {public} {sent:?}");
        }
    }

    #[test]
    fn who_may_write() {
        let bearer = ("authorization", "Bearer s3");
        for (bound, token, public, sent, expected) in [
            ("0.0.0.0", None, true, &[("host", "127.0.0.1:9090")][..], 403),
            ("0.0.0.0", Some("s3"), true, &[("host", "pod:9090")], 401),
            ("0.0.0.0", Some("s3"), true, &[("host", "pod:9090"), bearer], 200),
            (
                "0.0.0.0",
                Some("s3"),
                true,
                &[("host", "pod:9"), bearer, ("origin", "http://evil.example")],
                403,
            ),
            ("0.0.0.0", Some("s3"), true, &[("host", "pod:9"), bearer, ("origin", "http://pod:9")], 200),
            ("127.0.0.1", None, true, &[("host", "127.0.0.1:9090")], 200),
            ("127.0.0.1", None, true, &[("host", "evil.example:9090")], 403),
            ("127.0.0.1", None, true, &[("host", "127.0.0.1:9"), ("origin", "http://evil.example")], 403),
            ("127.0.0.1", Some("s3"), true, &[("host", "127.0.0.1:9090")], 401),
        ] {
            let answer = guard(bound, token, public).write(&headers(sent));
            let status = answer.map_or_else(|refusal| refusal.status.as_u16(), |()| 200);
            assert_eq!(status, expected, "{bound} {token:?} {public} {sent:?}");
        }
    }
}
