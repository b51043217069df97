//! One request and its response, between hyper and the service.

use super::live::{InFlight, Live};
use super::request::{host_of_target, refusal};
use super::streams::{Flow, Streams};
use crate::BoxError;
use crate::body::{Body, BodyLimits, TooLarge};
use crate::current::WithPeer;
use crate::refused::Refused;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tower_service::Service;

/// What can be served: the bounds of [`Service::new`](crate::Service::new), written once.
pub(crate) trait Served:
    Service<Request<Body>, Response = Response<Self::Answer>, Error: Into<BoxError>, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
    type Answer: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Served for S
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Answer = B;
}

/// The service of one connection.
pub(super) struct Exchanges<S> {
    live: Arc<Live>,
    /// For whom the connection is.
    client: Option<SocketAddr>,
    /// The clone that is called, never one that waits to be ready: see `call`.
    service: RefCell<S>,
    /// For HTTP/2.
    streams: Option<Streams>,
}

impl<S> Exchanges<S> {
    pub(super) fn new(
        live: Arc<Live>,
        client: Option<SocketAddr>,
        service: S,
        streams: Option<Streams>,
    ) -> Self {
        Self { live, client, service: RefCell::new(service), streams }
    }
}

impl<S: Served> hyper::service::Service<Request<Incoming>> for Exchanges<S> {
    type Response = Response<Counted<S::Answer>>;
    type Error = BoxError;
    type Future = Exchange<S>;

    fn call(&self, request: Request<Incoming>) -> Exchange<S> {
        let in_flight = self.live.begin();
        let connect = request.method() == Method::CONNECT;
        let refused = refusal(&request);
        let host = host_of_target(&request);
        let (mut head, incoming) = request.into_parts();
        let body = self.bounded(&mut head, incoming);
        if let Some(status) = refused {
            return self.refuse(status, in_flight);
        }
        if let Some(host) = host {
            head.headers.insert(HOST, host);
        }
        let mut service = self.service.borrow_mut();
        let peer = WithPeer::enter(self.client);
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called { future: service.call(Request::from_parts(head, body)) },
            Poll::Ready(Err(error)) => State::Failed { error: Some(error.into()) },
            // What it waits for may have been promised to this very clone, so that one goes with the request.
            Poll::Pending => {
                let fresh = service.clone();
                let waiting = mem::replace(&mut *service, fresh);
                State::Waiting { call: Some(Box::new((waiting, Request::from_parts(head, body)))) }
            }
        };
        drop(peer);
        let flow = self.streams.as_ref().map(Streams::begin);
        Exchange { state, connect, peer: self.client, in_flight: Some(in_flight), flow }
    }
}

impl<S: Served> Exchanges<S> {
    #[cold]
    fn refuse(&self, status: StatusCode, in_flight: InFlight) -> Exchange<S> {
        self.live.roster.refusals.count(Refused::with(status));
        let flow = self.streams.as_ref().map(Streams::begin);
        Exchange {
            state: State::Refused { status },
            connect: false,
            peer: self.client,
            in_flight: Some(in_flight),
            flow,
        }
    }

    /// The body within its limits. One that is declared to be too large is marked so.
    fn bounded(&self, head: &mut Parts, incoming: Incoming) -> Body {
        let limits = &self.live.roster.limits;
        let limits = BodyLimits { bytes: limits.body_bytes, wait: limits.read_timeout };
        // hyper knows what has no body
        if incoming.is_end_stream() {
            return Body::empty();
        }
        let mut body = Body::incoming(incoming, limits, &self.live);
        if content_length(&head.headers).is_some_and(|length| length > limits.bytes) {
            body.refuse();
            head.extensions.insert(TooLarge);
        }
        body
    }
}

/// hyper has refused what is not one plain number already.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pin_project! {
    /// The future of one response.
    pub(super) struct Exchange<S: Service<Request<Body>>> {
        #[pin]
        state: State<S, S::Future>,
        connect: bool,
        peer: Option<SocketAddr>,
        in_flight: Option<InFlight>,
        flow: Option<Arc<Flow>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        // boxed: it is seldom, and would make room for itself in every future
        Waiting { call: Option<Box<(S, Request<Body>)>> },
        Called { #[pin] future: F },
        Failed { error: Option<BoxError> },
        // not for the service
        Refused { status: StatusCode },
    }
}

impl<S: Served> Future for Exchange<S> {
    type Output = Result<Response<Counted<S::Answer>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        let peer = WithPeer::enter(*this.peer);
        let response = loop {
            match state.as_mut().project() {
                StateProjection::Refused { status } => {
                    let Some(in_flight) = this.in_flight.take() else { break Err(POLLED_AGAIN.into()) };
                    let mut response =
                        Response::new(Counted { body: None, flow: this.flow.take(), in_flight });
                    *response.status_mut() = *status;
                    // where its body ends is not known for sure
                    if !response.body().in_flight.live().is_http2() {
                        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Called { future } => break ready!(future.poll(cx)).map_err(Into::into),
                StateProjection::Failed { error } => {
                    break Err(error.take().unwrap_or_else(|| POLLED_AGAIN.into()));
                }
                StateProjection::Waiting { call } => {
                    let Some(waiting) = call else { break Err(POLLED_AGAIN.into()) };
                    if let Err(error) = ready!(waiting.0.poll_ready(cx)) {
                        break Err(error.into());
                    }
                    let Some(waiting) = call.take() else { continue };
                    let (mut service, request) = *waiting;
                    state.set(State::Called { future: service.call(request) });
                }
            }
        };
        drop(peer);
        let mut response = match response {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "service failed without an answer");
                return Poll::Ready(Err(error));
            }
        };
        let Some(in_flight) = this.in_flight.take() else { return Poll::Ready(Err(POLLED_AGAIN.into())) };
        in_flight.live().answering(&mut response, *this.connect);
        let flow = this.flow.take();
        Poll::Ready(Ok(response.map(|body| Counted { body: Some(body), flow, in_flight })))
    }
}

const POLLED_AGAIN: &str = "polled after completion";

impl Live {
    /// The head of a response is about to go out.
    fn answering<B>(&self, response: &mut Response<B>, connect: bool) {
        if self.is_http2() {
            return;
        }
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success()) {
            self.upgrade();
        } else if self.stage() >= crate::drain::Stage::Polite {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

pin_project! {
    /// A response's body: the request is in flight until it ends.
    pub(super) struct Counted<B> {
        // None: refused, without a word
        #[pin]
        body: Option<B>,
        flow: Option<Arc<Flow>>,
        in_flight: InFlight,
    }
}

impl<B: http_body::Body> http_body::Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let Some(flow) = this.flow else { return body.poll_frame(cx) };
        flow.asked();
        let frame = body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = frame {
            flow.gave();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}
