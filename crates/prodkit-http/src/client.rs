//! Calls to others: context, deadline, circuit and metrics in one layer, and retries in another around it.
//!
//! They go around any `tower::Service<http::Request<B>>`: hyper-util's client, reqwest's, a tonic channel. [`Connections`] goes
//! around the connector of hyper-util's and counts what its pool is made of.
//!
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use prodkit_http::client::{Breaker, Outbound, Retry};
//! use std::{sync::Arc, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # async fn network(_: Request<Full<&'static [u8]>>) -> Result<Response<String>, std::io::Error> {
//! #     Ok(Response::new("paid".to_owned()))
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), prodkit_http::BoxError> {
//! let recorder = Arc::new(metrics::NoopRecorder); // or one that counts
//! let client = ServiceBuilder::new()
//!     .layer(Retry::new(&*recorder)) // idempotent requests, within a budget
//!     .layer(Outbound::new(recorder).timeout(Duration::from_secs(2)).breaker(Breaker::default()))
//!     .service(tower::service_fn(network)); // hyper-util's `Client`, or reqwest's
//!
//! let request = Request::get("http://payments:8080/status").body(Full::default())?;
//! assert_eq!(client.oneshot(request).await?.into_body(), "paid");
//! # Ok(()) }
//! ```

mod breaker;
mod budget;
mod call;
mod connections;
mod error;
mod retry;
mod targets;

pub use breaker::Breaker;
pub use call::{Call, Calling};
pub use connections::{Connecting, Connections, CountedConnection};
pub use error::Error;
pub use retry::{Retried, Retry, Retrying};

use crate::connection::after;
use metrics::Recorder;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use targets::Targets;

/// The layer for each single call. For each request it
/// - writes the running trace into its headers ([`prodkit_trace::inject`]);
/// - gives it what is left of the time: that of the request being served ([`deadline`](crate::deadline)), or its own
///   timeout where that is shorter. Over gRPC `grpc-timeout` tells the other side;
/// - with a [`Breaker`], does not call a target that does not answer;
/// - measures `http_client_request_duration_seconds{server,method,status}` to the head of the response,
///   `http_client_active_requests{server}` and `http_client_circuit_open{server}`.
///
/// `server` is host and port. At most 200 of them are told apart, the rest share `_OTHER`. Where no response came, `status`
/// is `error`, `timeout`, `open` or `dropped`.
///
/// A failure, to the circuit, is a call without a response, a status of 500 and above, and gRPC's `DEADLINE_EXCEEDED`,
/// `INTERNAL` and `UNAVAILABLE` where they come without a message.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct Outbound {
    targets: Arc<Targets>,
    timeout: Option<Duration>,
}

impl Outbound {
    /// Counts with `recorder`. No timeout and no circuit yet.
    pub fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self { targets: Arc::new(Targets::new(recorder)), timeout: None }
    }

    /// From a request to the head of its response. Default: none but what is left of the request being served.
    ///
    /// The future of the call is dropped then. How long the body takes is up to whoever reads it.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Gives each target a circuit, which all clones of this layer share. Default: none.
    pub fn breaker(self, breaker: Breaker) -> Self {
        Self { targets: Arc::new(self.targets.with_breaker(breaker)), ..self }
    }
}

impl<S> tower_layer::Layer<S> for Outbound {
    type Service = Calling<S>;

    fn layer(&self, inner: S) -> Calling<S> {
        Calling::new(inner, self.clone())
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
