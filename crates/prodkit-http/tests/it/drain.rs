//! No request that was accepted is lost; and it ends.

use crate::support::{Answer, Raw, Server, header, hello, service, status, stream_of, text, until, within};
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, StreamBody};
use prodkit_http::{Body, Drain, Limits, Listener, Service, serve};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

/// Answers when it is let.
fn gated() -> (Service, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let service = service(move |_| {
        let gate = held.clone();
        async move {
            gate.acquire().await?.forget();
            Ok::<Answer, _>(text("late"))
        }
    });
    (service, gate)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn when_polite_everything_is_served_and_told_to_close() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut busy = server.connect().await;
    let mut idle = server.connect().await;
    busy.get("/").await;
    idle.get("/").await;
    server.polite();
    // a request on an old connection, and each on a new one
    let (head, body) = busy.get("/").await;
    assert_eq!((status(&head), header(&head, "connection"), body.as_str()), (200, Some("close"), "hello"));
    busy.closed().await;
    for _ in 0..3 {
        let mut new = server.connect().await;
        let (head, _) = new.get("/").await;
        assert_eq!(header(&head, "connection"), Some("close"));
        new.closed().await;
    }
    // one that says nothing is left alone
    until("the others left", || server.traffic.connections() == 1).await;
    let (head, _) = idle.get("/").await;
    assert_eq!(header(&head, "connection"), Some("close"));
    server.ends_clean().await;
}

#[tokio::test]
async fn a_request_in_flight_when_polite_comes_is_told_too() {
    let (service, gate) = gated();
    let server = Server::start(service, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    until("in flight", || server.traffic.requests() == 1).await;
    server.polite();
    // it is polite once a new client is told so
    gate.add_permits(1);
    let (head, _) = client.response().await;
    if header(&head, "connection").is_some() {
        client.closed().await;
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn on_close_idle_and_silent_connections_end_and_nobody_comes_in() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    let mut silent = server.connect().await;
    until("both in", || server.traffic.connections() == 2).await;
    server.close();
    idle.closed().await;
    silent.closed().await;
    let address = server.address;
    let drained = server.drained().await;
    assert_eq!((drained.connections_cut, drained.requests_cut), (0, 0));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn on_close_a_request_in_flight_is_answered() {
    let (service, gate) = gated();
    let server = Server::start(service, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    until("in flight", || server.traffic.requests() == 1).await;
    let address = server.address;
    server.close();
    within("closed", async { while TcpStream::connect(address).await.is_ok() {} }).await;
    gate.add_permits(1);
    let (head, body) = client.response().await;
    assert_eq!((status(&head), header(&head, "connection"), body.as_str()), (200, Some("close"), "late"));
    client.closed().await;
    server.ends_clean().await;
}

/// A request in the first connection, in the second one later: each half-sent when the listener closes.
#[tokio::test]
async fn on_close_a_half_sent_head_may_be_completed() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut first = server.connect().await;
    first.send("GET / HTT").await;
    let mut later = server.connect().await;
    later.get("/").await;
    later.send("GET / HTTP/1.1\r\nHo").await;
    // that the halves have arrived cannot be seen from outside: a round trip on another connection comes after them
    let mut other = server.connect().await;
    other.get("/").await;
    let address = server.address;
    server.close();
    within("closed", async { while TcpStream::connect(address).await.is_ok() {} }).await;
    first.send("P/1.1\r\nHost: a\r\n\r\n").await;
    later.send("st: a\r\n\r\n").await;
    for mut client in [first, later] {
        let (head, _) = client.response().await;
        assert_eq!((status(&head), header(&head, "connection")), (200, Some("close")));
        client.closed().await;
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn on_close_a_head_that_never_completes_does_not_hold_the_end() {
    let limits = Limits::default().header_timeout(std::time::Duration::from_secs(3600));
    let server = Server::start(hello(), limits).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHo").await;
    let mut other = server.connect().await;
    other.get("/").await;
    server.close();
    client.closed().await;
    server.ends_clean().await;
}

#[tokio::test]
async fn on_close_a_half_sent_body_may_be_completed() {
    let echo = service(async |request| Ok(text(request.into_body().collect().await?.to_bytes())));
    let server = Server::start(echo, Limits::default()).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab").await;
    until("in flight", || server.traffic.requests() == 1).await;
    server.close();
    client.send("cd").await;
    assert_eq!(client.response().await.1, "abcd");
    server.ends_clean().await;
}

/// What the client sent before the listener closed was accepted, even if nobody has looked at it yet.
#[tokio::test]
async fn what_the_kernel_has_accepted_is_served() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut kept: Vec<Raw> = vec![];
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.get("/").await;
        kept.push(client);
    }
    // one thread, and no await that lets the server run: it finds these when the order to close is there already
    let mut new = vec![];
    for _ in 0..200 {
        new.push(std::net::TcpStream::connect(server.address).expect("connected"));
    }
    for client in &mut new {
        std::io::Write::write_all(client, GET.as_bytes()).expect("sent");
    }
    for client in &kept {
        assert_eq!(client.stream.try_write(GET.as_bytes()).expect("sent"), GET.len());
    }
    server.close();
    for mut client in kept {
        assert_eq!(client.response().await.1, "hello");
    }
    for client in new {
        client.set_nonblocking(true).expect("set");
        let mut client = Raw::from(TcpStream::from_std(client).expect("a stream"));
        assert_eq!(client.response().await.1, "hello");
    }
    server.ends_clean().await;
}

/// A response of chunks, as they are given.
fn streaming(chunks: Arc<std::sync::Mutex<Option<mpsc::Receiver<&'static str>>>>) -> Service {
    Service::new(tower::service_fn(move |_: http::Request<Body>| {
        let mut chunks = chunks.lock().expect("no panic").take().expect("one request");
        let stream = stream_of(move |cx| {
            chunks.poll_recv(cx).map(|chunk| {
                chunk.map(|chunk| {
                    Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(chunk.as_bytes())))
                })
            })
        });
        async move { Ok::<_, Infallible>(Response::new(StreamBody::new(stream))) }
    }))
}

#[tokio::test]
async fn on_close_a_streaming_response_goes_on_to_its_end() {
    let (sender, receiver) = mpsc::channel(1);
    let server = Server::start(streaming(Arc::new(Some(receiver).into())), Limits::default()).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    sender.send("one").await.expect("streaming");
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 200);
    assert_eq!(client.exactly(8).await, b"3\r\none\r\n");
    server.close();
    let address = server.address;
    within("closed", async { while TcpStream::connect(address).await.is_ok() {} }).await;
    assert_eq!(server.traffic.requests(), 1);
    sender.send("two").await.expect("streaming");
    drop(sender);
    assert_eq!(client.rest().await, "3\r\ntwo\r\n0\r\n\r\n");
    server.ends_clean().await;
}

