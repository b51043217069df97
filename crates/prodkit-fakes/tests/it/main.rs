//! The fakes, driven by bytes on a socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod vault;

use prodkit_fakes::{Behaviour, FakeCollector};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const POST: &[u8] = b"POST /v1/logs?x=1 HTTP/1.1\r\nhost: x\r\nx-key: v\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody";

async fn post(addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(POST).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn answers_as_told_and_remembers() {
    let collector = FakeCollector::start();
    let body = Behaviour::Body(bytes::Bytes::from_static(b"\x0a\x00"));
    for (behaviour, status, tail) in [
        (Behaviour::Answer, "200", "\r\n\r\n"),
        (body, "200", "\r\n\r\n\n\0"),
        (Behaviour::status(429).header("retry-after", "7"), "429", "\r\n\r\n"),
        (Behaviour::Slow(Duration::from_millis(1)), "200", "\r\n\r\n"),
    ] {
        collector.behave(behaviour);
        let answer = post(collector.addr()).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with(tail), "{answer:?}");
        assert_eq!(status == "429", answer.contains("retry-after: 7"), "{answer}");
    }
    let received = collector.wait_for_at("/v1/logs", 4).await;
    assert_eq!(received.len(), 4);
    assert_eq!((&received[0].body[..], received[0].headers["x-key"].as_bytes()), (&b"body"[..], &b"v"[..]));
    assert!(collector.received_at("/v1/traces").is_empty());
}

#[tokio::test]
async fn refuses_and_comes_back_on_the_same_port() {
    let collector = FakeCollector::start();
    let mut idle = TcpStream::connect(collector.addr()).await.unwrap();
    collector.behave(Behaviour::Refuse);
    collector.listening(false).await;
    assert!(post(collector.addr()).await.is_err());
    // cut: end of stream, or a reset
    assert!(matches!(idle.read(&mut [0; 1]).await, Ok(0) | Err(_)));

    collector.behave(Behaviour::Answer);
    collector.listening(true).await;
    assert!(post(collector.addr()).await.unwrap().starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn hangs_and_resets() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Reset);
    let cut = post(collector.addr()).await.unwrap_or_default();
    assert!(!cut.ends_with("\r\n\r\n") || !cut.contains("200") || cut.contains("1000"), "{cut}");

    collector.behave(Behaviour::Hang);
    let addr = collector.addr();
    tokio::select! {
        answer = post(addr) => panic!("answered {answer:?}"),
        received = collector.wait_for(2) => assert_eq!(received.len(), 2),
    }
}
