//! `grpc.health.v1`: the same answers for gRPC clients, load balancers and the kubelet's `grpc` probe.
//!
//! Sources: `grpc/health/v1/health.proto` of grpc-proto, gRPC's "GRPC Health Checking Protocol" and "gRPC over HTTP2"
//! (`doc/health-checking.md`, `doc/PROTOCOL-HTTP2.md`).

use crate::{Health, Probe};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

mod body;
mod message;
mod status;

pub use body::Body;
use body::Watching;
use message::Answer;
use status::Status;

/// Where the service is: `/grpc.health.v1.Health/<method>`.
const SERVICE: &str = "/grpc.health.v1.Health/";
/// The longest request: a name is 255 bytes at most, and a prefix of five.
const MAX_REQUEST: usize = 1_024;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The service `grpc.health.v1.Health` with `Check` and `Watch`, answered from memory.
///
/// | name of the service | what it says |
/// |---|---|
/// | empty, `readiness` | the readiness probe; `degraded` is `SERVING` |
/// | `liveness`, `startup` | that probe |
/// | the name of a [group](Health::group) | whether its checks let the process be ready |
///
/// Any other name is `NOT_FOUND` for `Check` and `SERVICE_UNKNOWN` for `Watch`, which goes on in case the name turns up.
/// No reason is told, so that it may stand on a port that everybody reaches.
///
/// The service opens no socket and spawns nothing; whoever serves HTTP/2 hands it the requests that it
/// [`matches`](Grpc::matches).
#[derive(Clone)]
pub struct Grpc {
    health: Health,
    clock: fn() -> Instant,
    closing: Arc<dyn Fn() -> Closing + Send + Sync>,
}

impl Grpc {
    /// `clock` tells the moment of a request: `Instant::now` in production, a paused one in tests.
    pub fn new(health: Health, clock: fn() -> Instant) -> Self {
        Self { health, clock, closing: Arc::new(|| Box::pin(pending())) }
    }

    /// Ends each `Watch` with `UNAVAILABLE` when the future that `closing` makes for it is ready: when the port closes,
    /// so that a stream without an end keeps no server from ending. Clients connect elsewhere then.
    pub fn until<F, Fut>(self, closing: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self { closing: Arc::new(move || Box::pin(closing())), ..self }
    }

    /// Whether a request for `path` is for this service.
    pub fn matches(&self, path: &str) -> bool {
        path.starts_with(SERVICE)
    }

    /// Answers one request. Cancel safe: nothing has happened when it is dropped.
    pub async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if let Some(refused) = refuse(&request) {
            return refused;
        }
        let (head, body) = request.into_parts();
        let method = head.uri.path().strip_prefix(SERVICE).unwrap_or_default();
        let answer = match method {
            "Check" => self.check(body).await,
            "Watch" => self.watch(body).await,
            _ => Err(Status::unimplemented("only Check and Watch are there")),
        };
        answer.unwrap_or_else(|status| respond(Body::nothing(), Some(status)))
    }

    async fn check<B>(self, body: B) -> Result<Response<Body>, Status>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let name = name(body).await?;
        match serving(&self.health, &name, (self.clock)()) {
            Answer::ServiceUnknown => {
                Err(Status::not_found("no service and no group of checks has this name"))
            }
            known => Ok(respond(Body::once(known), None)),
        }
    }

    async fn watch<B>(self, body: B) -> Result<Response<Body>, Status>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let name = name(body).await?;
        let Some(watcher) = self.health.watcher() else {
            return Err(Status::resource_exhausted("too many watch already"));
        };
        let closing = (self.closing)();
        Ok(respond(Body::watching(Watching::new(self.health, self.clock, name, watcher, closing)), None))
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").field("health", &self.health).finish_non_exhaustive()
    }
}

/// What is no gRPC gets an answer of HTTP.
fn refuse<B>(request: &Request<B>) -> Option<Response<Body>> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let status = match () {
        () if *request.method() != Method::POST => StatusCode::METHOD_NOT_ALLOWED,
        // Trailers need it.
        () if request.version() != Version::HTTP_2 => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        () if !is_grpc(kind) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        () => return None,
    };
    let mut response = Response::new(Body::nothing());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    Some(response)
}

/// `application/grpc`, with `+proto` or parameters behind it; JSON and gRPC-Web are something else.
fn is_grpc(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/grpc", "application/grpc+proto"].iter().any(|grpc| kind.eq_ignore_ascii_case(grpc))
}

/// The name asked for.
async fn name<B>(body: B) -> Result<String, Status>
where
    B: http_body::Body + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, MAX_REQUEST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Status::resource_exhausted("the request is longer than 1,024 bytes")
        } else {
            Status::cancelled("the request did not arrive")
        }
    })?;
    message::name(&body.to_bytes())
}

/// What is known of this service.
fn serving(health: &Health, name: &str, now: Instant) -> Answer {
    let verdict = match name {
        "" | "readiness" => Some(health.verdict(Probe::Readiness, now)),
        "liveness" => Some(health.verdict(Probe::Liveness, now)),
        "startup" => Some(health.verdict(Probe::Startup, now)),
        group => health.group_verdict(group, now),
    };
    match verdict {
        None => Answer::ServiceUnknown,
        Some(verdict) if verdict.is_ok() => Answer::Serving,
        Some(_) => Answer::NotServing,
    }
}

/// An error without a body is told in the head alone ("Trailers-Only").
fn respond(body: Body, status: Option<Status>) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    if let Some(status) = status {
        status.write(response.headers_mut());
    }
    response
}

#[cfg(test)]
mod tests;
