//! Upgraded connections are in flight.

use crate::support::{Server, spawn, status, until};
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use prodkit_http::{Body, Limits, Service};
use std::convert::Infallible;

/// Echoes what it gets once upgraded.
fn echo() -> Service {
    Service::new(tower::service_fn(async |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.expect("upgraded")));
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
        Ok::<_, Infallible>(response)
    }))
}

const UPGRADE_TO_ECHO: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_is_let_finish() {
    let server = Server::start(echo(), Limits::default()).await;
    server.polite();
    let mut client = server.connect().await;
    client.send(UPGRADE_TO_ECHO).await;
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 101);
    client.send("one").await;
    assert_eq!(client.exactly(3).await, b"one");
    server.close();
    client.send("two").await;
    assert_eq!(client.exactly(3).await, b"two");
    assert_eq!((server.traffic.connections(), server.traffic.requests()), (1, 1));
    drop(client);
    server.ends_clean().await;
}

#[tokio::test]
async fn an_upgraded_connection_is_cut_at_the_end() {
    let server = Server::start(echo(), Limits::default()).await;
    let mut client = server.connect().await;
    client.send(UPGRADE_TO_ECHO).await;
    client.response().await;
    client.send("one").await;
    assert_eq!(client.exactly(3).await, b"one");
    until("upgraded", || server.traffic.requests() == 1).await;
    server.close();
    server.abort();
    client.closed().await;
    let drained = server.drained().await;
    assert_eq!((drained.connections_cut, drained.requests_cut), (1, 1));
}
