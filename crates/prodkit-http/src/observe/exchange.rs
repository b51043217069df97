//! A request and what became of it.

use super::Observe;
use super::grpc::{self, Call, GrpcStatus};
use super::metrics::RouteMetrics;
use super::service::Mount;
use crate::current::{self, Lost, Told, ToldRoute, WithClient};
use crate::{BoxError, Origin};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Response, StatusCode, Version};
use prodkit_trace::{Companion, Scope, SpanId, TraceContext, TraceState};
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

pub(super) const MAX_PATH: usize = 2048;
const MAX_USER_AGENT: usize = 256;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered by the service, whatever the status, to the last byte.
    Completed,
    /// The client went away before that, or was cut off.
    Disconnected,
    /// The service took too long.
    TimedOut,
    /// The client's body was too large or too slow.
    BodyRefused,
    /// Refused because too many others were in flight.
    Shed,
    /// The service, or its response's body, failed.
    Failed,
    /// The service, or its response's body, panicked.
    Panicked,
}

/// All that is known of a request until it is over. Dropped without an end, the client is gone.
pub(super) struct Record {
    pub(super) mount: Arc<Mount>,
    pub(super) context: TraceContext,
    pub(super) parent: Option<SpanId>,
    pub(super) companion: Option<Companion>,
    pub(super) start: Instant,
    pub(super) method: Method,
    pub(super) path: Option<PathAndQuery>,
    pub(super) version: Version,
    pub(super) peer: Option<SocketAddr>,
    /// If it is a call of gRPC.
    pub(super) call: Option<Box<Call>>,
    /// Where the peer is a proxy that is believed, and has said so.
    pub(super) origin: Option<Box<Origin>>,
    /// The client's own; else the trace id is it.
    pub(super) request_id: Option<HeaderValue>,
    pub(super) scheme: Option<Scheme>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) route: Option<Arc<RouteMetrics>>,
    pub(super) status: Option<StatusCode>,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) error: Option<BoxError>,
    /// It has a place among the requests in flight.
    pub(super) admitted: bool,
    /// The request's body was waited for.
    pub(super) waited: bool,
    /// Why the service did not get the request's body.
    pub(super) lost: Option<Lost>,
    pub(super) over: bool,
}

impl Record {
    pub(super) fn settings(&self) -> &Observe {
        &self.mount.settings
    }

    fn metrics(&self) -> &RouteMetrics {
        self.route.as_deref().unwrap_or_else(|| self.settings().metrics.unmatched())
    }

    /// The time from its head to that of its response.
    #[inline]
    pub(super) fn timeout(&self) -> Option<Duration> {
        let limit = self.settings().timeout;
        match &self.call {
            None => limit,
            Some(call) => call.timeout(limit),
        }
    }

    /// Makes this request's trace, and what travels with it, the current one.
    #[inline]
    pub(super) fn enter(&self) -> Scope {
        self.context.enter_along(self.companion.as_ref())
    }

    /// Makes the client the current one, where it is not the peer.
    #[inline]
    pub(super) fn enter_client(&self) -> Option<WithClient> {
        self.origin.as_ref().map(|origin| WithClient::enter(origin.client_addr()))
    }

    /// Whether a service that did not get the request's body answers so for that reason, which it need not know:
    /// extractors take what came too late for the client's mistake, and tonic any error for an unknown one.
    #[cold]
    pub(super) fn is_of_body<B>(&self, response: &Response<B>) -> bool {
        match &self.call {
            Some(_) => grpc::is_failed(response),
            None => self.lost == Some(Lost::Late) && response.status() == StatusCode::BAD_REQUEST,
        }
    }

    /// Keeps what a poll told.
    #[inline]
    pub(super) fn note(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.keep(told);
        }
    }

    #[inline]
    fn keep(&mut self, told: Told) {
        self.bytes_in = self.bytes_in.saturating_add(told.received);
        self.waited |= told.waiting;
        self.lost = self.lost.or(told.lost);
        match told.route {
            None => {}
            Some(ToldRoute::Known(route)) => self.route = Some(route),
            Some(ToldRoute::Named(route)) => {
                self.route = Some(self.mount.route(route.as_str()));
                if let Some(call) = &mut self.call {
                    call.named = true;
                }
            }
        }
    }

    /// The head of the answer is there.
    #[inline]
    pub(super) fn answered(&self, outcome: Outcome) {
        let settings = self.settings();
        let Some(adaptive) = settings.adaptive.as_deref() else { return };
        let tells = match outcome {
            Outcome::Completed => self.status.is_some_and(|status| !status.is_server_error()),
            Outcome::TimedOut => true,
            _ => false,
        };
        if tells && self.admitted && !self.waited {
            adaptive.sample(self.start.elapsed(), settings.in_flight());
        }
    }

    pub(super) fn finish(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if std::mem::replace(&mut self.admitted, false) {
            self.settings().leave();
        }
        if self.call.is_some() {
            self.ends_call(outcome);
        }
        let end = Instant::now();
        current::ended(end);
        let elapsed = end.saturating_duration_since(self.start);
        let exchange = Exchange { record: self, outcome, elapsed };
        let settings = self.settings();
        // the trace it ran in is what a store may remember of it
        let _scope = (prodkit_trace::current() != Some(self.context)).then(|| self.context.enter());
        self.metrics().count(settings.metrics.recorder(), &self.method, exchange.status(), elapsed);
        settings.observer.finished(&exchange);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(Outcome::Disconnected);
    }
}

