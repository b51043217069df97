//! A service of gRPC on tonic, written as its generated code would be, with texts for messages.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{Request, Response};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Status, Streaming};

/// `e2e.v1.Calls`: `Unary` answers with what it gets, `Down` with as many messages as it is told, `Up` with what it got in
/// one, `Both` with what it gets. A message `fail 5` is answered with that status, `hang` never, and `hold` (`Down`) with
/// one message and no end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls(());

type Messages = BoxStream<'static, Result<String, Status>>;

impl tonic::server::NamedService for Calls {
    const NAME: &'static str = "e2e.v1.Calls";
}

impl tower_service::Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            let method = request.uri().path().strip_prefix("/e2e.v1.Calls/").unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "Unary" => grpc.unary(Method(unary), request).await,
                "Down" => grpc.server_streaming(Method(down), request).await,
                "Up" => grpc.client_streaming(Method(up), request).await,
                "Both" => grpc.streaming(Method(both), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// One method; an `async fn` is one.
#[derive(Clone, Copy)]
struct Method<F>(F);

impl<F, Fut, M, R> tower_service::Service<tonic::Request<M>> for Method<F>
where
    F: Fn(M) -> Fut,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    type Response = tonic::Response<R>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<R>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<M>) -> Self::Future {
        let answer = self.0(request.into_inner());
        Box::pin(async { answer.await.map(tonic::Response::new) })
    }
}

async fn unary(message: String) -> Result<String, Status> {
    tracing::info!(message, "called");
    match message.split_once(' ') {
        Some(("fail", code)) => Err(Status::new(code.parse().unwrap_or(2).into(), "as asked")),
        _ if message == "hang" => std::future::pending().await,
        _ => Ok(message),
    }
}

async fn down(message: String) -> Result<Messages, Status> {
    tracing::info!(message, "called");
    if message == "hold" {
        return Ok(stream::iter([Ok("held".to_owned())]).chain(stream::pending()).boxed());
    }
    let count: u32 = message.parse().map_err(|_| Status::invalid_argument("not a number"))?;
    Ok(stream::iter((0..count).map(|number| Ok(number.to_string()))).boxed())
}

async fn up(messages: Streaming<String>) -> Result<String, Status> {
    let messages: Vec<_> = messages.collect().await;
    Ok(messages.into_iter().collect::<Result<Vec<_>, _>>()?.join(" "))
}

async fn both(messages: Streaming<String>) -> Result<Messages, Status> {
    Ok(messages.boxed())
}

/// Messages that are texts.
#[derive(Clone, Copy, Debug)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(buffer, item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let length = bytes::Buf::remaining(buffer);
        let bytes = bytes::Buf::copy_to_bytes(buffer, length);
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::invalid_argument("not UTF-8"))
    }
}
