//! Every limit takes effect.

use crate::support::{Raw, Server, Witness, header, hello, service, spawn, status, text, until, within};
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use prodkit_http::{Body, BoxError, Limits, ReadTimeout, Service};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tower::Layer as _;

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(600);

/// Nothing ends on its own within a test.
fn patient() -> Limits {
    Limits::default().first_byte(LONG).header_timeout(LONG).idle(LONG).read_timeout(LONG).write_timeout(LONG)
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Server::start(hello(), patient().first_byte(SHORT)).await;
    server.connect().await.closed().await;
    server.ends_clean().await;
}

#[tokio::test]
async fn a_head_that_stalls_is_closed() {
    let server = Server::start(hello(), patient().header_timeout(SHORT)).await;
    // within the request line, within what could be HTTP/2's preface, and within the headers
    for start in ["G", "PRI * HTT", "GET / HTTP/1.1\r\nHost: a\r\nX-"] {
        let mut client = server.connect().await;
        client.send(start).await;
        client.closed().await;
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn a_head_that_trickles_is_closed() {
    let server = Server::start(hello(), patient().header_timeout(SHORT)).await;
    let Raw { stream, .. } = server.connect().await;
    let (mut read, mut write) = stream.into_split();
    let trickle = spawn(async move {
        write.write_all(b"GET / HTTP/1.1\r\nX: ").await?;
        loop {
            write.write_all(b"x").await?;
            tokio::time::sleep(SHORT / 10).await;
        }
        #[expect(unreachable_code, reason = "names the type")]
        Ok::<(), std::io::Error>(())
    });
    let mut answer = vec![];
    let _ = within("closed", tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer)).await;
    assert_eq!(answer, b"");
    let _ = trickle.await.expect("no panic").expect_err("closed");
    server.ends_clean().await;
}

#[tokio::test]
async fn the_head_of_a_later_request_is_timed_from_its_first_byte() {
    let server = Server::start(hello(), patient().header_timeout(SHORT)).await;
    let mut client = server.connect().await;
    client.get("/").await;
    // idle for longer than a head may take
    tokio::time::sleep(SHORT * 3).await;
    client.get("/").await;
    client.send("GET / HT").await;
    client.closed().await;
    server.ends_clean().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::start(hello(), patient().idle(SHORT)).await;
    let mut client = server.connect().await;
    // before its first request it is not idle
    tokio::time::sleep(SHORT * 3).await;
    client.get("/").await;
    client.closed().await;
    server.ends_clean().await;
}

#[tokio::test]
async fn a_large_head_is_answered_431() {
    let server = Server::start(hello(), patient().header_bytes(1000)).await;
    let complete = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1000));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a:\r\n".repeat(200));
    for bomb in [complete, endless, many] {
        let mut client = server.connect().await;
        client.send(bomb).await;
        assert_eq!(status(&client.rest().await), 431);
    }
    let mut client = server.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(900))).await;
    assert_eq!(status(&client.response().await.0), 200);
    server.ends_clean().await;
}

fn observed_echo(witness: &Arc<Witness>) -> Service {
    Service::new(witness.observe().layer(tower::service_fn(async |request: http::Request<Body>| {
        Ok::<_, BoxError>(text(request.into_body().collect().await?.to_bytes()))
    })))
}