/// One request, from its head to the last byte of its answer.
///
/// What comes from the client is bounded in length, and not otherwise changed: escape it.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    record: &'a Record,
    outcome: Outcome,
    elapsed: Duration,
}

impl<'a> Exchange<'a> {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The status that was answered, or 499 (nginx's "client closed request") if none was.
    ///
    /// Of a call of gRPC it is the one that stands for [its own](Self::grpc_status): what was answered is always 200.
    ///
    /// With [`Outcome::Disconnected`] and any other status, the client went away while the body was being sent.
    pub fn status(&self) -> StatusCode {
        self.record.status.unwrap_or_else(|| StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST))
    }

    /// Why, when the service failed or panicked.
    pub fn error(&self) -> Option<&'a (dyn std::error::Error + Send + Sync + 'static)> {
        self.record.error.as_deref()
    }

    /// How a call of gRPC has ended; `None` where the request is none (`POST` over HTTP/2 with a content type of
    /// `application/grpc`).
    ///
    /// It is `grpc-status` in the trailers, or in the head where there is nothing else; `CANCELLED` when the client went away.
    pub fn grpc_status(&self) -> Option<GrpcStatus> {
        self.record.call.as_ref().map(|call| call.status())
    }

    /// Service and method of a call of gRPC, by its path: `("orders.v1.Orders", "Place")`.
    pub fn grpc_method(&self) -> Option<(&'a str, &'a str)> {
        self.record.call.as_ref()?;
        grpc::names(self.path())
    }

    /// The method as the client sent it: any token is one.
    pub fn method(&self) -> &'a Method {
        &self.record.method
    }

    /// The template of the route; `None` if there is none. Never the path.
    pub fn route(&self) -> Option<&'a str> {
        self.record.route.as_deref().map(RouteMetrics::name)
    }

    /// What the observer needs for every exchange with this [`method`](Self::method) and [`route`](Self::route), made for
    /// the first of them and kept. `None` for methods beyond those of RFC 9110, PATCH and QUERY, and where another type
    /// was asked for before.
    pub fn shared<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&'a T> {
        let known = self.record.metrics().known(&self.record.method)?;
        known.get_or_init(|| Box::new(make())).downcast_ref()
    }

    /// The path, without the query; at most 2,048 bytes of it.
    pub fn path(&self) -> &'a str {
        bounded(self.record.path.as_ref().map_or("", PathAndQuery::path), MAX_PATH)
    }

    /// The scheme, where the client named one (HTTP/2 does) or a [trusted proxy](Observe::trusted_proxies) did for it.
    pub fn scheme(&self) -> Option<&'a str> {
        let named = || self.record.scheme.as_ref().map(Scheme::as_str);
        self.record.origin.as_ref().and_then(|origin| origin.scheme()).or_else(named)
    }

    /// The host that the client asked a [trusted proxy](Observe::trusted_proxies) for, if that has said so.
    pub fn forwarded_host(&self) -> Option<&'a str> {
        self.record.origin.as_ref()?.host()
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.record.version
    }

    /// When the request's head was there.
    pub fn start(&self) -> SystemTime {
        // one clock on the request's path is enough
        SystemTime::now().checked_sub(self.record.start.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The time from the request's head to the last byte of the answer.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The span of this request.
    pub fn context(&self) -> TraceContext {
        self.record.context
    }

    /// The caller's span.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.record.parent
    }

    /// The caller's `tracestate`, if valid.
    pub fn tracestate(&self) -> Option<&'a TraceState> {
        self.record.companion.as_ref()?.state()
    }

    /// The request id that the client sent: 1 to 128 visible ASCII characters. Without one the trace id is it.
    pub fn request_id(&self) -> Option<&'a str> {
        self.record.request_id.as_ref()?.to_str().ok()
    }

    /// Bytes of the request's body that the service read. What a task it spawned reads is not counted.
    pub fn bytes_in(&self) -> u64 {
        self.record.bytes_in
    }

    /// Bytes of the response's body that were sent.
    pub fn bytes_out(&self) -> u64 {
        self.record.bytes_out
    }

    /// The other end of the connection, or whom its header of the PROXY protocol names; `None` when not served by
    /// [`serve`](crate::serve).
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.record.peer
    }

    /// The client's address: what [trusted proxies](Observe::trusted_proxies) say, else the peer's. An address of IPv4 is
    /// one, however it came.
    pub fn client_addr(&self) -> Option<IpAddr> {
        match &self.record.origin {
            Some(origin) => origin.client_addr(),
            None => self.record.peer.map(|peer| peer.ip().to_canonical()),
        }
    }

    /// `User-Agent`, if it is visible ASCII; at most 256 bytes of it.
    pub fn user_agent(&self) -> Option<&'a str> {
        let agent = self.record.user_agent.as_ref()?.to_str().ok()?;
        Some(bounded(agent, MAX_USER_AGENT))
    }
}

impl std::fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("method", self.method())
            .field("route", &self.route())
            .field("path", &self.path())
            .field("status", &self.status())
            .field("outcome", &self.outcome)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// The longest prefix of at most `max` bytes.
pub(super) fn bounded(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
