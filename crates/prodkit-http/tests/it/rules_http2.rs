//! The rules of RFC 9113, frame by frame: each row a breach, and how it must be answered. Where h2 has
//! PROTOCOL_ERROR for a code of its own in the RFC, or the connection for the stream, the row says what h2 says.

use crate::frames::{ACK, DATA, END, Frames, GET, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, field, frame};
use crate::support::{Server, service, text};
use http_body_util::BodyExt as _;
use prodkit_http::{Limits, Service};

const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags of HEADERS and DATA.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// Error codes (RFC 9113, section 7).
pub(crate) const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const FRAME_SIZE: u32 = 6;

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// GOAWAY, and the connection is closed.
    Connection(u32),
    /// RST_STREAM; others go on.
    Stream(u32),
    /// An answer with this status.
    Status(u16),
    /// Closed without a word.
    Closed,
}

/// Reads its request, so that a body that breaks a rule is noticed; an answer means that the request was served.
fn reader() -> Service {
    service(async |request| {
        request.into_body().collect().await?;
        Ok(text("served"))
    })
}

fn limits() -> Limits {
    Limits::default().http2_max_streams(2)
}

/// Everything `sent` after a preface and SETTINGS; what it comes to on the stream 1 or on the connection.
async fn end_of(server: &Server, what: &str, sent: &[u8]) -> End {
    let mut client = Frames::connect(server).await;
    client.0.send(sent).await;
    loop {
        let Some(head) = client.0.up_to(9).await else { return End::Closed };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = client.0.up_to(length as usize).await.expect("a whole frame");
        let code =
            |at: usize| u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
        match head[3] {
            GOAWAY => {
                let code = code(4);
                assert!(client.0.up_to(1).await.is_none(), "{what}: closed after GOAWAY");
                return End::Connection(code);
            }
            RST_STREAM => {
                // others are served
                client.send(HEADERS, END, 101, &GET).await;
                client.next(DATA).await;
                return End::Stream(code(0));
            }
            HEADERS => return End::Status(status(&payload)),
            _ => {}
        }
    }
}

/// `:status` comes first, by the static table or as a literal of three digits that is not Huffman coded.
fn status(block: &[u8]) -> u16 {
    match block[0] {
        0x88 => 200,
        0x8c => 400,
        _ => {
            let digits = block.windows(3).find(|digits| digits.iter().all(u8::is_ascii_digit));
            let text = digits.map_or("0".into(), String::from_utf8_lossy);
            text.parse().expect("digits")
        }
    }
}

pub(crate) fn headers(flags: u8, stream: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &fields.concat())
}

/// A request with fields besides.
pub(crate) fn request(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| field(name, value)).collect();
    frame(HEADERS, END, 1, &[&GET[..], &fields.concat()].concat())
}

pub(crate) fn open(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &GET)
}

pub(crate) async fn check(rows: Vec<(&str, Vec<u8>, End)>) {
    let server = Server::start(reader(), limits()).await;
    let mut wrong = Vec::new();
    for (what, sent, expected) in rows {
        let end = end_of(&server, what, &sent).await;
        if end != expected {
            wrong.push(format!("{what}: {end:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    crate::support::until("all gone", || server.traffic.connections() == 0).await;
    server.ends_clean().await;
}

#[tokio::test]
async fn a_preface_that_is_none_is_not_answered_in_http2() {
    let server = Server::start(reader(), limits()).await;
    for (preface, expected) in [
        (&b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..], "HTTP/1.1 400"),
        (b"PRI * HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP/1.1 400"),
    ] {
        let mut client = server.connect().await;
        client.send(preface).await;
        let answer = client.rest().await;
        assert!(answer.is_empty() || answer.starts_with(expected), "{answer}");
    }
    // Section 3.4 has SETTINGS follow. h2 does not insist, and nothing depends on it.
    let mut client = server.connect().await;
    client.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(PING, 0, 0, &[7; 8])].concat()).await;
    assert_eq!(Frames(client).next(PING).await, [7; 8]);
    server.ends_clean().await;
}

#[tokio::test]
async fn frames_have_the_size_and_the_stream_of_their_kind() {
    let settings = |id: u16, value: u32| {
        frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
    };
    check(vec![
        // section 4.2
        ("a frame larger than announced", frame(DATA, 0, 1, &[0; 16_385]), End::Connection(FRAME_SIZE)),
        ("large HEADERS", frame(HEADERS, END, 1, &[0; 16_385]), End::Connection(FRAME_SIZE)),
        (
            "a kind that nobody knows",
            [frame(0xfa, 0xff, 0, &[1; 9]), request(&[])].concat(),
            End::Status(200),
        ),
        // section 6.1
        ("DATA on the connection", frame(DATA, 0, 0, b"x"), End::Connection(PROTOCOL)),
        ("DATA before its HEADERS", frame(DATA, 0, 1, b"x"), End::Connection(PROTOCOL)),
        (
            "more padding than DATA",
            [open(1), frame(DATA, PADDED, 1, &[9, b'x'])].concat(),
            End::Connection(PROTOCOL),
        ),
        // section 6.2
        ("HEADERS on the connection", frame(HEADERS, END, 0, &GET), End::Connection(PROTOCOL)),
        ("more padding than HEADERS", frame(HEADERS, END | PADDED, 1, &[9, 0x82]), End::Connection(PROTOCOL)),
        // section 6.3
        ("PRIORITY on the connection", frame(PRIORITY, 0, 0, &[0; 5]), End::Connection(PROTOCOL)),
        // section 6.4
        ("RST_STREAM on the connection", frame(RST_STREAM, 0, 0, &[0; 4]), End::Connection(PROTOCOL)),
        ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, &[0; 4]), End::Connection(PROTOCOL)),
        (
            "RST_STREAM of another size",
            [open(1), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
            End::Connection(PROTOCOL),
        ),
        // section 6.5
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), End::Connection(PROTOCOL)),
        ("SETTINGS of another size", frame(SETTINGS, 0, 0, &[0; 5]), End::Connection(PROTOCOL)),
        ("an ACK with a payload", frame(SETTINGS, ACK, 0, &[0; 6]), End::Connection(PROTOCOL)),
        ("ENABLE_PUSH of 2", settings(2, 2), End::Connection(PROTOCOL)),
        ("a window too large", settings(4, 1 << 31), End::Connection(PROTOCOL)),
        ("a frame size too small", settings(5, 16_383), End::Connection(PROTOCOL)),
        ("a frame size too large", settings(5, 1 << 24), End::Connection(PROTOCOL)),
        // section 6.6: a client has nothing to promise
        (
            "PUSH_PROMISE",
            [open(1), frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82])].concat(),
            End::Connection(PROTOCOL),
        ),
        // section 6.7
        ("PING on a stream", frame(PING, 0, 1, &[0; 8]), End::Connection(PROTOCOL)),
        ("PING of another size", frame(PING, 0, 0, &[0; 7]), End::Connection(PROTOCOL)),
        // section 6.8
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), End::Connection(PROTOCOL)),
    ])
    .await;
}

