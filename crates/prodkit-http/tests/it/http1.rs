//! HTTP/1 as it is spoken.

use crate::support::{Server, header, hello, service, status, text, until};
use http::Request;
use http_body_util::BodyExt as _;
use prodkit_http::{Body, Limits, peer_addr};
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        let (head, body) = client.get("/").await;
        assert_eq!((status(&head), body.as_str()), (200, "hello"));
        assert_eq!(header(&head, "connection"), None);
    }
    assert_eq!((server.traffic.connections(), server.traffic.requests()), (1, 0));
    server.ends_clean().await;
}

#[tokio::test]
async fn requests_may_be_pipelined() {
    let server =
        Server::start(service(async |request| Ok(text(request.uri().path().to_owned()))), Limits::default());
    let server = server.await;
    let mut client = server.connect().await;
    client
        .send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHo")
        .await;
    assert_eq!(client.response().await.1, "/1");
    assert_eq!(client.response().await.1, "/2");
    client.send("st: a\r\n\r\n").await;
    assert_eq!(client.response().await.1, "/3");
    server.ends_clean().await;
}

/// What arrives while a request waits is taken in to see whether its client is there, and belongs to the next ones.
#[tokio::test]
async fn what_a_client_sends_while_its_request_waits_is_its_next_request() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let waits = service(move |request: Request<Body>| {
        let gate = opened.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await?.to_bytes();
            gate.acquire().await?.forget();
            Ok(text([path.as_bytes(), &body].concat()))
        }
    });
    let server = Server::start(waits, Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("in flight", || server.traffic.requests() == 1).await;
    // in three pieces, the first of which is as short as can be
    client.send("P").await;
    client
        .send("OST /2 HTTP/1.1\r\nHost: a.name.longer.than.any.buffer\r\nContent-Length: 5\r\n\r\nbo")
        .await;
    client.send("dy!GET /3 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    for expected in ["/1", "/2body!", "/3"] {
        gate.add_permits(1);
        assert_eq!(client.response().await.1, expected);
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn a_client_that_expects_it_is_told_to_continue_when_the_body_is_wanted() {
    let echo = service(async |request| Ok(text(request.into_body().collect().await?.to_bytes())));
    let server = Server::start(echo, Limits::default()).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 100);
    client.send("hi").await;
    assert_eq!(client.response().await.1, "hi");
    server.ends_clean().await;
}

#[tokio::test]
async fn nonsense_is_answered_400_and_closed() {
    let server = Server::start(hello(), Limits::default()).await;
    for nonsense in [
        "nonsense\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(nonsense).await;
        let answer = client.rest().await;
        assert!(answer.is_empty() || status(&answer) == 400, "{nonsense:?}: {answer:?}");
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn the_service_knows_its_peer() {
    let whoami = service(async |_| Ok(text(peer_addr().map_or_else(String::new, |peer| peer.to_string()))));
    let server = Server::start(whoami, Limits::default()).await;
    let mut client = server.connect().await;
    let me = client.stream.local_addr().expect("connected").to_string();
    assert_eq!(client.get("/").await.1, me);
    assert_eq!(peer_addr(), None);
    server.ends_clean().await;
}

/// A service whose readiness was promised to one clone: that one must be called.
#[tokio::test]
async fn a_service_that_is_not_ready_is_waited_for() {
    let limited = tower::ServiceBuilder::new().layer(tower::limit::ConcurrencyLimitLayer::new(1)).service(
        tower::service_fn(async |request: http::Request<prodkit_http::Body>| {
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, prodkit_http::BoxError>(text(body))
        }),
    );
    let server = Server::start(prodkit_http::Service::new(limited), Limits::default()).await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.send(post).await;
    crate::support::until("first in flight", || server.traffic.requests() == 1).await;
    second.send(post).await;
    crate::support::until("second in flight", || server.traffic.requests() == 2).await;
    second.send("b!").await;
    first.send("a!").await;
    assert_eq!(first.response().await.1, "a!");
    assert_eq!(second.response().await.1, "b!");
    // and again: no permit was lost
    assert_eq!(first.get("/").await.1, "");
    server.ends_clean().await;
}
