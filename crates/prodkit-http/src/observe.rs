//! One layer that knows all about a request.

mod adaptive;
mod answer;
mod body;
mod exchange;
mod future;
mod grpc;
mod metrics;
mod observer;
mod pool;
mod request_id;
mod router;
mod service;

pub use body::ObservedBody;
pub use exchange::{Exchange, Outcome};
pub use future::ObservedFuture;
pub use grpc::GrpcStatus;
pub use observer::{Decision, Observer, Parent};
pub use router::{RouteTold, TellRoute, ToldFuture};
pub use service::Observed;

pub(crate) use self::metrics::RouteMetrics;

use self::adaptive::Adaptive;
use self::metrics::Metrics;
use self::service::Mount;
use crate::TrustedProxies;
use ::metrics::Recorder;
use http::Extensions;
use prodkit_trace::Propagators;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The layer that observes requests: trace context, request id, metrics, errors and panics, deadline and load limit,
/// in a single pass.
///
/// For each request it
/// - takes the caller's `traceparent` and asks the [`Observer`] whether to sample, before anything is recorded;
/// - makes its [`TraceContext`](prodkit_trace::TraceContext) the current one while the service and its response's body
///   are polled, with the caller's `tracestate` and `baggage`;
/// - takes `x-request-id`, or else the trace id, and returns it with the response; where that is not the trace id, it is
///   in `x-trace-id`;
/// - counts `http_requests_total{method,endpoint,status}` and measures
///   `http_request_duration_seconds{method,endpoint,status}`, whose status a store may leave out of what it shows
///   (`prodkit_metrics::Options::shown_without`);
/// - hands the finished [`Exchange`] to the observer: at the **last byte** of the body, or when the client is gone.
///
/// What it answers itself is `application/problem+json` (RFC 9457) with the trace id and no detail:
///
/// | status | when |
/// |---|---|
/// | 408 | the deadline passed, or the body's own, while the service was waiting for the request's body |
/// | 413 | the body is larger than [`Limits::body_bytes`](crate::Limits::body_bytes); at once if its `Content-Length` says so |
/// | 500 | the service failed or panicked |
/// | 503 | the deadline passed in the service; or, with `Retry-After: 1`, too many requests are in flight |
///
/// (Not 504: that is for a gateway whose upstream is late. Not 408 for a slow service: clients may repeat a request on
/// it, as if it had never been received whole, RFC 9110 section 15.5.9.)
///
/// A call of gRPC (`POST` over HTTP/2 with a content type of `application/grpc`) is answered 200 with a `grpc-status` and no
/// body instead: 4 `DEADLINE_EXCEEDED` when the time is over, 8 `RESOURCE_EXHAUSTED` for a body that is too large, 13
/// `INTERNAL` when the service failed or panicked, 14 `UNAVAILABLE` when too many requests are in flight. `grpc-timeout`, if
/// it is well-formed, shortens the [timeout](Self::timeout). Its route is its path, once a service has begun to answer it:
/// an answer that is nothing but a status may come from a method that nobody has. See [`Exchange::grpc_status`].
///
/// Mount it exactly once per request: around a service without a router, or around a router with
/// [`router`](Self::router).
///
/// ```
/// # use prodkit_http::{Decision, Exchange, Observer, Observe, Parent};
/// # use std::{sync::Arc, time::Duration};
/// struct Print;
///
/// impl Observer for Print {
///     fn decide(&self, parent: &Parent<'_>) -> Decision {
///         Decision::new(parent.context().is_some_and(|caller| caller.is_sampled()))
///     }
///
///     fn finished(&self, exchange: &Exchange<'_>) {
///         println!("{} {} {}", exchange.method(), exchange.path(), exchange.status());
///     }
/// }
///
/// let observe = Observe::new(Arc::new(Print), Arc::new(metrics::NoopRecorder))
///     .timeout(Duration::from_secs(30))
///     .max_in_flight(1000);
/// # drop(observe);
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct Observe {
    observer: Arc<dyn Observer>,
    metrics: Arc<Metrics>,
    in_flight: Arc<AtomicUsize>,
    max_in_flight: usize,
    adaptive: Option<Arc<Adaptive>>,
    timeout: Option<Duration>,
    propagators: Propagators,
    proxies: TrustedProxies,
}

impl Observe {
    /// Reports to `observer` and counts with `recorder`.
    pub fn new(observer: Arc<dyn Observer>, recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self {
            observer,
            metrics: Arc::new(Metrics::new(recorder)),
            in_flight: Arc::default(),
            max_in_flight: usize::MAX,
            adaptive: None,
            timeout: None,
            propagators: Propagators::W3C,
            proxies: TrustedProxies::default(),
        }
    }

