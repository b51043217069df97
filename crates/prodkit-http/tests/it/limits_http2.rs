//! The limits of HTTP/2.

use crate::frames::{END, Frames, GET, GOAWAY, HEADERS, RST_STREAM, SETTINGS, frame};
use crate::support::{Server, hello, http2, spawn, text, until, within};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use prodkit_http::Limits;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(600);

fn patient() -> Limits {
    Limits::default()
        .first_byte(LONG)
        .header_timeout(LONG)
        .idle(LONG)
        .write_timeout(LONG)
        .http2_ping(LONG, LONG)
}

#[tokio::test]
async fn the_client_is_told_its_limits() {
    let server = Server::start(hello(), patient().http2_max_streams(7).header_bytes(12_345)).await;
    let mut client = Frames::connect(&server).await;
    let settings = client.next(SETTINGS).await;
    let setting = |id: u16| {
        settings
            .chunks(6)
            .find(|setting| setting[..2] == id.to_be_bytes())
            .map(|setting| u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]))
    };
    // SETTINGS_MAX_CONCURRENT_STREAMS, SETTINGS_MAX_HEADER_LIST_SIZE
    assert_eq!((setting(3), setting(6)), (Some(7), Some(12_345)));
    server.ends_clean().await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let server = Server::start(hello(), patient().http2_max_resets(5)).await;
    let mut client = Frames::connect(&server).await;
    let mut burst = vec![];
    for stream in (1..2000).step_by(2) {
        burst.extend(frame(HEADERS, END, stream, &GET));
        burst.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    client.0.send(burst).await;
    let goaway = client.next(GOAWAY).await;
    // ENHANCE_YOUR_CALM
    assert_eq!(goaway[4..8], 11u32.to_be_bytes());
    server.ends_clean().await;
}

#[tokio::test]
async fn a_client_that_is_dead_is_cut() {
    let server = Server::start(hello(), patient().http2_ping(SHORT, SHORT)).await;
    let mut client = Frames::connect(&server).await;
    client.0.rest().await;
    until("cut", || server.traffic.connections() == 0).await;
    server.ends_clean().await;
}

/// Streams end in tasks of their own, on other threads than their connection's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_is_idle_again_after_its_requests() {
    let server = Server::start(hello(), patient().idle(SHORT)).await;
    for _ in 0..20 {
        let mut client = Frames::connect(&server).await;
        client.send(HEADERS, END, 1, &GET).await;
        let goaway = client.next(GOAWAY).await;
        // it was told when that request was over
        assert_eq!(goaway, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(server.traffic.requests(), 0);
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go() {
    let server = Server::start(hello(), patient().idle(SHORT)).await;
    let mut client = Frames::connect(&server).await;
    let goaway = client.next(GOAWAY).await;
    assert_eq!(goaway[4..8], 0u32.to_be_bytes());
    // it does not answer: it is cut
    client.0.rest().await;
    let (_client, connection) = http2::<Empty<Bytes>>(&server).await;
    within("the end", connection).await.expect("no panic").expect("a clean end");
    server.ends_clean().await;
}

#[tokio::test]
async fn large_headers_are_answered_431() {
    let server = Server::start(hello(), patient().header_bytes(1000)).await;
    let (mut client, _connection) = http2::<Empty<Bytes>>(&server).await;
    let request =
        Request::get("http://test/").header("x", "x".repeat(2000)).body(Empty::new()).expect("a request");
    match within("response", client.send_request(request)).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
    server.ends_clean().await;
}

/// One stream whose window stays shut is reset; another goes on.
#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset() {
    let witness = std::sync::Arc::<crate::support::Witness>::default();
    let observed = tower::Layer::layer(
        &witness.observe(),
        tower::service_fn(async |request: Request<prodkit_http::Body>| {
            let size = if request.uri().path() == "/large" { 10 << 20 } else { 10 };
            Ok::<_, std::convert::Infallible>(text(vec![b'x'; size]))
        }),
    );
    let server = Server::start(prodkit_http::Service::new(observed), patient().write_timeout(SHORT)).await;
    let (mut client, _connection) = http2::<Empty<Bytes>>(&server).await;
    let get = |path: &str| {
        Request::get(format!("http://test{path}")).body(Empty::<Bytes>::new()).expect("a request")
    };
    let response = within("response", client.send_request(get("/large"))).await.expect("answered");
    // its body is not read
    until("reset", || server.traffic.requests() == 0).await;
    assert!(spawn(response.into_body().collect()).await.expect("no panic").is_err());
    let response = within("response", client.send_request(get("/"))).await.expect("answered");
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes().len(), 10);
    let outcomes: Vec<_> = witness.exchanges(2).await.iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Some(prodkit_http::Outcome::Disconnected), Some(prodkit_http::Outcome::Completed)]);
    drop(client);
    server.ends_clean().await;
}
