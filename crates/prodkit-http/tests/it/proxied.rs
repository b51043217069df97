//! Behind a balancer of connections: the PROXY protocol.

use crate::support::{Counts, PATIENCE, Raw, Server, service, text, within};
use http::Version;
use prodkit_fakes::FakeAuthority;
use prodkit_http::{Limits, Listener, Service, peer_addr};
use prodkit_tls::{HTTP, Identity, Live, Roots, client_config, server_config};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn version_2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a length").to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

/// 203.0.113.7:258, with something behind the addresses.
fn client() -> Vec<u8> {
    version_2(0x21, 0x11, &[&[203, 0, 113, 7, 192, 0, 2, 2, 1, 2, 1, 187][..], &[4, 0, 2, 0, 0]].concat())
}

fn whoami() -> Service {
    service(async |request| {
        let peer = peer_addr().map_or_else(|| "nobody".to_owned(), |peer| peer.to_string());
        assert!(request.version() <= Version::HTTP_2);
        Ok(text(peer))
    })
}

struct Behind {
    server: Server,
    counts: Arc<Counts>,
}

impl Behind {
    async fn start(limits: Limits) -> Self {
        let listener = Listener::bind("127.0.0.1", 0).await.expect("a free port").proxy_protocol();
        let counts = Arc::<Counts>::default();
        let server = Server::start_on(listener, whoami(), limits, &counts);
        Self { server, counts }
    }

    /// A connection that has sent this, piece by piece.
    async fn connect(&self, pieces: &[&[u8]]) -> Raw {
        let mut client = self.server.connect().await;
        for piece in pieces {
            client.send(piece).await;
        }
        client
    }

    fn headers(&self, outcome: &str) -> f64 {
        let name = format!("prodkit_proxy_headers_total{{outcome={outcome}}}");
        self.counts.values().iter().find(|(key, _)| *key == name).map_or(f64::NAN, |(_, value)| *value)
    }
}

#[tokio::test]
async fn the_peer_is_whom_the_header_names() {
    let behind = Behind::start(Limits::default()).await;
    let named: [(&[u8], &str); 3] = [
        (b"PROXY TCP4 203.0.113.7 192.0.2.2 56324 443\r\n", "203.0.113.7:56324"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "[2001:db8::7]:56324"),
        (&client(), "203.0.113.7:258"),
    ];
    for (header, expected) in named {
        let mut client = behind.connect(&[&[header, REQUEST].concat()]).await;
        assert_eq!(client.response().await.1, expected);
        assert_eq!(client.get("/").await.1, expected, "and so for every request");
        // cut anywhere
        for cut in [1, 14, 16, header.len() - 1] {
            let rest = [&header[cut..], REQUEST].concat();
            let mut client = behind.connect(&[&header[..cut], &rest]).await;
            assert_eq!(client.response().await.1, expected);
        }
    }
    assert_eq!(behind.headers("client"), 15.0);
    behind.server.ends_clean().await;
}

#[tokio::test]
async fn where_it_names_nobody_the_peer_is_the_other_end() {
    let behind = Behind::start(Limits::default()).await;
    let unnamed: [&[u8]; 4] = [
        b"PROXY UNKNOWN\r\n",
        &version_2(0x20, 0, &[]),
        &version_2(0x21, 0, &[]),
        &version_2(0x21, 0x31, &[0; 216]),
    ];
    for header in unnamed {
        let mut client = behind.connect(&[header, REQUEST]).await;
        let own = client.stream.local_addr().expect("an address").to_string();
        assert_eq!(client.response().await.1, own, "{header:?}");
    }
    assert_eq!((behind.headers("unknown"), behind.headers("proxy")), (3.0, 1.0));
    behind.server.ends_clean().await;
}

#[tokio::test]
async fn what_does_not_begin_with_a_header_is_closed_without_an_answer() {
    let behind = Behind::start(Limits::default()).await;
    let wrong: [&[u8]; 4] = [
        REQUEST,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 ::1 ::1 1 1\r\n",
        &version_2(0x21, 0x77, &[]),
    ];
    for bytes in wrong {
        behind.connect(&[bytes]).await.closed().await;
    }
    assert_eq!(behind.headers("invalid"), 4.0);
    // a check that only connects
    drop(behind.server.connect().await);
    crate::support::until("it left", || behind.headers("left") == 1.0).await;
    behind.server.ends_clean().await;
}

#[tokio::test]
async fn a_header_has_the_time_of_the_first_byte() {
    let behind = Behind::start(Limits::default().first_byte(Duration::from_millis(100))).await;
    behind.connect(&[b"PROXY TCP4 203.0.113.7 "]).await.closed().await;
    behind.connect(&[]).await.closed().await;
    assert_eq!(behind.headers("timed_out"), 2.0);
    behind.server.ends_clean().await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_header() {
    let behind = Behind::start(Limits::default().first_byte(PATIENCE * 10)).await;
    let mut silent = behind.connect(&[b"PROXY "]).await;
    crate::support::until("accepted", || behind.server.traffic.connections() == 1).await;
    behind.server.ends_clean().await;
    silent.closed().await;
}

#[tokio::test]
async fn tls_comes_behind_the_header() {
    let authority = FakeAuthority::new();
    let pair = authority.issue(&["localhost"]);
    let identity = Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), SystemTime::now());
    let config =
        server_config(&Live::fixed(identity.expect("an identity")), None, HTTP).expect("a configuration");
    let listener = Listener::bind("127.0.0.1", 0).await.expect("a free port");
    let server = Server::start_on(
        listener.tls(config).proxy_protocol(),
        whoami(),
        Limits::default(),
        &metrics::NoopRecorder,
    );
    let roots = Live::fixed(Roots::from_pem(authority.certificate().as_bytes()).expect("roots"));
    let config = client_config(&roots, None, &[]).expect("a configuration").load();

    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(&client()).await.expect("sent");
    let name = "localhost".try_into().expect("a name");
    let mut stream =
        within("handshake", TlsConnector::from(config.clone()).connect(name, stream)).await.expect("TLS");
    stream.write_all(REQUEST).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"203.0.113.7:258") {
        assert!(within("read", stream.read_buf(&mut answer)).await.expect("read") > 0);
    }
    drop(stream);

    let stream = TcpStream::connect(server.address).await.expect("connected");
    let name = "localhost".try_into().expect("a name");
    let without = within("handshake", TlsConnector::from(config).connect(name, stream)).await;
    assert!(without.is_err(), "TLS without a header");
    server.ends_clean().await;
}

#[tokio::test]
async fn a_unix_socket_may_be_behind_a_proxy_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.sock");
    let listener = Listener::bind_unix(&path, 0o600).expect("bound").proxy_protocol();
    let server = Server::start_on(listener, whoami(), Limits::default(), &metrics::NoopRecorder);
    let unknown = version_2(0x20, 0, &[]);
    for (header, expected) in [(&client()[..], "203.0.113.7:258"), (&unknown, "nobody")] {
        let mut stream = UnixStream::connect(&path).await.expect("connected");
        let close = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(&[header, close].concat()).await.expect("sent");
        let mut answer = String::new();
        within("read", stream.read_to_string(&mut answer)).await.expect("read");
        assert!(answer.ends_with(expected), "{answer}");
    }
    server.ends_clean().await;
}
