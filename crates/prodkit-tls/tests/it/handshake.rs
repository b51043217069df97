//! Handshakes while identities and roots change.

use prodkit_fakes::FakeAuthority;
use prodkit_live::{Live, Updater};
use prodkit_tls::{ClientConfig, HTTP, Identity, Roots, ServerConfig, client_config, server_config};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::client::TlsStream as ClientStream;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::server::TlsStream as ServerStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn issue(authority: &FakeAuthority) -> Identity {
    let pair = authority.issue(&["orders"]);
    Identity::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes(), SystemTime::now()).unwrap()
}

fn roots(authority: &FakeAuthority) -> Roots {
    Roots::from_pem(authority.certificate().as_bytes()).unwrap()
}

struct Sides {
    server: ServerStream<DuplexStream>,
    client: ClientStream<DuplexStream>,
}

/// A handshake, and a word each way: over TLS 1.3 a client learns only then whether its certificate was taken.
async fn connect(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> io::Result<Sides> {
    let (one, other) = duplex(16 << 10);
    let served = async {
        let mut server = TlsAcceptor::from(server).accept(one).await?;
        server.write_all(b"hello").await?;
        server.flush().await?;
        let mut word = [0; 5];
        server.read_exact(&mut word).await?;
        io::Result::Ok(server)
    };
    let asked = async {
        let name = ServerName::try_from("orders").expect("a name");
        let mut client = TlsConnector::from(client).connect(name, other).await?;
        let mut word = [0; 5];
        client.read_exact(&mut word).await?;
        client.write_all(b"hello").await?;
        client.flush().await?;
        io::Result::Ok(client)
    };
    let (server, client) = tokio::join!(served, asked);
    Ok(Sides { server: server?, client: client? })
}

fn serial(sides: &Sides) -> Vec<u8> {
    sides.client.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

fn live(authority: &FakeAuthority) -> (Updater<Identity>, Live<Identity>) {
    Live::channel(issue(authority))
}

#[tokio::test]
async fn new_handshakes_see_the_new_identity_and_open_connections_go_on() {
    let authority = FakeAuthority::new();
    let (updater, identity) = live(&authority);
    let server = server_config(&identity, None, HTTP).unwrap();
    let client = client_config(&Live::fixed(roots(&authority)), None, HTTP).unwrap();
    let mut old = connect(server.load(), client.load()).await.unwrap();
    assert_eq!(old.server.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    updater.set(issue(&authority)).unwrap();
    let new = connect(server.load(), client.load()).await.unwrap();
    assert_ne!(serial(&old), serial(&new));
    old.client.write_all(b"still").await.unwrap();
    old.client.flush().await.unwrap();
    let mut word = [0; 5];
    old.server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"still");
}

#[tokio::test]
async fn an_unknown_authority_is_refused_by_either_side() {
    let (ours, theirs) = (FakeAuthority::new(), FakeAuthority::new());
    let (_, identity) = live(&ours);
    let server = server_config(&identity, None, HTTP).unwrap();
    let stranger = client_config(&Live::fixed(roots(&theirs)), None, HTTP).unwrap();
    connect(server.load(), stranger.load()).await.map(|_| ()).unwrap_err();

    let (_, foreign) = live(&theirs);
    let ours = Live::fixed(roots(&ours));
    let server = server_config(&identity, Some(&ours), HTTP).unwrap();
    for identity in [None, Some(&foreign)] {
        let client = client_config(&ours, identity, HTTP).unwrap();
        connect(server.load(), client.load()).await.map(|_| ()).unwrap_err();
    }
    let client = client_config(&ours, Some(&identity), HTTP).unwrap();
    let sides = connect(server.load(), client.load()).await.unwrap();
    assert!(sides.server.get_ref().1.peer_certificates().is_some());
}

/// The cache of sessions holds who a client was: it must not outlive the trust in it.
#[tokio::test]
async fn nobody_resumes_past_a_root_that_is_gone() {
    let (ours, theirs) = (FakeAuthority::new(), FakeAuthority::new());
    let (_, identity) = live(&ours);
    let (_, foreign) = live(&theirs);
    let (updater, clients) = Live::channel(roots(&theirs));
    let server = server_config(&identity, Some(&clients), HTTP).unwrap();
    let client = client_config(&Live::fixed(roots(&ours)), Some(&foreign), HTTP).unwrap();
    let kind = |sides: &Sides| sides.server.get_ref().1.handshake_kind();
    assert_eq!(kind(&connect(server.load(), client.load()).await.unwrap()), Some(HandshakeKind::Full));
    let again = connect(server.load(), client.load()).await.unwrap();
    assert_eq!(kind(&again), Some(HandshakeKind::Resumed), "else this shows nothing");

    updater.set(roots(&ours)).unwrap();
    connect(server.load(), client.load()).await.map(|_| ()).unwrap_err();
}

#[tokio::test]
async fn a_client_shows_its_new_identity() {
    let authority = FakeAuthority::new();
    let (_, identity) = live(&authority);
    let (updater, shown) = live(&authority);
    let trusted = Live::fixed(roots(&authority));
    let server = server_config(&identity, Some(&trusted), &[]).unwrap();
    let client = client_config(&trusted, Some(&shown), &[]).unwrap();
    let shown = |sides: &Sides| sides.server.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let before = shown(&connect(server.load(), client.load()).await.unwrap());
    updater.set(issue(&authority)).unwrap();
    assert_ne!(before, shown(&connect(server.load(), client.load()).await.unwrap()));
}
