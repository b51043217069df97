//! The main port: the probes' mirror in front of the app, outside of every limit, timeout and log line.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::future::{Either, FutureExt as _, Map};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::MapFrame;
use http_body_util::{BodyExt as _, Full};
use prodkit_health::Probes;
use prodkit_http::Body;
use tower::Service;

/// Answers the probes itself and hands everything else to the app.
#[derive(Clone)]
pub(crate) struct Front<S> {
    probes: Option<Probes>,
    service: S,
}

impl<S> Front<S> {
    /// Without probes it only hands on.
    pub(crate) const fn new(probes: Option<Probes>, service: S) -> Self {
        Self { probes, service }
    }
}

/// The app's body with its data as `Bytes`, which costs nothing where it is `Bytes` already.
type InBytes<B> = MapFrame<B, fn(Frame<<B as http_body::Body>::Data>) -> Frame<Bytes>>;
type Answer<B> = Response<http_body_util::Either<Full<Bytes>, InBytes<B>>>;

impl<S, B> Service<Request<Body>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body,
{
    type Response = Answer<B>;
    type Error = S::Error;
    // The probe's half holds no error, so that the app's error need not be `Send`.
    type Future = Either<
        Map<Ready<Self::Response>, fn(Self::Response) -> Result<Self::Response, S::Error>>,
        Map<S::Future, fn(Result<Response<B>, S::Error>) -> Result<Self::Response, S::Error>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Probes are answered while the app is not ready, too; but which request comes next is not known yet, and
        // services of an HTTP server are always ready.
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(probes) = &self.probes
            && probes.matches(request.uri().path())
        {
            let answer = probes.answer(&request).map(http_body_util::Either::Left);
            return Either::Left(ready(answer).map(Ok));
        }
        Either::Right(self.service.call(request).map(|answer| answer.map(handed_on)))
    }
}

fn handed_on<B: http_body::Body>(response: Response<B>) -> Answer<B> {
    fn in_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
        frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
    }
    response.map(|body| http_body_util::Either::Right(body.map_frame(in_bytes as fn(_) -> _)))
}
