//! TLS: what is spoken, certificates that change under load, and handshakes that do not come to an end.

use crate::support::{
    Answer, Counts, Raw, Server, Witness, hello, service, spawn, status, text, until, within,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prodkit_fakes::FakeAuthority;
use prodkit_http::{BoxError, Limits, Listener, Outcome, Service};
use prodkit_tls::{HTTP, Identity, Live, Roots, Updater, client_config, server_config};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(600);

fn patient() -> Limits {
    Limits::default().handshake(LONG).first_byte(LONG).header_timeout(LONG).idle(LONG).write_timeout(LONG)
}

/// A server that speaks TLS, those who trust it, and who may change its certificate.
struct Secured {
    server: Server,
    authority: FakeAuthority,
    updater: Updater<Identity>,
    roots: Live<Roots>,
    counts: Arc<Counts>,
}

fn issue(authority: &FakeAuthority) -> Identity {
    let pair = authority.issue(&["localhost"]);
    Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), SystemTime::now())
        .expect("an identity")
}

impl Secured {
    async fn start(service: Service, limits: Limits) -> Self {
        let authority = FakeAuthority::new();
        let (updater, identity) = Live::channel(issue(&authority));
        let roots = Live::fixed(Roots::from_pem(authority.certificate().as_bytes()).expect("roots"));
        let config = server_config(&identity, None, HTTP).expect("a configuration");
        let listener = Listener::bind("127.0.0.1", 0).await.expect("a free port").tls(config);
        let counts = Arc::<Counts>::default();
        let server = Server::start_on(listener, service, limits, &counts);
        Self { server, authority, updater, roots, counts }
    }

    async fn connect(&self, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
        let config = client_config(&self.roots, None, alpn).expect("a configuration").load();
        let stream = TcpStream::connect(self.server.address).await.expect("connected");
        let name = "localhost".try_into().expect("a name");
        within("handshake", TlsConnector::from(config).connect(name, stream)).await.expect("hands shaken")
    }

    fn handshakes(&self, outcome: &str) -> f64 {
        let name = format!("prodkit_tls_handshakes_total{{outcome={outcome}}}");
        let values = self.counts.values();
        values.iter().find(|(key, _)| *key == name).map_or(0.0, |(_, value)| *value)
    }
}

fn serial(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

/// One request over HTTP/1.1 and the status of its answer, whose body is 5 bytes.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<u16> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhello") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(status(&String::from_utf8_lossy(&answer)))
}

#[tokio::test]
async fn the_protocol_is_what_was_agreed_on_or_else_what_comes_first() {
    let secured =
        Secured::start(service(async |request| Ok(text(format!("{:?}", request.version())))), patient())
            .await;
    let h2 = secured.connect(HTTP).await;
    assert_eq!(h2.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    for (stream, expected) in [(h2, "HTTP/2.0"), (secured.connect(&[]).await, "HTTP/2.0")] {
        let (mut client, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(
            TokioExecutor::new(),
            TokioIo::new(stream),
        )
        .await
        .expect("a preface");
        let connection = spawn(connection);
        let request = http::Request::get("https://localhost/").body(Empty::new()).expect("a request");
        let answer = within("answer", client.send_request(request)).await.expect("answered");
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), expected);
        drop(client);
        within("end", connection).await.expect("no panic").expect("a clean end");
    }
    for alpn in [&[&b"http/1.1"[..]][..], &[]] {
        let mut stream = secured.connect(alpn).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        // an end without `close_notify` would be an error
        within("answer", stream.read_to_string(&mut answer)).await.expect("a clean end");
        assert!(answer.ends_with("HTTP/1.1"), "{answer}");
    }
    until("counted", || secured.handshakes("done") == 4.0).await;
    secured.server.ends_clean().await;
}

