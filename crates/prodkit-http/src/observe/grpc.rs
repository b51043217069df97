//! Calls of gRPC: where their outcome is, and what their callers understand (the specification is "gRPC over HTTP/2", in
//! `doc/PROTOCOL-HTTP2.md` of grpc/grpc).

mod status;

pub use status::GrpcStatus;

use super::exchange::{Outcome, Record};
use super::future::Refusal;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use std::time::Duration;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A call of gRPC, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Call {
    timeout: Option<Duration>,
    status: Option<GrpcStatus>,
    /// The service has said its route, and means it: a router knows no more than the service of a call.
    pub(super) named: bool,
}

impl Call {
    /// Asks for a header only where there can be a call.
    #[inline]
    pub(super) fn begin<B>(request: &Request<B>) -> Option<Box<Self>> {
        if request.version() != Version::HTTP_2 || *request.method() != Method::POST {
            return None;
        }
        Self::of(request.headers())
    }

    fn of(headers: &HeaderMap) -> Option<Box<Self>> {
        if !is_grpc(headers.get(CONTENT_TYPE)?.as_bytes()) {
            return None;
        }
        let timeout = headers.get(TIMEOUT).and_then(|value| timeout(value.as_bytes()));
        Some(Box::new(Self { timeout, status: None, named: false }))
    }

    /// What it may take where `limit` is the server's own.
    pub(super) fn timeout(&self, limit: Option<Duration>) -> Option<Duration> {
        [self.timeout, limit].into_iter().flatten().min()
    }

    /// The head of an answer is there, or its trailers.
    pub(super) fn meets(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(STATUS) {
            self.status = Some(GrpcStatus::parse(status));
        }
    }

    /// Whether it is known how it ended.
    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// How it ended, where `status` is that of HTTP.
    pub(super) fn settle(&mut self, outcome: Outcome, status: Option<StatusCode>) -> GrpcStatus {
        let settled = match (outcome, self.status, status) {
            (Outcome::Disconnected, ..) => GrpcStatus::CANCELLED,
            (_, Some(told), _) => told,
            (Outcome::Completed, None, Some(status)) => GrpcStatus::of_http(status),
            // a stream that is reset
            _ => GrpcStatus::INTERNAL,
        };
        *self.status.insert(settled)
    }

    /// The status it has ended with.
    pub(super) fn status(&self) -> GrpcStatus {
        self.status.unwrap_or(GrpcStatus::UNKNOWN)
    }
}

/// gRPC itself, with any encoding of messages; not gRPC-Web, whose status is in its body.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some((start, rest)) = content_type.split_at_checked(GRPC.len()) else { return false };
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// One to eight digits and a unit; what is not that counts for nothing.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Service and method of `/package.Service/Method`.
pub(super) fn names(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    (!service.is_empty() && !method.is_empty() && !method.contains('/')).then_some((service, method))
}

/// What the layer answers itself: a status and nothing else, which is "Trailers-Only".
pub(super) fn answer(refusal: &Refusal) -> Response<Bytes> {
    let (status, message) = match refusal.outcome {
        Outcome::TimedOut => (GrpcStatus::DEADLINE_EXCEEDED, "the call took too long"),
        Outcome::Shed => (GrpcStatus::UNAVAILABLE, "too many calls are in flight"),
        Outcome::BodyRefused if refusal.status == StatusCode::PAYLOAD_TOO_LARGE => {
            (GrpcStatus::RESOURCE_EXHAUSTED, "the request is too large")
        }
        Outcome::BodyRefused => (GrpcStatus::DEADLINE_EXCEEDED, "the request did not arrive in time"),
        _ => (GrpcStatus::INTERNAL, "internal error"),
    };
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(u16::from(status.code())));
    headers.insert(MESSAGE, HeaderValue::from_static(message));
    response
}

/// Whether an answer is nothing but a status that says so.
pub(super) fn is_failed<B>(response: &Response<B>) -> bool {
    response.headers().get(STATUS).is_some_and(|status| status != "0")
}

impl Record {
    /// The head of an answer to a call. Once a service has begun to answer it, its path is a route: what no service knows,
    /// or what somebody in front of it refuses, ends with the head.
    pub(super) fn answers_call<B>(&mut self, response: &Response<B>) {
        let Some(call) = &mut self.call else { return };
        call.meets(response.headers());
        let begun = !call.has_status()
            && response.status() == StatusCode::OK
            && response.headers().get(CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes()));
        if begun
            && !call.named
            && let Some(path) = self.call_path()
        {
            self.route = Some(self.mount.route(path));
        }
    }

    /// The end of a call: its status is the one that counts, and its route the one that is known of it.
    #[cold]
    pub(super) fn ends_call(&mut self, outcome: Outcome) {
        let known = self.call_path().and_then(|path| self.settings().metrics.known(path));
        if let Some(call) = &mut self.call {
            if known.is_some() && !call.named {
                self.route = known;
            }
            self.status = Some(call.settle(outcome, self.status).http_status());
        }
    }

    fn call_path(&self) -> Option<&str> {
        self.path.as_ref().map(http::uri::PathAndQuery::path).filter(|path| names(path).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("00000007u", Some(Duration::from_micros(7))),
            ("8n", Some(Duration::from_nanos(8))),
            ("0S", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("10", None),
            ("100000000S", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1 S", None),
            ("1S ", None),
        ] {
            assert_eq!(timeout(text.as_bytes()), expected, "{text}");
        }
        let call = |timeout| Call { timeout, ..Call::default() };
        let (short, long) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(2)));
        for (asked, limit, expected) in [
            (None, None, None),
            (short, None, short),
            (None, long, long),
            (short, long, short),
            (long, short, short),
        ] {
            assert_eq!(call(asked).timeout(limit), expected, "{asked:?} {limit:?}");
        }
    }

    #[test]
    fn what_is_a_call_and_what_it_is_named() {
        for (text, expected) in [
            ("application/grpc", true),
            ("Application/gRPC+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(text.as_bytes()), expected, "{text}");
        }
        for (path, expected) in [
            ("/a.b.C/D", Some(("a.b.C", "D"))),
            ("/a/", None),
            ("//a", None),
            ("/a", None),
            ("/a/b/c", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(names(path), expected, "{path}");
        }
    }
}
