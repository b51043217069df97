//! The main port: the probes' mirror in front of the app, outside of every limit, timeout and log line.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use prodkit_http::Body;
use tower::Service;

use crate::vitals::{self, Own, Vitals};

/// Answers the probes itself and hands everything else to the app.
#[derive(Clone)]
pub(crate) struct Front<S> {
    vitals: Option<Vitals>,
    service: S,
}

impl<S> Front<S> {
    /// Without vitals it only hands on.
    pub(crate) const fn new(vitals: Option<Vitals>, service: S) -> Self {
        Self { vitals, service }
    }
}

type Answer<B> = Response<Either<Own, B>>;

impl<S, B> Service<Request<Body>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: http_body::Body<Data = Bytes>,
{
    type Response = Answer<B>;
    type Error = S::Error;
    type Future = FrontFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Probes are answered while the app is not ready, too; but which request comes next is not known yet, and
        // services of an HTTP server are always ready.
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(vitals) = &self.vitals
            && vitals.matches(request.uri().path())
        {
            return FrontFuture::Vitals { answer: answer(vitals, request) };
        }
        FrontFuture::Service { future: self.service.call(request) }
    }
}

/// Apart, so that requests which are handed on are not copied for it.
#[cold]
#[inline(never)]
fn answer(vitals: &Vitals, request: Request<Body>) -> Pin<Box<vitals::Answer>> {
    Box::pin(vitals.answer(request))
}

pin_project! {
    #[project = Projection]
    pub(crate) enum FrontFuture<F> {
        // boxed: probes are seldom, and a future moves before it is polled
        Vitals { answer: Pin<Box<vitals::Answer>> },
        Service { #[pin] future: F },
    }
}

impl<F, B, E> Future for FrontFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Answer<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projection::Service { future } => Poll::Ready(Ok(ready!(future.poll(cx))?.map(Either::Right))),
            Projection::Vitals { answer } => {
                Poll::Ready(Ok(ready!(answer.as_mut().poll(cx)).map(Either::Left)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use http_body_util::Full;
    use prodkit_http::Observe;
    use std::convert::Infallible;
    use std::sync::Arc;
    use tower::ServiceExt as _;
    use tower::util::service_fn;

    struct Unseen;

    impl prodkit_http::Observer for Unseen {
        fn decide(&self, _: &prodkit_http::Parent<'_>) -> prodkit_http::Decision {
            prodkit_http::Decision::new(false)
        }

        fn finished(&self, _: &prodkit_http::Exchange<'_>) {}
    }

    /// A body whose length is not known any more goes out in chunks.
    #[tokio::test]
    async fn the_length_of_an_answer_survives() {
        let service =
            service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("eleven byte"))));
        let recorder = prodkit_metrics::Recorder::new(prodkit_metrics::Options::new());
        let observed = tower::Layer::layer(&Observe::new(Arc::new(Unseen), Arc::new(recorder)), service);
        let answer = Front::new(None, observed).oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.body().size_hint().exact(), Some(11));
    }
}