/// Eight clients keep their connection and ask without a pause, while the certificate changes twenty times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_for_new_connections_and_no_open_one_notices() {
    let secured = Secured::start(hello(), patient()).await;
    let (asked, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut stream = secured.connect(&[b"http/1.1"]).await;
        let (asked, over) = (asked.clone(), over.clone());
        clients.push(spawn(async move {
            let first = serial(&stream);
            while !over.load(Relaxed) {
                assert_eq!(ask(&mut stream).await.expect("answered"), 200);
                asked.fetch_add(1, Relaxed);
            }
            assert_eq!(serial(&stream), first);
        }));
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        secured.updater.set(issue(&secured.authority)).expect("changed");
        let mut fresh = secured.connect(&[b"http/1.1"]).await;
        assert!(seen.insert(serial(&fresh)), "the certificate of before");
        assert_eq!(ask(&mut fresh).await.expect("answered"), 200);
        let before = asked.load(Relaxed);
        until("the others go on", || asked.load(Relaxed) > before + 8).await;
    }
    assert!(secured.server.traffic.connections() >= 8);
    over.store(true, Relaxed);
    for client in clients {
        within("client", client).await.expect("no request failed");
    }
    assert_eq!(secured.handshakes("failed"), 0.0);
    secured.server.ends_clean().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_holds_up_nobody_and_is_closed() {
    let secured = Secured::start(hello(), patient().handshake(SHORT)).await;
    let mut silent: Vec<Raw> = Vec::new();
    for _ in 0..20 {
        let mut client = secured.server.connect().await;
        // the head of a record that never comes
        client.send(b"\x16\x03\x01\x02\x00\x01").await;
        silent.push(client);
    }
    let mut honest = secured.connect(&[b"http/1.1"]).await;
    assert_eq!(ask(&mut honest).await.expect("answered"), 200);
    for mut client in silent {
        client.closed().await;
    }
    until("counted", || secured.handshakes("timed_out") == 20.0).await;
    assert_eq!(ask(&mut honest).await.expect("its time is not the handshake's"), 200);
    secured.server.ends_clean().await;
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_handshake_makes_room() {
    let secured = Secured::start(hello(), patient().max_handshakes(2)).await;
    let mut first = secured.server.connect().await;
    until("there", || secured.server.traffic.connections() == 1).await;
    let second = secured.server.connect().await;
    until("there", || secured.server.traffic.connections() == 2).await;
    let mut honest = secured.connect(&[b"http/1.1"]).await;
    first.closed().await;
    assert_eq!(ask(&mut honest).await.expect("answered"), 200);
    assert_eq!((secured.handshakes("pushed_out"), secured.handshakes("done")), (1.0, 1.0));
    assert_eq!(secured.server.traffic.connections(), 2, "one silent, one honest");
    drop(second);
    secured.server.ends_clean().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_an_end() {
    let secured = Secured::start(hello(), patient()).await;
    let mut client = secured.server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = client.rest().await;
    // an alert of TLS at most, and no HTTP
    assert!(!answer.contains("HTTP"), "{answer}");
    until("counted", || secured.handshakes("failed") == 1.0).await;
    secured.server.ends_clean().await;
}

#[tokio::test]
async fn the_time_for_the_first_byte_begins_after_the_handshake() {
    let secured = Secured::start(hello(), patient().first_byte(SHORT)).await;
    let mut client = secured.connect(&[b"http/1.1"]).await;
    let mut nothing = Vec::new();
    let _ = within("closed", client.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    secured.server.ends_clean().await;
}

/// rustls holds back what the socket does not take: a small answer is never refused by it.
#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let flood = Bytes::from(vec![b'x'; 64 << 20]);
    let flood = Service::new(tower::service_fn(move |_: http::Request<prodkit_http::Body>| {
        let flood = flood.clone();
        async move { Ok::<_, std::convert::Infallible>(text(flood)) }
    }));
    let secured = Secured::start(flood, patient().write_timeout(SHORT)).await;
    let mut client = secured.connect(&[b"http/1.1"]).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    until("cut", || secured.server.traffic.connections() == 0).await;
    drop(client);
    secured.server.ends_clean().await;
}

#[tokio::test]
async fn a_drain_tells_its_clients_and_cuts_handshakes_soon() {
    let secured = Secured::start(hello(), patient()).await;
    let mut idle = secured.connect(&[b"http/1.1"]).await;
    assert_eq!(ask(&mut idle).await.expect("answered"), 200);
    let mut half = secured.server.connect().await;
    half.send(b"\x16\x03\x01").await;
    until("there", || secured.server.traffic.connections() == 2).await;
    secured.server.ends_clean().await;
    let mut nothing = Vec::new();
    // `close_notify`, or this is an error
    within("closed", idle.read_to_end(&mut nothing)).await.expect("a clean end");
    half.closed().await;
}

/// The end of what it says is said within TLS.
#[tokio::test]
async fn a_client_that_leaves_while_its_request_waits_cancels_the_service() {
    let witness = Arc::<Witness>::default();
    let observe = witness.observe();
    let hangs = tower::service_fn(async |_| std::future::pending::<Result<Answer, BoxError>>().await);
    let secured = Secured::start(Service::new(tower::Layer::layer(&observe, hangs)), patient()).await;
    let mut client = secured.connect(&[b"http/1.1"]).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    until("in flight", || observe.in_flight() == 1).await;
    within("close", client.shutdown()).await.expect("closed");
    let seen = witness.exchange().await;
    assert_eq!((seen.status, seen.outcome), (499, Some(Outcome::Disconnected)));
    secured.server.ends_clean().await;
}
