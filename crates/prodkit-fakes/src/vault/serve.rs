//! One function from HTTP to the world and back.

use super::Shared;
use super::reply::{Call, Reply};
use crate::Behaviour;
use crate::server::{Body, Gate, broken_off, frames};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use std::io;
use std::sync::Arc;

pub(super) async fn answer(
    request: Request<Incoming>,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path().trim_start_matches("/v1/").to_owned();
    let text = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let bearer = text("authorization").strip_prefix("Bearer ").map(str::to_owned);
    let call = Call {
        method: head.method.clone(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: bearer.unwrap_or_else(|| text("x-vault-token")),
        namespace: text("x-vault-namespace"),
        body: if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() },
        path,
    };
    // decided before anybody can know of the request: what a test sets once it has seen it is for the next one
    let behaviour = {
        let mut world = shared.world();
        *world.counts.entry(call.path.clone()).or_default() += 1;
        world.behaviours.get(&call.path).cloned().unwrap_or_else(|| gate.behaviour())
    };
    shared.asked.send_modify(|asked| *asked += 1);

    Ok(match behaviour {
        Behaviour::Answer => response(shared.world().answer(&call)),
        Behaviour::Slow(delay) => {
            tokio::time::sleep(delay).await;
            response(shared.world().answer(&call))
        }
        Behaviour::Body(body) => json(StatusCode::OK, body),
        Behaviour::Status(status, headers) => failure(status, headers),
        Behaviour::Hang | Behaviour::Refuse => std::future::pending().await,
        Behaviour::Reset => broken_off(b"{\"request_id\":\"a\",\"data\":{"),
    })
}

fn response(reply: Reply) -> Response<Body> {
    let body = reply.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let mut response = json(StatusCode::from_u16(reply.status).unwrap_or_default(), body);
    if let Some(location) = reply.location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn failure(status: StatusCode, headers: HeaderMap) -> Response<Body> {
    let text = match status.as_u16() {
        403 => "permission denied",
        429 => "request path \"secret/data/app\": rate limit quota exceeded",
        503 => "Vault is sealed",
        _ => "internal error",
    };
    let mut response = response(Reply::errors(status.as_u16(), &[text]));
    response.headers_mut().extend(headers);
    response
}

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(frames(vec![Ok(Frame::data(body))]));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
