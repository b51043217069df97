//! A service under observation.

use super::exchange::{Outcome, Record};
use super::future::{ObservedFuture, Refusal, caught};
use super::grpc::Call;
use super::metrics::RouteMetrics;
use super::pool::Held;
use super::{Observe, Parent, request_id};
use crate::body::TooLarge;
use crate::current::Listening;
use crate::refused::Refused;
use crate::{BoxError, Origin, TrustedProxies, current};
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use prodkit_trace::{Arrival, Propagators, TraceContext};
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
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
    /// Whether what is inside tells the route when it is asked for that alone.
    router: bool,
    /// The route that came here first, and is the only one of a service that has one.
    first: OnceLock<Arc<RouteMetrics>>,
}

impl Mount {
    pub(super) fn of_service(settings: Observe) -> Self {
        Self { settings, router: false, first: OnceLock::new() }
    }

    pub(super) fn of_router(settings: Observe) -> Self {
        Self { settings, router: true, first: OnceLock::new() }
    }

    pub(super) fn route(&self, route: &str) -> Arc<RouteMetrics> {
        self.settings.metrics.route_or(&self.first, route)
    }
}

impl<S> Observed<S> {
    pub(super) fn new(mount: Mount, inner: S) -> Self {
        Self { inner, mount: Arc::new(mount) }
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
            return self.refuse(record, request, Refusal::too_large());
        }
        record.admitted = self.mount.settings.admit();
        if !record.admitted {
            return self.refuse(record, request, Refusal::shed());
        }
        // both in places that the closure only refers to: what a closure takes or returns is copied
        let (mut request, mut future) = (Some(request), None);
        let listening = Listening::start();
        let called = {
            let _scope = record.enter();
            let _client = record.enter_client();
            caught(|| future = request.take().map(|request| Box::pin(self.inner.call(request))))
        };
        record.note(listening.end());
        match (called, future) {
            (Ok(()), Some(future)) => ObservedFuture::running(record, future),
            (Ok(()), None) => ObservedFuture::refused(record, Refusal::shed()),
            (Err(panicked), _) => ObservedFuture::refused(record, Refusal::panicked(panicked)),
        }
    }
}

impl<S> Observed<S> {
    #[cold]
    fn refuse<B>(
        &mut self,
        mut record: Held,
        request: Request<B>,
        refusal: Refusal,
    ) -> ObservedFuture<S::Future>
    where
        S: tower_service::Service<Request<B>>,
    {
        let refused = match refusal.outcome {
            Outcome::BodyRefused => Refused::BodyTooLarge,
            _ => Refused::Shed,
        };
        self.mount.settings.metrics.refuse(refused);
        if self.mount.router {
            // a route is told before the handler is called, so in the first poll or never
            let ask = || {
                let mut cx = Context::from_waker(Waker::noop());
                drop(pin!(self.inner.call(request)).poll(&mut cx));
            };
            let listening = Listening::start();
            let _ = caught(|| current::ask_route(ask));
            record.note(listening.end());
        }
        ObservedFuture::refused(record, refusal)
    }
}

impl Mount {
    fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Held {
        let start = Instant::now();
        let headers = request.headers();
        let ours = Ours::of(headers);
        let Arrival { context: caller, companion, .. } = ours.arrival(self.settings.propagators, headers);
        let context = caller.map_or_else(|| TraceContext::root(false), |caller| caller.child());
        let parent = Parent {
            context: caller,
            trace_id: context.trace_id(),
            method: request.method(),
            uri: request.uri(),
            headers,
        };
        let decision = self.settings.observer.decide(&parent);
        let peer = current::peer_addr();
        let proxies = &self.settings.proxies;
        let origin = if proxies.is_empty() { None } else { origin(proxies, peer, headers) };
        Held::new(|| Record {
            mount: self.clone(),
            context: context.with_sampled(decision.is_sampled()),
            parent: caller.map(|caller| caller.span_id()),
            companion,
            start,
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            version: request.version(),
            peer,
            origin,
            call: Call::begin(request),
            request_id: ours.request_id.and_then(request_id::of_client),
            scheme: request.uri().scheme().cloned(),
            user_agent: ours.user_agent.cloned(),
            route: None,
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            error: None,
            admitted: false,
            waited: false,
            lost: None,
            over: false,
        })
    }
}

#[cold]
fn origin(proxies: &TrustedProxies, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<Box<Origin>> {
    proxies.origin(peer.map(|peer| peer.ip()), headers).map(Box::new)
}

/// The headers that every request is looked through for.
struct Ours<'a> {
    /// Whether there may be any of a caller's trace, in W3C's format.
    w3c: bool,
    request_id: Option<&'a HeaderValue>,
    user_agent: Option<&'a HeaderValue>,
}

impl<'a> Ours<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        /// The hashes of the names cost more than a look at this many others.
        const FEW: usize = 16;
        if headers.len() > FEW {
            let (request_id, user_agent) = (headers.get(request_id::HEADER), headers.get(USER_AGENT));
            return Self { w3c: true, request_id, user_agent };
        }
        let mut ours = Self { w3c: false, request_id: None, user_agent: None };
        for (name, value) in headers {
            if *name == USER_AGENT {
                ours.user_agent = ours.user_agent.or(Some(value));
            } else if *name == request_id::HEADER {
                ours.request_id = ours.request_id.or(Some(value));
            } else if *name == TRACEPARENT || *name == BAGGAGE {
                ours.w3c = true;
            }
        }
        ours
    }

    /// The caller's context and what travels with it.
    fn arrival(&self, propagators: Propagators, headers: &HeaderMap) -> Arrival {
        if self.w3c || propagators != Propagators::W3C {
            arrival(propagators, headers)
        } else {
            Arrival::default()
        }
    }
}

/// Known names are not parsed and hashed anew for each request.
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
