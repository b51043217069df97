//! What the layer makes of what goes wrong.

use crate::support::{Server, Witness, header, http2, status, stream_of, text, until, within};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use prodkit_http::{Body, BoxError, Limits, Outcome, Service};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::Layer as _;

async fn faulty(request: Request<Body>) -> Result<Response<http_body_util::Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/fails" => Err("a secret".into()),
        "/panics" => panic!("a secret {}", 1),
        "/hangs" => std::future::pending().await,
        "/reads" => Ok(text(request.into_body().collect().await?.to_bytes())),
        _ => Ok(text("fine")),
    }
}

#[tokio::test]
async fn failures_are_answered_without_detail() {
    let cases = [
        ("/fails", 500, Outcome::Failed, Some("a secret")),
        ("/panics", 500, Outcome::Panicked, Some("panicked: a secret 1")),
        ("/hangs", 503, Outcome::TimedOut, None),
    ];
    for (path, code, outcome, error) in cases {
        let witness = Arc::<Witness>::default();
        let observe = witness.observe().timeout(Duration::from_millis(50));
        let observed = Service::new(observe.layer(tower::service_fn(faulty)));
        let server = Server::start(observed, Limits::default()).await;
        let mut client = server.connect().await;
        let (head, body) = client.get(path).await;
        let seen = witness.exchange().await;
        assert_eq!((status(&head), header(&head, "content-type")), (code, Some("application/problem+json")));
        assert_eq!(header(&head, "x-request-id"), Some(&*seen.request_id));
        let title = if code == 500 { "Internal Server Error" } else { "Service Unavailable" };
        assert_eq!(
            body,
            format!(
                r#"{{"type":"about:blank","title":"{title}","status":{code},"trace_id":"{}"}}"#,
                seen.trace_id
            )
        );
        assert_eq!((seen.status, seen.outcome, seen.error.as_deref()), (code, Some(outcome), error));
        // and the connection goes on
        assert_eq!(client.get("/").await.1, "fine");
        assert_eq!(observe.in_flight(), 0);
        server.ends_clean().await;
    }
}

#[tokio::test]
async fn a_panic_before_the_future_is_answered_too() {
    let witness = Arc::<Witness>::default();
    let observed = witness.observe().layer(tower::service_fn(|request: Request<Body>| {
        assert_ne!(request.uri().path(), "/panics", "at once");
        async { Ok::<_, Infallible>(text("fine")) }
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    assert_eq!(status(&client.get("/panics").await.0), 500);
    assert_eq!(client.get("/").await.1, "fine");
    assert_eq!(witness.exchanges(2).await[0].outcome, Some(Outcome::Panicked));
    server.ends_clean().await;
}

#[tokio::test]
async fn a_body_that_fails_or_panics_ends_the_response_early() {
    for (panics, outcome) in [(true, Outcome::Panicked), (false, Outcome::Failed)] {
        let witness = Arc::<Witness>::default();
        let observed = witness.observe().layer(tower::service_fn(move |_: Request<Body>| {
            let mut given = false;
            let body = StreamBody::new(stream_of(move |_| {
                if !std::mem::replace(&mut given, true) {
                    return Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"one")))));
                }
                assert!(!panics, "in the body");
                Poll::Ready(Some(Err::<_, BoxError>("in the body".into())))
            }));
            async move { Ok::<_, Infallible>(Response::new(body)) }
        }));
        let server = Server::start(Service::new(observed), Limits::default()).await;
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let all = client.rest().await;
        assert!(!all.ends_with("0\r\n\r\n"), "must not look complete: {all}");
        let seen = witness.exchange().await;
        assert_eq!((seen.outcome, seen.status, seen.bytes_out), (Some(outcome), 200, 3));
        assert!(seen.error.expect("an error").ends_with("in the body"));
        server.ends_clean().await;
    }
}

/// A future that has missed its deadline is dropped, and may panic even then.
#[tokio::test]
async fn a_panic_while_the_service_is_dropped_changes_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "in drop");
        }
    }
    let witness = Arc::<Witness>::default();
    let observe = witness.observe().timeout(Duration::from_millis(50));
    let observed = observe.layer(tower::service_fn(async |_: Request<Body>| {
        let _bomb = Bomb;
        std::future::pending::<Result<Response<http_body_util::Full<Bytes>>, Infallible>>().await
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let (head, _) = server.connect().await.get("/").await;
    assert_eq!((status(&head), witness.exchange().await.outcome), (503, Some(Outcome::TimedOut)));
    server.ends_clean().await;
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_body_is_awaited_is_the_clients() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe().timeout(Duration::from_millis(50));
    let server =
        Server::start(Service::new(observe.layer(tower::service_fn(faulty))), Limits::default()).await;
    let mut client = server.connect().await;
    client.send("POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").await;
    assert_eq!(status(&client.response().await.0), 408);
    assert_eq!(witness.exchange().await.outcome, Some(Outcome::BodyRefused));
    server.ends_clean().await;
}

#[tokio::test]
async fn what_comes_in_excess_is_shed_and_not_queued() {
    let witness = Arc::<Witness>::default();
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let observe = witness.observe().max_in_flight(1);
    // two services share the limit
    let service = |observe: &prodkit_http::Observe| {
        let gate = held.clone();
        Service::new(observe.layer(tower::service_fn(move |_: Request<Body>| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.expect("open").forget();
                Ok::<_, Infallible>(text("fine"))
            }
        })))
    };
    let first = Server::start(service(&observe), Limits::default()).await;
    let second = Server::start(service(&observe), Limits::default()).await;
    let mut client = first.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("in flight", || observe.in_flight() == 1).await;
    let (head, _) = second.connect().await.get("/").await;
    assert_eq!((status(&head), header(&head, "retry-after")), (503, Some("1")));
    gate.add_permits(2);
    assert_eq!(client.response().await.1, "fine");
    until("done", || observe.in_flight() == 0).await;
    let (head, _) = second.connect().await.get("/").await;
    assert_eq!(status(&head), 200);
    let outcomes: Vec<_> = witness.exchanges(3).await.iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::Shed, Outcome::Completed, Outcome::Completed].map(Some));
    first.ends_clean().await;
    second.ends_clean().await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_service() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe();
    let server =
        Server::start(Service::new(observe.layer(tower::service_fn(faulty))), Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("in flight", || observe.in_flight() == 1).await;
    drop(client);
    let seen = witness.exchange().await;
    assert_eq!((seen.status, seen.outcome), (499, Some(Outcome::Disconnected)));
    assert_eq!(
        witness.counts.values()[1],
        ("http_requests_total{method=GET,endpoint=unmatched,status=499}".into(), 1.0)
    );

    // the same over HTTP/2, where the stream is reset and the connection goes on
    let (mut client, _connection) = http2::<Empty<Bytes>>(&server).await;
    let request =
        |path: &str| Request::get(format!("http://test{path}")).body(Empty::new()).expect("a request");
    let pending = crate::support::spawn(client.send_request(request("/hangs")));
    until("in flight", || observe.in_flight() == 1).await;
    pending.abort();
    assert_eq!(witness.exchanges(2).await[1].outcome, Some(Outcome::Disconnected));
    let response = within("response", client.send_request(request("/"))).await.expect("answered");
    assert_eq!(response.status(), 200);
    drop(client);
    server.ends_clean().await;
}