#[tokio::test]
async fn windows_do_not_overflow() {
    let by = |bytes: u32| bytes.to_be_bytes();
    let most = by((1 << 31) - 1);
    check(vec![
        // section 6.9
        ("an update of 0 for the connection", frame(WINDOW_UPDATE, 0, 0, &by(0)), End::Connection(PROTOCOL)),
        ("an update of another size", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), End::Connection(PROTOCOL)),
        ("an update of an idle stream", frame(WINDOW_UPDATE, 0, 1, &by(1)), End::Connection(PROTOCOL)),
        ("the connection's", frame(WINDOW_UPDATE, 0, 0, &most), End::Connection(FLOW_CONTROL)),
        ("a stream's", [open(1), frame(WINDOW_UPDATE, 0, 1, &most)].concat(), End::Stream(FLOW_CONTROL)),
    ])
    .await;
}

#[tokio::test]
async fn streams_are_opened_in_order_and_used_until_they_end() {
    let trailers = |flags| headers(flags, 1, &[field("x", "y")]);
    check(vec![
        // section 5.1.1
        ("an even stream", open(2), End::Connection(PROTOCOL)),
        (
            "a lower stream than before",
            [frame(HEADERS, END, 5, &GET), frame(HEADERS, END, 3, &GET)].concat(),
            End::Connection(PROTOCOL),
        ),
        // section 5.1: half-closed by the client
        (
            "DATA after the end",
            [frame(HEADERS, END_HEADERS, 1, &GET), frame(DATA, END_STREAM, 1, b"x"), frame(DATA, 0, 1, b"y")]
                .concat(),
            End::Connection(PROTOCOL),
        ),
        // section 8.1
        ("trailers", [open(1), trailers(END)].concat(), End::Status(200)),
        ("trailers that are not the end", [open(1), trailers(END_HEADERS)].concat(), End::Stream(PROTOCOL)),
        // section 4.3: a block in several frames, and nothing else in between
        (
            "CONTINUATION",
            [frame(HEADERS, END_STREAM, 1, &GET[..1]), frame(CONTINUATION, END_HEADERS, 1, &GET[1..])]
                .concat(),
            End::Status(200),
        ),
        (
            "another frame within a block",
            [frame(HEADERS, END_STREAM, 1, &GET), frame(PING, 0, 0, &[0; 8])].concat(),
            End::Connection(PROTOCOL),
        ),
        (
            "another stream within a block",
            [frame(HEADERS, END_STREAM, 1, &GET), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            End::Connection(PROTOCOL),
        ),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &GET), End::Connection(PROTOCOL)),
        ("a block that is no HPACK", frame(HEADERS, END, 1, &[0xff; 9]), End::Connection(PROTOCOL)),
        ("an index beyond the tables", frame(HEADERS, END, 1, &[0xc6]), End::Connection(PROTOCOL)),
        // section 8.1.1
        (
            "less than the length says",
            [
                headers(END_HEADERS, 1, &[GET.to_vec(), field("content-length", "2")]),
                frame(DATA, END_STREAM, 1, b"x"),
            ]
            .concat(),
            End::Stream(PROTOCOL),
        ),
        (
            "more than the length says",
            [
                headers(END_HEADERS, 1, &[GET.to_vec(), field("content-length", "2")]),
                frame(DATA, END_STREAM, 1, b"xyz"),
            ]
            .concat(),
            End::Stream(PROTOCOL),
        ),
        ("no body where a length is", request(&[("content-length", "2")]), End::Stream(PROTOCOL)),
        (
            "lengths that differ",
            request(&[("content-length", "0"), ("content-length", "2")]),
            End::Stream(PROTOCOL),
        ),
        ("a length that is no number", request(&[("content-length", "+0")]), End::Stream(PROTOCOL)),
    ])
    .await;
}
