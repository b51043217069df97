//! What a client's pool is made of.

use crate::support::{Counts, Server, hello, spawn, until, within};
use http::Uri;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prodkit_http::Limits;
use prodkit_http::client::Connections;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

fn value(counts: &Counts, name: &str) -> f64 {
    counts.values().iter().find(|(key, _)| key == name).map_or(0.0, |(_, value)| *value)
}

#[tokio::test]
async fn connections_count_from_their_making_to_their_end() {
    let server = Server::start(hello(), Limits::default()).await;
    let counts = Arc::<Counts>::default();
    let connector = Connections::new(HttpConnector::new(), counts.clone());
    let client: Client<_, Empty<&[u8]>> =
        Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(600)).build(connector);
    let uri: Uri = format!("http://{}/", server.address).parse().expect("a URI");
    for _ in 0..3 {
        let answer = within("an answer", client.get(uri.clone())).await.expect("an answer");
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "hello");
    }
    let of = |name: &str| value(&counts, &format!("{name}{{server={}}}", server.address));
    let connects = |outcome: &str| {
        value(
            &counts,
            &format!("http_client_connect_duration_seconds{{server={},outcome={outcome}}}", server.address),
        )
    };
    assert_eq!(
        (of("http_client_open_connections"), connects("connected")),
        (1.0, 1.0),
        "one for three requests"
    );
    assert_eq!(of("http_client_connection_duration_seconds"), 0.0);

    drop(client);
    until("closed", || of("http_client_open_connections") == 0.0).await;
    assert_eq!(of("http_client_connection_duration_seconds"), 1.0);
    assert_eq!((connects("failed"), connects("dropped")), (0.0, 0.0));
    server.ends_clean().await;
}

#[tokio::test]
async fn what_did_not_become_a_connection_counts_by_why() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let counts = Arc::<Counts>::default();
    let uri: Uri = format!("http://{closed}/").parse().expect("a URI");
    let connector = Connections::new(HttpConnector::new(), counts.clone());
    assert!(within("refused", connector.oneshot(uri.clone())).await.is_err());

    let never = tower::service_fn(|_: Uri| std::future::pending::<Result<(), std::io::Error>>());
    let connecting = spawn(Connections::new(never, counts.clone()).oneshot(uri));
    let connects = |outcome: &str| {
        value(&counts, &format!("http_client_connect_duration_seconds{{server={closed},outcome={outcome}}}"))
    };
    until("begun", || *counts.registrations.lock().expect("no panic") >= 10).await;
    connecting.abort();
    until("dropped", || connects("dropped") == 1.0).await;
    assert_eq!((connects("failed"), connects("connected")), (1.0, 0.0));
    assert_eq!(value(&counts, &format!("http_client_open_connections{{server={closed}}}")), 0.0);
}
