//! Any tower service, of one type.

use crate::connection::{self, Served, Wire};
use crate::{Body, BoxError};
use http::{Request, Response};
use std::fmt;
use std::pin::Pin;

/// A tower service to be served, whatever its type was: an axum `Router`, tonic's `Routes`, a `service_fn`.
///
/// The type is erased here, once per listener. What is served over HTTP/1 is still the concrete service: neither its future
/// nor its body is boxed for a request. Over HTTP/2 both are, since that is much code to be compiled for each service, and
/// data that is not [`Bytes`](bytes::Bytes) is copied once.
///
/// Each connection gets a clone. An error of the service closes the connection (HTTP/1) or resets the stream (HTTP/2);
/// [`Observe`](crate::Observe) around the service turns errors and panics into an answer.
pub struct Service(Box<dyn Serve>);

impl Service {
    /// Erases the type of `service`.
    pub fn new<S, B>(service: S) -> Self
    where
        S: tower_service::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self(Box::new(Tower(service)))
    }

    pub(crate) fn connection(&self, wire: Wire) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.connection(wire)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// What a listener needs of a service: to serve one connection with it.
trait Serve: Send {
    fn connection(&self, wire: Wire) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

struct Tower<S>(S);

impl<S: Served> Serve for Tower<S> {
    fn connection(&self, wire: Wire) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(connection::run(wire, self.0.clone()))
    }
}
