//! Who decides and who is told.

use super::Exchange;
use http::{HeaderMap, Method, Uri};
use prodkit_trace::{TraceContext, TraceId};

/// Decides what is sampled, and receives what has finished.
///
/// Both are called on the request's own path: they must be quick and must not block or panic.
pub trait Observer: Send + Sync + 'static {
    /// Whether a request that has just come in is to be sampled.
    fn decide(&self, parent: &Parent<'_>) -> Decision;

    /// A request is over: answered to its last byte, or given up.
    ///
    /// Called exactly once for each request that [`decide`](Self::decide) was called for.
    fn finished(&self, exchange: &Exchange<'_>);
}

/// A request as it comes in, before anything is recorded of it.
#[derive(Debug)]
pub struct Parent<'a> {
    pub(super) context: Option<TraceContext>,
    pub(super) trace_id: TraceId,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

impl Parent<'_> {
    /// The caller's span, by its `traceparent`; `None` if there is none, more than one, or one that is not valid.
    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// The trace this request will belong to: the caller's, or a new one.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The values of `tracestate`, to be read as one list (W3C Trace Context, section 3.3.1); none where there is no
    /// valid `traceparent`.
    pub fn tracestate(&self) -> impl Iterator<Item = &[u8]> {
        let given = self.context.map(|_| self.headers.get_all("tracestate"));
        given.into_iter().flatten().map(http::HeaderValue::as_bytes)
    }

    /// The method as the client sent it.
    pub fn method(&self) -> &Method {
        self.method
    }

    /// The path as the client sent it, without the query; at most 2,048 bytes of it.
    pub fn path(&self) -> &str {
        super::exchange::bounded(self.uri.path(), super::exchange::MAX_PATH)
    }

    /// A header, as the client sent it.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }
}

/// What becomes of a request's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    sampled: bool,
}

impl Decision {
    /// Sampled, or not.
    pub fn new(sampled: bool) -> Self {
        Self { sampled }
    }

    /// Whether the span is recorded and the sampled flag passed on.
    pub fn is_sampled(self) -> bool {
        self.sampled
    }
}