#[tokio::test]
async fn on_abort_what_is_left_is_cut_and_counted() {
    let (service, _gate) = gated();
    let server = Server::start(service, Limits::default()).await;
    let mut stuck = server.connect().await;
    stuck.send(GET).await;
    until("in flight", || server.traffic.requests() == 1).await;
    let mut half = server.connect().await;
    half.send("GET / HT").await;
    until("both in", || server.traffic.connections() == 2).await;
    server.close();
    server.abort();
    stuck.closed().await;
    half.closed().await;
    let traffic = server.traffic.clone();
    let drained = server.drained().await;
    assert_eq!(drained.requests_cut, 1);
    assert!(drained.connections_cut >= 1, "{drained:?}");
    assert_eq!((traffic.connections(), traffic.requests()), (0, 0));
}

#[tokio::test]
async fn on_abort_a_client_that_never_reads_is_cut() {
    let flood = Bytes::from(vec![b'x'; 64 << 20]);
    let service = service(move |_| {
        let flood = flood.clone();
        async move { Ok(text(flood)) }
    });
    let server = Server::start(service, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    client.response_head().await;
    server.close();
    server.abort();
    let drained = server.drained().await;
    assert_eq!(drained.connections_cut, 1);
}

#[tokio::test]
async fn dropping_the_driver_cuts_everything() {
    let (service, _gate) = gated();
    let server = Server::start(service, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    until("in flight", || server.traffic.requests() == 1).await;
    server.driver.abort();
    client.closed().await;
    let address = server.address;
    within("closed", async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test]
async fn open_connections_are_a_gauge() {
    let counts = crate::support::Counts::default();
    let listener = Listener::bind("127.0.0.1", 0).await.expect("bound");
    let address = listener.local_addr().expect("TCP");
    let driver = serve(listener, hello(), Limits::default(), Drain::default()).recorder(&counts);
    let driver = crate::support::spawn(driver);
    let client = TcpStream::connect(address).await.expect("connected");
    until("one", || counts.values() == [("active_connections{}".to_owned(), 1.0)]).await;
    drop(client);
    until("none", || counts.values() == [("active_connections{}".to_owned(), 0.0)]).await;
    driver.abort();
}
