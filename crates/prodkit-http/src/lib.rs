//! A hyper server for any tower service, with limits, a drain that loses nothing, and the one observability layer.
//!
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use prodkit_http::{Body, BoxError, Decision, Drain, Exchange, Limits, Listener, Observe, Observer, Parent, Service};
//! use prodkit_http::{serve, set_route};
//! use prodkit_shutdown::{Cause, channel};
//! use std::{sync::Arc, time::Duration};
//! use tower::Layer;
//!
//! // any tower service: an axum `Router`, tonic's `Routes`, or one function
//! async fn hello(request: Request<Body>) -> Result<Response<Full<&'static [u8]>>, BoxError> {
//!     match request.uri().path() {
//!         "/" => set_route("/"),
//!         _ => return Err("nothing else is here".into()), // answered 500, with the trace id and no detail
//!     }
//!     Ok(Response::new(Full::new(b"hello")))
//! }
//!
//! // where what happened goes: to a log and a tracer of your choice
//! struct Print;
//!
//! impl Observer for Print {
//!     fn decide(&self, caller: &Parent<'_>) -> Decision {
//!         Decision::new(caller.context().is_some_and(|caller| caller.is_sampled()))
//!     }
//!
//!     fn finished(&self, exchange: &Exchange<'_>) {
//!         println!("{} {:?} {}", exchange.status(), exchange.route(), exchange.context().trace_id());
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let recorder = Arc::new(metrics::NoopRecorder); // or one that counts
//! let observe = Observe::new(Arc::new(Print), recorder.clone()).timeout(Duration::from_secs(30)).max_in_flight(1000);
//! let service = Service::new(observe.layer(tower::service_fn(hello)));
//!
//! // three orders, to be given one after the other
//! let (polite, on_polite) = channel();
//! let (close, on_close) = channel();
//! let (abort, on_abort) = channel();
//! let drain = Drain::new(on_polite, on_close, on_abort).window(Duration::from_secs(5));
//!
//! let listener = Listener::bind("127.0.0.1", 0).await?;
//! println!("serving on {listener}");
//! let server = serve(listener, service, Limits::default(), drain).recorder(&*recorder);
//!
//! # polite.fire(Cause::requested("the example"));
//! # close.fire(Cause::requested("the example"));
//! # let _ = abort;
//! let drained = server.await; // runs until `close`, or `abort`, has done its work
//! assert_eq!(drained.requests_cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What a connection is given
//!
//! Every time, size and number is bounded: see [`Limits`]. HTTP/1 and HTTP/2 (with prior knowledge) are told apart by
//! the first bytes, or by ALPN where the listener speaks TLS. A connection has a deadline for its first byte, for each request's head, for being idle, and for
//! taking nothing of what is written to it; a request's body has one for keeping its reader waiting. A client that
//! leaves cancels its requests: their futures are dropped. (One that shuts only its sending side has left, too.)
//!
//! What others on the way might read otherwise never reaches the service: `400`, and the end of an HTTP/1 connection, for
//! a `Host` that is missing, repeated or none, a target that is not of its method's form, a body whose end is not beyond
//! doubt (RFC 9112, sections 3.2 and 6; RFC 9113, section 8.3). A target that names its host (`GET http://a/`) overrules
//! `Host`.
//!
//! An HTTP/1 upgrade (WebSocket) counts as in flight for as long as anybody holds the connection, and is cut by `abort`
//! like everything else; no other deadline applies to it. Upgrades over HTTP/2 (extended CONNECT) are not offered.
//!
//! # When not to use it
//!
//! - As a router, a logger or an exporter. It knows none: the route comes by a function or [`set_route`], everything
//!   else goes to the [`Observer`] and the recorder.
//! - For a protocol that is not HTTP, or for HTTP/3.
//!
//! # Features
//!
//! - `tls`: `Listener::tls`, over certificates that change (prodkit-tls), with ring.
//! - `tls-aws-lc`: the same with aws-lc-rs.

mod bell;
mod body;
pub mod client;
mod connection;
mod current;
mod drain;
mod gradient;
#[cfg(feature = "__tls")]
mod handshakes;
mod limits;
mod listener;
mod observe;
mod outcomes;
mod proxies;
pub mod proxy_protocol;
mod refused;
mod roster;
mod route;
mod server;
mod service;

pub use body::{Body, ReadTimeout};
pub use current::{client_addr, deadline, peer_addr, set_route};
pub use drain::{Drain, Drained};
pub use gradient::Gradient;
pub use limits::Limits;
pub use listener::{BindError, Listener};
pub use observe::{
    Decision, Exchange, GrpcStatus, Observe, Observed, ObservedBody, ObservedFuture, Observer, Outcome,
    Parent, RouteTold, TellRoute, ToldFuture,
};
pub use proxies::{InvalidProxy, Origin, TrustedProxies, TrustedProxy};
pub use roster::Traffic;
pub use route::Route;
pub use server::{Driver, serve};
pub use service::Service;

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