#[tokio::test]
async fn a_body_declared_too_large_is_answered_413_at_once() {
    let witness = Arc::<Witness>::default();
    let server = Server::start(observed_echo(&witness), patient().body_bytes(10)).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n").await;
    let (head, body) = client.response().await;
    assert_eq!((status(&head), header(&head, "connection")), (413, Some("close")));
    assert!(body.contains(r#""status":413"#), "{body}");
    client.closed().await;
    assert_eq!(witness.exchange().await.status, 413);

    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789").await;
    assert_eq!(client.response().await.1, "0123456789");
    server.ends_clean().await;
}

/// Were the socket just closed, the next bytes would reset it, and the answer with it where it was not read yet.
#[tokio::test]
async fn a_client_that_is_still_sending_is_not_reset() {
    let witness = Arc::<Witness>::default();
    let server = Server::start(observed_echo(&witness), patient().body_bytes(10)).await;
    let part = vec![b'x'; 64 << 10];
    let mut client = server.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 20 * part.len())).await;
    assert_eq!(status(&client.response().await.0), 413);
    // the server has said all it will
    client.closed().await;
    for _ in 0..20 {
        client.send(&part).await;
    }
    drop(client);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_413() {
    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsix...\r\n5\r\nfive.\r\n0\r\n\r\n";
    let witness = Arc::<Witness>::default();
    let axum = axum::Router::new().route("/", axum::routing::post(async |body: Bytes| body));
    for service in [observed_echo(&witness), Service::new(axum)] {
        let server = Server::start(service, patient().body_bytes(10)).await;
        let mut client = server.connect().await;
        client.send(CHUNKED).await;
        assert_eq!(status(&client.response().await.0), 413);
        drop(client);
        server.ends_clean().await;
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_408() {
    let witness = Arc::<Witness>::default();
    let server = Server::start(observed_echo(&witness), patient().read_timeout(SHORT)).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234").await;
    let (head, _) = client.response().await;
    assert_eq!((status(&head), header(&head, "connection")), (408, Some("close")));
    client.closed().await;
    let seen = witness.exchange().await;
    assert_eq!((seen.status, seen.bytes_in), (408, 5));
    server.ends_clean().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_408_where_the_service_calls_it_bad_and_a_bad_one_stays_400() {
    let witness = Arc::<Witness>::default();
    let judged = tower::service_fn(async |request: http::Request<Body>| {
        let is_good = request.into_body().collect().await.is_ok();
        let answer = Response::builder().status(if is_good { 200 } else { 400 });
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(b"judged"))).expect("a response"))
    });
    let service = Service::new(witness.observe().layer(judged));
    let server = Server::start(service, patient().read_timeout(SHORT)).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, expected) in [("5\r\n012", 408), ("0\r\n\r\n", 200), ("nonsense\r\n", 400)] {
        let mut client = server.connect().await;
        client.send(format!("{head}{body}")).await;
        let (head, answer) = client.response().await;
        assert_eq!((status(&head), answer == "judged"), (expected, expected != 408), "{body}");
    }
    let told: Vec<_> = witness.exchanges(3).await.iter().map(|seen| seen.status).collect();
    assert_eq!(told, [408, 200, 400]);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let kind = service(async |request| {
        let error = request.into_body().collect().await.expect_err("too slow");
        Ok(text(if error.is::<ReadTimeout>() { "slow" } else { "other" }))
    });
    let server = Server::start(kind, patient().read_timeout(SHORT)).await;
    let Raw { stream, .. } = server.connect().await;
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await.expect("sent");
    let trickle = spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut answer = String::new();
    let _ = within("closed", tokio::io::AsyncReadExt::read_to_string(&mut read, &mut answer)).await;
    assert!(answer.ends_with("slow"), "{answer}");
    drop(read);
    trickle.await.expect("no panic");
    server.ends_clean().await;
}

/// More than any socket buffer takes.
fn flood() -> Service {
    let flood = Bytes::from(vec![b'x'; 64 << 20]);
    Service::new(tower::service_fn(move |_: http::Request<Body>| {
        let flood = flood.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::new(flood))) }
    }))
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = Server::start(flood(), patient().write_timeout(SHORT)).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("served", || server.traffic.connections() == 1).await;
    until("cut", || server.traffic.connections() == 0).await;
    drop(client);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_client_that_takes_slowly_is_served() {
    let server = Server::start(flood(), patient().write_timeout(SHORT * 10)).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut left = 64 << 20;
    while left > 0 {
        let some = left.min(8 << 20);
        client.exactly(some).await;
        left -= some;
        tokio::time::sleep(SHORT).await;
    }
    drop(client);
    server.ends_clean().await;
}

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_for_another_to_end() {
    let server = Server::start(hello(), patient().max_connections(1)).await;
    let mut first = server.connect().await;
    first.get("/").await;
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    first.get("/").await;
    assert_eq!(server.traffic.connections(), 1);
    drop(first);
    assert_eq!(status(&second.response().await.0), 200);
    server.ends_clean().await;
}