    /// The time from a request's head to the head of its response. Default: none.
    ///
    /// After it the service's future is dropped. A body that is being streamed goes on for as long as it takes.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// How many requests may be in flight, to the last byte of their bodies, in all services that this layer and its
    /// clones are around. Default: no limit.
    ///
    /// What comes in excess is answered 503 with `Retry-After: 1` and never queued.
    pub fn max_in_flight(self, limit: usize) -> Self {
        Self { max_in_flight: limit, adaptive: None, ..self }
    }

    /// Finds out how many requests may be in flight, between `least`, where it begins, and `most`; in place of
    /// [`max_in_flight`](Self::max_in_flight).
    ///
    /// The limit follows the time to the head of a response: once a second it grows by its root, as long as requests take
    /// no more than 1.25 times what they do in the long run, and sinks where they take longer, since then they wait for
    /// each other. It changes only where at least half of it is used. What counts is a request that the service answered
    /// with less than 500, or too late, and whose body it did not have to wait for. (Netflix's
    /// [Gradient2](https://github.com/Netflix/concurrency-limits), with a memory that a long peak does not wash out.)
    ///
    /// `least` is what the service can do for certain; `prodkit_http_in_flight_limit` shows where the limit is.
    ///
    /// Not for services whose routes differ much in what they take: a rush to slow ones looks like waiting.
    pub fn adaptive_in_flight(self, least: usize, most: usize) -> Self {
        let adaptive = Adaptive::new(least, most, self.metrics.recorder());
        Self { adaptive: Some(Arc::new(adaptive)), ..self }
    }

    /// Puts itself around a router, and within it a small layer that tells which route was matched: a layer outside of a
    /// router cannot see it.
    ///
    /// `mount` puts that layer around **every** handler, fallbacks included; `matched` finds the route in a request's
    /// extensions. Where it is `None`, the route is what the service says by [`set_route`](crate::set_route). A request
    /// that is refused is given to the router too, for its route alone: no handler sees it.
    ///
    /// ```
    /// # use prodkit_http::{Observe, Observed};
    /// use axum::{Router, extract::MatchedPath};
    ///
    /// // a function: a closure's type would not be inferred
    /// fn matched_path(extensions: &http::Extensions) -> Option<&str> {
    ///     extensions.get::<MatchedPath>().map(MatchedPath::as_str)
    /// }
    ///
    /// fn observed(router: Router, observe: Observe) -> Observed<Router> {
    ///     // with its state a Router keeps its handlers; without, it builds each anew for every request
    ///     observe.router(matched_path, |tell| router.layer(tell).with_state(()))
    /// }
    /// ```
    pub fn router<S>(
        self,
        matched: fn(&Extensions) -> Option<&str>,
        mount: impl FnOnce(TellRoute) -> S,
    ) -> Observed<S> {
        let inner = mount(TellRoute::new(matched, self.metrics.clone()));
        Observed::new(Mount::of_router(self), inner)
    }

    /// The formats in which a caller's trace is read. Default: W3C's `traceparent`, `tracestate` and `baggage`.
    pub fn propagators(self, propagators: Propagators) -> Self {
        Self { propagators, ..self }
    }

    /// Proxies that are believed when they say for whom they ask. Default: none, and everybody's `Forwarded` and
    /// `X-Forwarded-*` mean nothing.
    ///
    /// Where the peer is one of them, the addresses in `Forwarded` (RFC 7239), or in `X-Forwarded-For`, are followed from
    /// the last one to the first that is not trusted, or to the first of all: that is the client's. What stands in front of
    /// it is never looked at. `proto` and `host` of the same element, or `X-Forwarded-Proto` and `X-Forwarded-Host`, are
    /// the scheme and the host that the client asked for.
    ///
    /// The client's address is the peer's
    /// - where the walk comes to what is no address (`unknown`, `_hidden`, not well-formed), or to a 33rd proxy;
    /// - where both headers are there and lead to different addresses: a proxy that writes one of them hands on what the
    ///   client has put into the other. What else they do not agree on is not believed either.
    ///
    /// A proxy has to add to the header, or to replace it, and never to hand it on as it is.
    pub fn trusted_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Requests in flight now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place for a request, if there is one.
    fn admit(&self) -> bool {
        let limit = self.adaptive.as_deref().map_or(self.max_in_flight, Adaptive::limit);
        let admitted = self.in_flight.fetch_add(1, Ordering::Relaxed) < limit;
        if !admitted {
            self.leave();
        }
        admitted
    }

    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> tower_layer::Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, service: S) -> Observed<S> {
        Observed::new(Mount::of_service(self.clone()), service)
    }
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe")
            .field("max_in_flight", &self.max_in_flight)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
