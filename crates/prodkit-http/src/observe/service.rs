//! A service under observation.

use super::exchange::Record;
use super::future::{ObservedFuture, Refusal, caught};
use super::metrics::RouteMetrics;
use super::{Observe, Parent, request_id};
use crate::body::TooLarge;
use crate::{BoxError, current};
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use prodkit_trace::{Arrival, Propagators, TraceContext};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::time::Instant;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The service made by [`Observe`].
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    mount: Arc<Mount>,
}

/// One place where the layer is mounted.
pub(super) struct Mount {
    pub(super) settings: Observe,
    /// The route that came here first. Inside a router it is the only one.
    first: OnceLock<Arc<RouteMetrics>>,
}

impl Mount {
    pub(super) fn route(&self, route: &str) -> Arc<RouteMetrics> {
        let first = self.first.get_or_init(|| self.settings.metrics.route(route));
        if first.name() == route { first.clone() } else { self.settings.metrics.route(route) }
    }
}

impl<S> Observed<S> {
    pub(super) fn new(settings: Observe, inner: S) -> Self {
        Self { inner, mount: Arc::new(Mount { settings, first: OnceLock::new() }) }
    }
}

impl<S: fmt::Debug> fmt::Debug for Observed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> tower_service::Service<Request<B>> for Observed<S>
where
    S: tower_service::Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body,
    R::Error: Into<BoxError>,
{
    type Response = Response<super::ObservedBody<R>>;
    /// Never met in a response: the service's errors are answered. Only its `poll_ready` may still fail.
    type Error = S::Error;
    type Future = ObservedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut record = self.mount.begin(&request);
        if request.extensions().get::<TooLarge>().is_some() {
            return ObservedFuture::refused(record, Refusal::too_large());
        }
        record.permit = self.mount.settings.admit();
        if record.permit.is_none() {
            return ObservedFuture::refused(record, Refusal::shed());
        }
        let (future, told) = {
            let _scope = record.enter();
            current::listen(|| caught(|| self.inner.call(request)))
        };
        record.note(told);
        match future {
            Ok(future) => ObservedFuture::running(record, future),
            Err(panicked) => ObservedFuture::refused(record, Refusal::panicked(panicked)),
        }
    }
}

impl Mount {
    fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Record {
        let start = Instant::now();
        let headers = request.headers();
        let Arrival { context: caller, companion, .. } = arrival(self.settings.propagators, headers);
        let context = caller.map_or_else(|| TraceContext::root(false), |caller| caller.child());
        let parent = Parent {
            context: caller,
            trace_id: context.trace_id(),
            method: request.method(),
            uri: request.uri(),
            headers,
        };
        let decision = self.settings.observer.decide(&parent);
        let route = self.settings.route.and_then(|route| route(request.extensions()));
        Record {
            mount: self.clone(),
            context: context.with_sampled(decision.is_sampled()),
            parent: caller.map(|caller| caller.span_id()),
            companion,
            start,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer: current::peer_addr(),
            user_agent: headers.get(USER_AGENT).cloned(),
            request_id: request_id::of(headers, context.trace_id()),
            route: route.map(|route| self.route(route)),
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            error: None,
            permit: None,
            late: false,
            over: false,
        }
    }
}

/// The caller's context and what travels with it. Known names are not parsed and hashed anew for each request.
fn arrival(propagators: Propagators, headers: &HeaderMap) -> Arrival {
    propagators.extract(|name| {
        let values = match name {
            "traceparent" => headers.get_all(TRACEPARENT),
            "tracestate" => headers.get_all(TRACESTATE),
            "baggage" => headers.get_all(BAGGAGE),
            other => headers.get_all(other),
        };
        values.into_iter().map(HeaderValue::as_bytes)
    })
}
