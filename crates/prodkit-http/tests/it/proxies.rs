//! Where a request comes from, as the service and the observer see it.

use crate::support::{Raw, Server, Witness, text};
use prodkit_http::{Limits, Listener, Service, TrustedProxies, client_addr, peer_addr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tower::Layer as _;

const SAID: &str = "Forwarded: for=198.51.100.1, for=\"[2001:db8::7]:80\";proto=https;host=shop.example\r\n";

fn trusting(witness: &Arc<Witness>, proxies: &[&str]) -> Service {
    let proxies: TrustedProxies = proxies.iter().map(|proxy| proxy.parse().expect("a proxy")).collect();
    let observe = witness.observe().trusted_proxies(proxies);
    Service::new(observe.layer(tower::service_fn(async |_: http::Request<prodkit_http::Body>| {
        let before = client_addr();
        // another turn: whoever runs in between is somebody else's request
        tokio::task::yield_now().await;
        assert_eq!(client_addr(), before);
        let told = |address: Option<std::net::IpAddr>| address.map_or("none".into(), |it| it.to_string());
        Ok::<_, std::convert::Infallible>(text(format!(
            "{} by {}",
            told(before),
            told(peer_addr().map(|peer| peer.ip()))
        )))
    })))
}

async fn ask(client: &mut Raw, headers: &str) -> String {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")).await;
    client.response().await.1
}

#[tokio::test]
async fn only_a_proxy_in_the_list_says_who_the_client_is() {
    for (proxies, client, scheme, host) in [
        (&["127.0.0.0/8"][..], "2001:db8::7", Some("https"), Some("shop.example")),
        (&["127.0.0.1", "2001:db8::/32"], "198.51.100.1", None, None),
        (&["127.0.0.2", "unix"], "127.0.0.1", None, None),
        (&[], "127.0.0.1", None, None),
    ] {
        let witness = Arc::<Witness>::default();
        let server = Server::start(trusting(&witness, proxies), Limits::default()).await;
        let mut connection = server.connect().await;
        assert_eq!(ask(&mut connection, SAID).await, format!("{client} by 127.0.0.1"), "{proxies:?}");
        // the next request on the connection is another client's
        assert_eq!(ask(&mut connection, "").await, "127.0.0.1 by 127.0.0.1");
        let seen = witness.exchanges(2).await;
        assert_eq!(seen[0].client.as_deref(), Some(client), "{proxies:?}");
        assert_eq!((seen[0].scheme.as_deref(), seen[0].host.as_deref()), (scheme, host), "{proxies:?}");
        assert_eq!((seen[1].client.as_deref(), seen[1].scheme.as_deref()), (Some("127.0.0.1"), None));
        drop(connection);
        server.ends_clean().await;
    }
    assert_eq!(client_addr(), None);
}

#[tokio::test]
async fn requests_that_take_turns_on_one_thread_keep_their_clients() {
    let witness = Arc::<Witness>::default();
    let server = Server::start(trusting(&witness, &["127.0.0.1"]), Limits::default()).await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    for _ in 0..20 {
        let (first, second) = tokio::join!(
            ask(&mut one, "X-Forwarded-For: 198.51.100.1\r\n"),
            ask(&mut other, "X-Forwarded-For: 198.51.100.2\r\n")
        );
        assert_eq!(
            (first.as_str(), second.as_str()),
            ("198.51.100.1 by 127.0.0.1", "198.51.100.2 by 127.0.0.1")
        );
    }
    drop((one, other));
    server.ends_clean().await;
}

#[tokio::test]
async fn a_proxy_at_a_unix_socket_is_believed_by_that_name() {
    for (proxies, expected) in
        [(&["unix"][..], "198.51.100.1 by none"), (&["0.0.0.0/0", "::/0"], "none by none")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("main.sock");
        let listener = Listener::bind_unix(&path, 0o600).expect("bound");
        let witness = Arc::<Witness>::default();
        let server = Server::start_on(
            listener,
            trusting(&witness, proxies),
            Limits::default(),
            &metrics::NoopRecorder,
        );
        let mut client = UnixStream::connect(&path).await.expect("connected");
        let request =
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with(expected), "{answer}");
        server.ends_clean().await;
    }
}
