//! OTLP/HTTP with binary protobuf, over one pooled hyper client.

use super::connect::{Clients, Connector, cause};
use super::{Attempt, How, MAX_ANSWER, Why, json, user_agent};
use crate::Protocol;
use crate::endpoint::Target;
use crate::settings::Compression;
use crate::signal::Kind;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct Transport {
    clients: Clients<Client<Connector, Full<Bytes>>>,
    uri: Uri,
    kind: Kind,
    is_json: bool,
    is_gzip: bool,
    headers: HeaderMap,
    timeout: Duration,
}

impl Transport {
    pub(crate) fn new(target: Target, how: &How<'_>) -> Self {
        let How { kind, headers, compression, timeout } = *how;
        let (is_json, is_gzip) = (target.protocol == Protocol::HttpJson, compression == Compression::Gzip);
        let clients = Clients::new(target.security, timeout, |connector| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(1)
                .build(connector)
        });
        let mut headers = headers.map().clone();
        let content = if is_json { "application/json" } else { "application/x-protobuf" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        if is_gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.entry(header::USER_AGENT).or_insert_with(user_agent);
        Self { clients, uri: target.uri, kind, is_json, is_gzip, headers, timeout }
    }

    pub(crate) fn prepare(&self, body: Vec<u8>) -> Bytes {
        let body = if self.is_json { json::request(self.kind, &body) } else { body };
        if self.is_gzip { gzip(&body) } else { body }.into()
    }

    pub(crate) async fn send(&self, body: Bytes) -> Attempt {
        let answered = tokio::time::timeout(self.timeout, self.exchange(body)).await;
        answered.unwrap_or(Attempt::Again { why: Why::Timeout, after: None })
    }

    async fn exchange(&self, body: Bytes) -> Attempt {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        match self.clients.get().request(request).await {
            Ok(response) => match self::answer(response).await {
                Attempt::Accepted(answer) if self.is_json => Attempt::Accepted(json::response(&answer)),
                attempt => attempt,
            },
            Err(error) => {
                let otherwise = if error.is_connect() { Why::Unreachable } else { Why::Broken };
                Attempt::Again { why: cause(&error).unwrap_or(otherwise), after: None }
            }
        }
    }
}

/// At the level that costs least: the network is near.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    // a vector takes whatever is written
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// What the answer means, by the specification's "OTLP/HTTP Response" and "Failures".
async fn answer(response: Response<Incoming>) -> Attempt {
    let (head, body) = response.into_parts();
    let status = head.status;
    if status.is_success() {
        return match Limited::new(body, MAX_ANSWER).collect().await {
            Ok(body) => Attempt::Accepted(body.to_bytes()),
            // it was taken; whether a part was rejected is in what nobody will read
            Err(error) if error.is::<LengthLimitError>() => Attempt::Refused(Why::TooLarge),
            Err(_) => Attempt::Again { why: Why::Broken, after: None },
        };
    }
    // the body of a failure is for people, and may be anything: not worth keeping the connection for
    let why = Why::Status(status.as_u16());
    match status.as_u16() {
        429 | 502 | 503 | 504 => Attempt::Again { why, after: retry_after(&head.headers) },
        _ => Attempt::Refused(why),
    }
}

/// `Retry-After`, seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        // a date that has passed is no delay
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        for (text, expected) in [
            ("0", Some(0..=0)),
            (" 120 ", Some(120..=120)),
            (&later, Some(90..=100)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0..=0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("99999999999999999999999", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            let found = retry_after(&headers).map(|delay| delay.as_secs());
            assert_eq!(found.is_some(), expected.is_some(), "{text}");
            assert!(found.is_none_or(|seconds| expected.unwrap().contains(&seconds)), "{text}: {found:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
