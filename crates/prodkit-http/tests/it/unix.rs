//! Unix sockets: who may come in, and what is found at the path.

use crate::support::{Server, Witness, text, within};
use prodkit_http::{Limits, Listener, Service, peer_addr};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

async fn get(path: &Path) -> String {
    let mut client = within("connect", UnixStream::connect(path)).await.expect("connected");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    within("answer", client.read_to_string(&mut answer)).await.expect("answered");
    answer
}

#[tokio::test]
async fn it_serves_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("orders.sock");
    let listener = Listener::bind_unix(&path, 0o620).expect("bound");
    assert_eq!(listener.to_string(), format!("unix:{}", path.display()));
    assert_eq!(listener.local_addr(), None);
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o620);

    let witness = Arc::<Witness>::default();
    let service = tower::Layer::layer(
        &witness.observe(),
        tower::service_fn(async |_: http::Request<prodkit_http::Body>| {
            Ok::<_, std::convert::Infallible>(text(format!("peer: {:?}", peer_addr())))
        }),
    );
    let server = Server::start_on(listener, Service::new(service), Limits::default(), &metrics::NoopRecorder);
    let answer = get(&path).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("peer: None"), "{answer}");
    assert!(!witness.exchange().await.has_peer);
    server.ends_clean().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn only_a_socket_that_nobody_listens_on_is_taken_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("orders.sock");
    // as a process that was killed leaves it
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let first = Listener::bind_unix(&path, 0o600).expect("taken over");

    let taken = Listener::bind_unix(&path, 0o600).expect_err("somebody listens");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    let text = format!(
        "listen on unix:{}: another process listens there; stop it, or choose another path",
        path.display()
    );
    assert_eq!(taken.to_string(), text);
    assert!(path.exists());

    // what came in its place is not ours to remove
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "precious").expect("written");
    drop(first);
    let kept = Listener::bind_unix(&path, 0o600).expect_err("not a socket");
    assert_eq!(kept.kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).expect("kept"), "precious");

    let nowhere =
        Listener::bind_unix(directory.path().join("no/orders.sock"), 0o600).expect_err("no directory");
    assert!(nowhere.to_string().ends_with("the directory does not exist; create it, or choose another path"));
}
