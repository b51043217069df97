//! A service without its type. HTTP/2 is by far the larger part of the code of a connection: it is compiled once, here, and not
//! anew for each service, in the crate of whoever has one. What that costs a request is two allocations.

use super::exchange::Served;
use crate::BoxError;
use crate::body::Body;
use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

pub(super) struct Erased(Box<dyn Erase>);

type Answering = Pin<Box<dyn Future<Output = Result<Response<Content>, BoxError>> + Send>>;
type Content = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

trait Erase: Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;
    fn call(&mut self, request: Request<Body>) -> Answering;
    fn another(&self) -> Box<dyn Erase>;
}

impl<S: Served> Erase for S {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(self, cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let answering = Service::call(self, request);
        Box::pin(async {
            let response = answering.await.map_err(Into::into)?;
            Ok(response.map(|body| Box::pin(Plain { body }) as Content))
        })
    }

    fn another(&self) -> Box<dyn Erase> {
        Box::new(self.clone())
    }
}

impl Erased {
    pub(super) fn new(service: impl Served) -> Self {
        Self(Box::new(service))
    }
}

impl Clone for Erased {
    fn clone(&self) -> Self {
        Self(self.0.another())
    }
}

impl Service<Request<Body>> for Erased {
    type Response = Response<Content>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        self.0.call(request)
    }
}

pin_project! {
    /// A body of [`Bytes`]. Those that are such already are not copied.
    struct Plain<B> {
        #[pin]
        body: B,
    }
}

impl<B: http_body::Body<Error: Into<BoxError>>> http_body::Body for Plain<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let plain = |mut data: B::Data| data.copy_to_bytes(data.remaining());
        let frame = self.project().body.poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(plain)).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, Full};
    use std::collections::VecDeque;
    use std::convert::Infallible;

    #[tokio::test]
    async fn data_of_any_kind_comes_through_with_its_length() {
        // in two pieces
        let mut data = VecDeque::from(b"abcd".to_vec());
        data.rotate_left(2);
        data.push_back(b'e');
        let service = tower::service_fn(move |_| {
            let body = Full::new(data.clone());
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let mut service = Erased::new(service).clone();
        let body = Service::call(&mut service, Request::new(Body::empty())).await.unwrap().into_body();
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "cdabe");
    }

    #[tokio::test]
    async fn errors_stay_what_they_were() {
        let service = tower::service_fn(async |_| Err::<Response<Full<Bytes>>, _>(std::fmt::Error));
        let answer = Service::call(&mut Erased::new(service), Request::new(Body::empty()));
        let Err(error) = answer.await else {
            panic!("no error");
        };
        assert!(error.is::<std::fmt::Error>());
    }
}
