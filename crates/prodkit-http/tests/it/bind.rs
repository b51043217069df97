//! Listening.

use prodkit_http::Listener;
use std::io::ErrorKind;
use tokio::net::TcpStream;

#[tokio::test]
async fn the_unspecified_ipv6_address_answers_both_families() {
    let listener = Listener::bind("::", 0).await.expect("bound");
    let port = listener.local_addr().expect("TCP").port();
    TcpStream::connect(("127.0.0.1", port)).await.expect("ipv4");
    if listener.local_addr().expect("TCP").is_ipv6() {
        TcpStream::connect(("::1", port)).await.expect("ipv6");
    }
}

#[tokio::test]
async fn names_and_brackets_are_understood() {
    for host in ["localhost", "127.0.0.1", "[::1]", "::1"] {
        match Listener::bind(host, 0).await {
            Ok(listener) => assert!(listener.local_addr().expect("TCP").ip().is_loopback(), "{host}"),
            // a machine without IPv6
            Err(error) => assert!(host.contains("::1"), "{error}"),
        }
    }
}

#[tokio::test]
async fn an_error_names_the_address_and_the_way_out() {
    let taken = Listener::bind("127.0.0.1", 0).await.expect("bound");
    let port = taken.local_addr().expect("TCP").port();
    let error = Listener::bind("127.0.0.1", port).await.expect_err("in use");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(
        error.to_string(),
        format!(
            "listen on 127.0.0.1:{port}: the port is in use; stop the process that has it, or choose another port"
        )
    );

    // TEST-NET-1 belongs to no machine
    let error = Listener::bind("192.0.2.1", 80).await.expect_err("not ours");
    assert!(error.to_string().starts_with("listen on 192.0.2.1:80: "), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn an_address_is_free_again_as_soon_as_its_owner_is_gone() {
    let listener = Listener::bind("127.0.0.1", 0).await.expect("bound");
    let address = listener.local_addr().expect("TCP");
    // a connection that was open leaves the address in TIME_WAIT
    let client = TcpStream::connect(address).await.expect("connected");
    drop(listener);
    Listener::bind("127.0.0.1", address.port()).await.expect("bound again");
    drop(client);
}
