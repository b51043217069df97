//! The drain over HTTP/2.

use crate::frames::{ACK, DATA, END, Frames, GET, GOAWAY, HEADERS, PING, SETTINGS};
use crate::support::{Answer, Server, hello, http2, service, spawn, text, until, within};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use prodkit_http::{Drain, Limits, Listener, Service, serve};
use prodkit_shutdown::{Cause, Stop, channel};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

type Nothing = Empty<Bytes>;

fn get() -> Request<Nothing> {
    Request::get("http://test/").body(Empty::new()).expect("a request")
}

fn gated() -> (Service, Arc<Semaphore>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let dropped = Arc::new(Semaphore::new(0));
    let (held, told) = (gate.clone(), dropped.clone());
    let service = service(move |_| {
        struct Told(Arc<Semaphore>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.add_permits(1);
            }
        }
        let (gate, told) = (held.clone(), Told(told.clone()));
        async move {
            let _told = told;
            gate.acquire().await?.forget();
            Ok::<Answer, _>(text("late"))
        }
    });
    (service, gate, dropped)
}

#[tokio::test]
async fn prior_knowledge_is_served() {
    let server = Server::start(hello(), Limits::default()).await;
    let (mut client, connection) = http2::<Nothing>(&server).await;
    let response = within("response", client.send_request(get())).await.expect("answered");
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.headers().get("connection"), None);
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "hello");
    server.close();
    within("goaway", connection).await.expect("no panic").expect("a clean end");
    server.ends_clean().await;
}

#[tokio::test]
async fn when_polite_the_client_is_told_to_go_and_what_it_began_is_served() {
    let (service, gate, _) = gated();
    let server = Server::start(service, Limits::default()).await;
    let mut client = Frames::connect(&server).await;
    client.send(HEADERS, END, 1, &GET).await;
    until("in flight", || server.traffic.requests() == 1).await;
    server.polite();
    // the first GOAWAY refuses nothing: what the client sends before it acknowledges is still taken
    let goaway = client.next(GOAWAY).await;
    assert_eq!(goaway, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let ping = client.next(PING).await;
    client.send(HEADERS, END, 3, &GET).await;
    client.send(PING, ACK, 0, &ping).await;
    let goaway = client.next(GOAWAY).await;
    assert_eq!(goaway, [0, 0, 0, 3, 0, 0, 0, 0]);
    until("both in flight", || server.traffic.requests() == 2).await;
    gate.add_permits(2);
    for _ in 0..2 {
        assert_eq!(client.next(DATA).await, b"late");
    }
    client.0.rest().await;
    // everybody else is still let in
    let mut new = Frames::connect(&server).await;
    new.next(GOAWAY).await;
    server.ends_clean().await;
}

#[tokio::test]
async fn goaway_is_spread_over_the_window() {
    let listener = Listener::bind("127.0.0.1", 0).await.expect("bound");
    let address = listener.local_addr().expect("TCP");
    let (polite, on_polite) = channel();
    let window = Duration::from_millis(400);
    let drain = Drain::new(on_polite, Stop::never(), Stop::never()).window(window);
    let driver = serve(listener, hello(), Limits::default(), drain);
    let traffic = driver.traffic();
    let driver = spawn(driver);
    let mut connections = vec![];
    for _ in 0..16 {
        let stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let io = hyper_util::rt::TokioIo::new(stream);
        let handshake =
            hyper::client::conn::http2::handshake::<_, _, Nothing>(hyper_util::rt::TokioExecutor::new(), io);
        let (mut client, connection) = handshake.await.expect("http2");
        let connection = spawn(async move {
            connection.await.expect("a clean end");
            tokio::time::Instant::now()
        });
        client.send_request(get()).await.expect("answered");
        connections.push((client, connection));
    }
    let start = tokio::time::Instant::now();
    polite.fire(Cause::requested("test"));
    let mut ends = vec![];
    for (_client, connection) in connections {
        ends.push(within("goaway", connection).await.expect("no panic") - start);
    }
    let (first, last) = (ends.iter().min().expect("some"), ends.iter().max().expect("some"));
    // all in one sixteenth of it: one chance in 16^15
    assert!(*last - *first > window / 16, "{ends:?}");
    until("all gone", || traffic.connections() == 0).await;
    driver.abort();
}

#[tokio::test]
async fn on_close_a_frozen_client_does_not_hold_the_end() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut client = Frames::connect(&server).await;
    client.next(SETTINGS).await;
    // and it answers nothing after
    server.ends_clean().await;
}

#[tokio::test]
async fn on_abort_a_streams_service_is_dropped() {
    let (service, _gate, dropped) = gated();
    let server = Server::start(service, Limits::default()).await;
    let (mut client, _connection) = http2::<Nothing>(&server).await;
    let pending = spawn(client.send_request(get()));
    until("in flight", || server.traffic.requests() == 1).await;
    server.close();
    server.abort();
    let drained = server.drained().await;
    assert_eq!((drained.connections_cut, drained.requests_cut), (1, 1));
    let _ = within("dropped", dropped.acquire()).await.expect("open");
    assert!(pending.await.expect("no panic").is_err());
}
