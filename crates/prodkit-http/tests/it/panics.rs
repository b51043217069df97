//! Panics where the layer's own guard is not: in destructors and in tasks of the service. (The others are in
//! `observe_faults`.)

use crate::support::{Server, Witness, header, http2, spawn, status, text, until, within};
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper_util::rt::TokioIo;
use prodkit_http::{Body, BoxError, Limits, Outcome, Service};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Layer as _;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

/// Gives all it has, and panics when it is dropped.
struct Explosive {
    full: Full<Bytes>,
    _bomb: Bomb,
}

impl http_body::Body for Explosive {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.full).poll_frame(cx).map_err(|never| match never {})
    }

    fn is_end_stream(&self) -> bool {
        self.full.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.full.size_hint()
    }
}

/// The answer is whole by then, and is seen to be; the connection goes on.
#[tokio::test]
async fn in_the_drop_of_a_body() {
    let witness = Arc::<Witness>::default();
    let observed = witness.observe().layer(tower::service_fn(async |_: Request<Body>| {
        let body = Explosive { full: Full::new(Bytes::from_static(b"whole")), _bomb: Bomb };
        Ok::<_, Infallible>(Response::new(body))
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        let (head, body) = client.get("/").await;
        assert_eq!((status(&head), body.as_str(), header(&head, "connection")), (200, "whole", None));
    }
    let (mut client, _connection) = http2::<Empty<Bytes>>(&server).await;
    for _ in 0..2 {
        let request = Request::get("http://test/").body(Empty::new()).expect("a request");
        let response = within("response", client.send_request(request)).await.expect("answered");
        let body = within("body", response.into_body().collect()).await.expect("whole").to_bytes();
        assert_eq!(body, "whole");
    }
    let outcomes: Vec<_> = witness.exchanges(4).await.iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Completed); 4]);
    drop(client);
    server.ends_clean().await;
}

/// What a client that leaves cancels may panic, too: nothing is left of it, and others are served.
#[tokio::test]
async fn in_the_drop_of_a_service_that_is_cancelled() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe();
    let observed = observe.layer(tower::service_fn(async |request: Request<Body>| {
        if request.uri().path() == "/hangs" {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(text("fine"))
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("in flight", || observe.in_flight() == 1).await;
    drop(client);
    until("gone", || observe.in_flight() == 0 && server.traffic.connections() == 0).await;
    assert_eq!(witness.exchange().await.outcome, Some(Outcome::Disconnected));
    assert_eq!(server.connect().await.get("/").await.1, "fine");
    server.ends_clean().await;
}

#[tokio::test]
async fn in_the_task_of_an_upgrade() {
    let service = Service::new(tower::service_fn(async |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.expect("upgraded"));
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"hi").await.expect("written");
            panic!("in the upgrade");
        });
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
        Ok::<_, Infallible>(response)
    }));
    let server = Server::start(service, Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 101);
    assert_eq!(client.exactly(2).await, b"hi");
    client.closed().await;
    until("gone", || server.traffic.connections() == 0 && server.traffic.requests() == 0).await;
    server.ends_clean().await;
}
