//! What no service gets to see is counted by its reason, and nothing else is.

use crate::support::{Server, Witness, hello, status, text, until};
use prodkit_http::{Body, Limits, Listener, Service};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tower::Layer as _;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

fn patient() -> Limits {
    Limits::default().first_byte(LONG).header_timeout(LONG).idle(LONG).read_timeout(LONG).write_timeout(LONG)
}

async fn start(witness: &Witness, service: Service, limits: Limits) -> Server {
    let listener = Listener::bind("127.0.0.1", 0).await.expect("a free port");
    Server::start_on(listener, service, limits, &*witness.counts)
}

/// The reasons that were counted, and how often.
fn refused(witness: &Witness) -> Vec<(String, f64)> {
    let reason = |(name, count): (String, f64)| {
        let reason = name.strip_prefix("http_server_refused_total{reason=")?.strip_suffix('}')?;
        Some((reason.to_owned(), count))
    };
    witness.counts.values().into_iter().filter_map(reason).collect()
}

#[tokio::test]
async fn what_is_answered_without_the_service_is_counted_by_its_status() {
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
            "not_implemented",
        ),
        (large.as_str(), 431, "head_too_large"),
    ];
    for (sent, answered, reason) in cases {
        let witness = Witness::default();
        let server = start(&witness, hello(), patient()).await;
        let mut client = server.connect().await;
        client.send(sent).await;
        assert_eq!(status(&client.response().await.0), answered, "{sent}");
        client.closed().await;
        until("counted", || !refused(&witness).is_empty()).await;
        assert_eq!(refused(&witness), [(reason.to_owned(), 1.0)], "{sent}");
        server.ends_clean().await;
    }
}

#[tokio::test]
async fn who_says_too_little_in_time_is_counted_and_who_leaves_or_is_idle_is_not() {
    for (limits, sent, expected) in [
        (patient().first_byte(SHORT), "", Some("first_byte_timeout")),
        (patient().header_timeout(SHORT), "GET / HTTP/1.1\r\nHo", Some("header_timeout")),
        (patient().idle(SHORT), "GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ] {
        let witness = Witness::default();
        let server = start(&witness, hello(), limits).await;
        let mut leaves = server.connect().await;
        leaves.send("GET / HT").await;
        drop(leaves);
        let mut client = server.connect().await;
        client.send(sent).await;
        client.rest().await;
        until("all are gone", || server.traffic.connections() == 0).await;
        let expected: Vec<_> = expected.map(|reason| (reason.to_owned(), 1.0)).into_iter().collect();
        assert_eq!(refused(&witness), expected, "{sent:?}");
        server.ends_clean().await;
    }
}

/// The end of the server is no fault of theirs.
#[tokio::test]
async fn who_is_cut_by_the_end_is_not_counted() {
    let witness = Witness::default();
    let server = start(&witness, hello(), patient()).await;
    let silent = server.connect().await;
    let mut half = server.connect().await;
    half.send("GET / HTTP/1.1\r\nHo").await;
    until("both are there", || server.traffic.connections() == 2).await;
    server.ends_clean().await;
    assert_eq!(refused(&witness), []);
    drop((silent, half));
}

#[tokio::test]
async fn what_is_refused_for_its_size_or_for_its_number_is_counted() {
    let witness = Arc::<Witness>::default();
    let echo = tower::service_fn(async |_: http::Request<Body>| Ok::<_, Infallible>(text("hello")));
    let service = Service::new(witness.observe().max_in_flight(0).layer(echo));
    let server = start(&witness, service, patient().body_bytes(10).max_connections(1)).await;
    let mut client = server.connect().await;
    let (head, _) = client.get("/").await;
    assert_eq!(status(&head), 503);
    let waiting = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 413);
    let once = |reason: &str| (reason.to_owned(), 1.0);
    assert_eq!(refused(&witness), [once("body_too_large"), once("max_connections"), once("shed")]);
    drop((client, waiting));
    server.ends_clean().await;
}
