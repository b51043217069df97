//! Floods of frames that are allowed, and a bomb.

use crate::frames::{DATA, END, Frames, GET, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, field, frame};
use crate::support::{Server, hello, until, within};
use prodkit_http::Limits;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const CONTINUATION: u8 = 9;

const LONG: Duration = Duration::from_secs(600);

fn patient() -> Limits {
    Limits::default()
        .first_byte(LONG)
        .header_timeout(LONG)
        .idle(LONG)
        .write_timeout(LONG)
        .http2_ping(LONG, LONG)
}

/// How the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Connection(u32),
    Stream(u32),
    /// Closed without a word.
    Silent,
}

const PROTOCOL: u32 = 1;
const CALM: u32 = 11;

/// The first end of a stream or the connection that comes, answers passed over.
async fn end(client: &mut Frames) -> End {
    loop {
        let Some(head) = client.0.up_to(9).await else { return End::Silent };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let Some(payload) = client.0.up_to(length as usize).await else { return End::Silent };
        let code =
            |at: usize| u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
        match head[3] {
            GOAWAY => return End::Connection(code(4)),
            RST_STREAM => return End::Stream(code(0)),
            _ => {}
        }
    }
}

/// A flood is written for as long as it is taken, by a client that reads nothing; then how it ended is read.
async fn flood(server: &Server, first: &[u8], part: &[u8]) -> Option<End> {
    let mut client = Frames::connect(server).await;
    client.0.send(first).await;
    let block = part.repeat((64 << 10) / part.len() + 1);
    for _ in 0..1_000 {
        let writing = client.0.stream.write_all(&block);
        match tokio::time::timeout(Duration::from_secs(1), writing).await {
            // not taken any more, or gone
            Err(_) => return None,
            Ok(Err(_)) => break,
            Ok(Ok(())) => {}
        }
    }
    Some(end(&mut client).await)
}

/// Each is either ended by the server or not taken any further: what it would cost is bounded either way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_ended_or_held_up_and_others_are_served() {
    let server = Server::start(hello(), patient().write_timeout(Duration::from_secs(1))).await;
    // (1) headers without an end, as many frames as it takes (CVE-2024-27316)
    let continuation = frame(CONTINUATION, 0, 1, &field("x", &"y".repeat(100)));
    let ended = flood(&server, &frame(HEADERS, 0, 1, &GET), &continuation).await;
    assert!(matches!(ended, Some(End::Connection(CALM | PROTOCOL) | End::Silent)), "CONTINUATION: {ended:?}");
    // (2) the same with nothing in them
    let ended = flood(&server, &frame(HEADERS, 0, 1, &GET), &frame(CONTINUATION, 0, 1, &[])).await;
    assert!(
        matches!(ended, Some(End::Connection(CALM | PROTOCOL) | End::Silent)),
        "empty CONTINUATION: {ended:?}"
    );
    // (3) to (5) what must be answered: the answers are not taken, and then no more is read (CVE-2019-9512, -9515)
    for (what, part) in [("PING", frame(PING, 0, 0, &[7; 8])), ("SETTINGS", frame(SETTINGS, 0, 0, &[]))] {
        let ended = flood(&server, &[], &part).await;
        assert!(matches!(ended, None | Some(End::Connection(CALM) | End::Silent)), "{what}: {ended:?}");
    }
    // (6) a stream opened and ended at once, again and again (CVE-2023-44487), each with the next number
    let mut client = Frames::connect(&server).await;
    let mut burst = Vec::new();
    for stream in (1..4_000).step_by(2) {
        burst.extend(frame(HEADERS, END, stream, &GET));
        burst.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    client.0.send(&burst).await;
    assert_eq!(within("rapid reset", end(&mut client)).await, End::Connection(CALM));

    let mut honest = Frames::connect(&server).await;
    honest.send(HEADERS, END, 1, &GET).await;
    honest.next(DATA).await;
    drop(honest);
    drop(client);
    until("all others gone", || server.traffic.connections() == 0).await;
    server.ends_clean().await;
}

/// One entry of the table, named a thousand times: small on the wire, large when read.
#[tokio::test]
async fn a_bomb_of_indexes_is_refused() {
    let server = Server::start(hello(), patient()).await;
    let mut client = Frames::connect(&server).await;
    // a literal with indexing of 4,000 bytes, then its index over and over
    let mut block = GET.to_vec();
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'y'; 4_000]);
    block.extend([0xbe; 12_000]);
    client.send(HEADERS, END, 1, &block).await;
    let head = loop {
        let head = client.0.exactly(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = client.0.exactly(length as usize).await;
        if head[3] == HEADERS || head[3] == RST_STREAM || head[3] == GOAWAY {
            break (head[3], payload);
        }
    };
    // 431, or the end of the stream or the connection: never an answer to it
    assert!(head.0 != HEADERS || !head.1.starts_with(&[0x88]), "answered 200: {head:?}");
    drop(client);
    server.ends_clean().await;
}
