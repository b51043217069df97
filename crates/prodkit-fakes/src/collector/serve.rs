//! One function from request to response.

use super::{Received, Shared};
use crate::Behaviour;
use crate::server::{Body, Gate, Shown, broken_off, frames};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io;
use std::sync::Arc;

pub(super) async fn answer(
    request: Request<Incoming>,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let mut body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let grpc =
        head.headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        body = body.slice(body.len().min(5)..);
    }
    // decided before anybody can know of the request: what a test sets once it has seen it is for the next one
    let behaviour = gate.behaviour();
    let client = head.extensions.get::<Shown>().map(|shown| shown.0.clone());
    shared.receive(Received { path: head.uri.path().to_owned(), headers: head.headers, body, client });

    Ok(match behaviour {
        Behaviour::Answer => success(grpc, Bytes::new()),
        Behaviour::Body(message) => success(grpc, message),
        Behaviour::Slow(delay) => {
            tokio::time::sleep(delay).await;
            success(grpc, Bytes::new())
        }
        Behaviour::Status(status, headers) if grpc => grpc_error(status, headers),
        Behaviour::Status(status, headers) => {
            let mut response = Response::new(frames(Vec::new()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Behaviour::Hang | Behaviour::Refuse => std::future::pending().await,
        Behaviour::Reset => broken_off(&[10]),
    })
}

fn success(grpc: bool, message: Bytes) -> Response<Body> {
    if !grpc {
        let mut response = Response::new(frames(vec![Ok(Frame::data(message))]));
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        response.headers_mut().insert(header::CONTENT_TYPE, protobuf);
        return response;
    }
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response =
        Response::new(frames(vec![Ok(Frame::data(framed.freeze())), Ok(Frame::trailers(trailers))]));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A response of headers only, as gRPC has it for errors.
fn grpc_error(status: StatusCode, headers: HeaderMap) -> Response<Body> {
    let code = if matches!(status.as_u16(), 429 | 502 | 503 | 504) { "14" } else { "3" };
    let mut response = Response::new(frames(Vec::new()));
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("grpc-status", HeaderValue::from_static(code));
    response
}
