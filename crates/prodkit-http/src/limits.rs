//! What one client may take from the server.

use std::time::Duration;

/// Bounds on time, size and number, one set per listener. Every default is meant to be kept.
///
/// A limit is always on. Where one must go, give it a value out of reach (`Duration::MAX`, `u64::MAX`).
///
/// ```
/// use prodkit_http::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().idle(Duration::from_secs(620)).body_bytes(16 << 20);
/// # drop(limits);
/// ```
#[derive(Clone, Debug)]
#[must_use = "limits do nothing until given to `serve`"]
pub struct Limits {
    pub(crate) handshake: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) header_timeout: Duration,
    pub(crate) idle: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) header_bytes: usize,
    pub(crate) body_bytes: u64,
    pub(crate) max_connections: usize,
    #[cfg_attr(not(feature = "__tls"), expect(dead_code, reason = "there are none"))]
    pub(crate) max_handshakes: usize,
    pub(crate) http2: Http2,
}

/// What is particular to HTTP/2.
#[derive(Clone, Debug)]
pub(crate) struct Http2 {
    pub(crate) max_streams: u32,
    pub(crate) max_resets: usize,
    pub(crate) ping: Duration,
    pub(crate) ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            header_bytes: 32 << 10,
            body_bytes: 2 << 20,
            max_connections: 10_000,
            max_handshakes: 500,
            http2: Http2 {
                max_streams: 200,
                max_resets: 20,
                ping: Duration::from_secs(30),
                ping_timeout: Duration::from_secs(10),
            },
        }
    }
}

impl Limits {
    /// How long a new connection may take for its TLS handshake. Default 10 s; then it is closed.
    ///
    /// Applies where the listener speaks TLS; the time for the [first byte](Self::first_byte) begins after it.
    pub fn handshake(self, limit: Duration) -> Self {
        Self { handshake: limit, ..self }
    }

    /// How many TLS handshakes may be under way. Default 500; one more, and the oldest is closed.
    ///
    /// Each is in a task of its own, so that a slow one holds up nobody. An honest one takes milliseconds: at the limit,
    /// the oldest is the one least worth waiting for.
    pub fn max_handshakes(self, limit: usize) -> Self {
        Self { max_handshakes: limit, ..self }
    }

    /// How long a new connection may stay silent. Default 10 s; then it is closed without an answer.
    pub fn first_byte(self, limit: Duration) -> Self {
        Self { first_byte: limit, ..self }
    }

    /// How long a request's head may take from its first byte to its last. Default 10 s; then the connection is closed
    /// without an answer, however steadily the bytes arrive.
    ///
    /// What of a head was pipelined behind the request before counts as idle until more of it arrives.
    ///
    /// Applies to HTTP/1; an HTTP/2 connection on which no request comes about is ended by [`idle`](Self::idle).
    pub fn header_timeout(self, limit: Duration) -> Self {
        Self { header_timeout: limit, ..self }
    }

    /// How long a connection may wait between requests. Default 75 s, longer than the idle timeout of the usual load
    /// balancers, so that they and not we close a connection they may be about to use.
    ///
    /// HTTP/2 connections are told by a GOAWAY first.
    pub fn idle(self, limit: Duration) -> Self {
        Self { idle: limit, ..self }
    }

    /// How long a request's body may keep its reader waiting, in sum. Default 30 s.
    ///
    /// Each 4 KiB that arrive add a second: a slow but honest uplink may finish a large upload, and a trickle of single
    /// bytes ends. Only the time in which the service waits for the body counts. The body then fails with
    /// [`ReadTimeout`](crate::ReadTimeout), which [`Observe`](crate::Observe) answers with 408; so it does where the
    /// service makes a 400 of it, as axum's extractors do.
    pub fn read_timeout(self, limit: Duration) -> Self {
        Self { read_timeout: limit, ..self }
    }

    /// How long a client may take nothing of what is written to it. Default 60 s; then it is cut.
    ///
    /// Over HTTP/2 this holds for the connection and for each stream: one whose window stays shut is reset.
    pub fn write_timeout(self, limit: Duration) -> Self {
        Self { write_timeout: limit, ..self }
    }

    /// The size of a request's head: request line and headers, or HTTP/2's header list. Default 32 KiB; more is
    /// answered with 431. At most 100 headers are taken over HTTP/1.
    pub fn header_bytes(self, limit: usize) -> Self {
        Self { header_bytes: limit, ..self }
    }

    /// The size of a request's body. Default 2 MiB.
    ///
    /// A `Content-Length` above it never reaches the service when [`Observe`](crate::Observe) is around it: that
    /// answers 413 at once. Otherwise [`Body`](crate::Body) fails, with the error that axum and others know as 413,
    /// as soon as the limit is passed.
    pub fn body_bytes(self, limit: u64) -> Self {
        Self { body_bytes: limit, ..self }
    }

    /// How many connections are served at a time. Default 10,000.
    ///
    /// At the limit no more are accepted until one ends: newcomers wait, unanswered but not refused, in the kernel's
    /// queue, which is bounded too ([`Listener`](crate::Listener)).
    pub fn max_connections(self, limit: usize) -> Self {
        Self { max_connections: limit, ..self }
    }

    /// How many requests one HTTP/2 connection may have open. Default 200.
    pub fn http2_max_streams(self, limit: u32) -> Self {
        Self { http2: Http2 { max_streams: limit, ..self.http2 }, ..self }
    }

    /// How many streams an HTTP/2 client may have opened and reset before we came to see them ("rapid reset",
    /// CVE-2023-44487). Default 20; more and the connection ends with `ENHANCE_YOUR_CALM`.
    pub fn http2_max_resets(self, limit: usize) -> Self {
        Self { http2: Http2 { max_resets: limit, ..self.http2 }, ..self }
    }

    /// How long an HTTP/2 connection may be silent before it is asked for a sign of life, and how long that may take.
    /// Default 30 s and 10 s; then it is cut, requests and all.
    pub fn http2_ping(self, every: Duration, timeout: Duration) -> Self {
        Self { http2: Http2 { ping: every, ping_timeout: timeout, ..self.http2 }, ..self }
    }
}
