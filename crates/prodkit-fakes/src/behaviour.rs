//! What a fake server does with a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::time::Duration;

/// What a fake server does with the requests that come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Behaviour {
    /// As the real one: a collector takes everything, a Vault says what it holds.
    Answer,
    /// 200 with these bytes as the response, whatever was asked.
    Body(Bytes),
    /// This status with these headers. From a Vault with an `errors` array as it sends one. Over gRPC the status becomes the code that the OTLP specification pairs with it:
    /// 429, 502, 503 and 504 are `UNAVAILABLE`, everything else `INVALID_ARGUMENT`.
    Status(StatusCode, HeaderMap),
    /// Takes the request and never answers.
    Hang,
    /// Promises a body, sends a part of it and drops the connection.
    Reset,
    /// Answers as [`Answer`](Self::Answer), this much later.
    Slow(Duration),
    /// Closes the port and every connection.
    Refuse,
}

impl Behaviour {
    /// A status without further headers.
    ///
    /// # Panics
    ///
    /// When `code` is no HTTP status (100 to 999).
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test")]
    pub fn status(code: u16) -> Self {
        Self::Status(StatusCode::from_u16(code).expect("a status code"), HeaderMap::new())
    }

    /// Adds a header to [`Status`](Self::Status); without effect on the others.
    ///
    /// # Panics
    ///
    /// When `name` or `value` cannot be a header.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a mistake in a test")]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Status(_, headers) = &mut self {
            headers.insert(
                HeaderName::try_from(name).expect("a header name"),
                HeaderValue::try_from(value).expect("a header value"),
            );
        }
        self
    }

    pub(crate) fn refuses(&self) -> bool {
        matches!(self, Self::Refuse)
    }
}
