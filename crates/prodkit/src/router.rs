//! An axum `Router` under observation.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http::{Extensions, Request};
use http_body::Body as _;
use prodkit_http::{Body, Observe, Observed};
use tower::Service;

use crate::app::BodyLimit;

/// What axum's extractors take, unless told otherwise.
const OF_EXTRACTORS: BodyLimit = 2 << 20;

#[inline]
pub(crate) fn observed(router: Router, observe: Observe, body_limit: BodyLimit) -> Observed<Routes> {
    // The body keeps to `server.max_body_size` by itself. What a route's own layer says still holds: it is further in.
    let router = if body_limit > OF_EXTRACTORS { router.layer(DefaultBodyLimit::disable()) } else { router };
    // With its state a Router keeps its handlers; without, it builds each anew for every request.
    observe.router(matched_path, |tell| Routes(router.layer(tell).with_state(())))
}

fn matched_path(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

/// The router, with axum's own body where there is none: any other is boxed.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Router);

impl Service<Request<Body>> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    #[inline]
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request.map(|body| {
            if body.is_end_stream() { axum::body::Body::empty() } else { axum::body::Body::new(body) }
        }))
    }
}
