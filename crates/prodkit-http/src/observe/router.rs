//! Inside a router: which route it is.

use super::metrics::{Metrics, RouteMetrics};
use crate::current;
use http::{Extensions, Request};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// The layer that [`Observe::router`](super::Observe::router) has put around each handler of a router.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct TellRoute {
    matched: fn(&Extensions) -> Option<&str>,
    metrics: Arc<Metrics>,
}

impl TellRoute {
    pub(super) fn new(matched: fn(&Extensions) -> Option<&str>, metrics: Arc<Metrics>) -> Self {
        Self { matched, metrics }
    }
}

impl<S> tower_layer::Layer<S> for TellRoute {
    type Service = RouteTold<S>;

    fn layer(&self, inner: S) -> RouteTold<S> {
        RouteTold { inner, place: Arc::new(Place { tell: self.clone(), first: OnceLock::new() }) }
    }
}

impl fmt::Debug for TellRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TellRoute").finish_non_exhaustive()
    }
}

/// The service made by [`TellRoute`].
#[derive(Clone)]
pub struct RouteTold<S> {
    inner: S,
    place: Arc<Place>,
}

struct Place {
    tell: TellRoute,
    /// The route that came here first. A layer of a router is made once for each, so it is nearly always the only one.
    first: OnceLock<Arc<RouteMetrics>>,
}

impl<S, B> tower_service::Service<Request<B>> for RouteTold<S>
where
    S: tower_service::Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ToldFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Place { tell: TellRoute { matched, metrics }, first } = &*self.place;
        if let Some(route) = matched(request.extensions()) {
            current::tell_route(metrics.route_or(first, route));
        }
        // not by a closure: what goes into one is copied
        if current::is_route_all() {
            return ToldFuture { inner: None };
        }
        ToldFuture { inner: Some(self.inner.call(request)) }
    }
}

impl<S: fmt::Debug> fmt::Debug for RouteTold<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTold").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`RouteTold`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ToldFuture<F> {
        // None: nothing but the route was asked for, and the request is refused
        #[pin]
        inner: Option<F>,
    }
}

impl<F: Future> Future for ToldFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.as_pin_mut().map_or(Poll::Pending, |inner| inner.poll(cx))
    }
}
