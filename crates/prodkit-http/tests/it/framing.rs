//! Where a request's body ends, by HTTP/1: whoever may disagree with a proxy about it can be made to answer the wrong
//! client (request smuggling). Each row is a case with the answer that was decided on.

use crate::support::{Server, service, status, text};
use http_body_util::BodyExt as _;
use prodkit_http::{Limits, Service};
use std::sync::{Arc, Mutex};

/// What reached the service: path and body, or that the body failed.
type Served = Arc<Mutex<Vec<String>>>;

fn witness(served: &Served) -> Service {
    let served = served.clone();
    service(move |request| {
        let served = served.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.map(|body| body.to_bytes());
            let is_whole = body.is_ok();
            let body =
                body.map_or_else(|_| "failed".into(), |body| String::from_utf8_lossy(&body).into_owned());
            served.lock().expect("no panic").push(format!("{path} {body}"));
            let mut answer = text("");
            *answer.status_mut() =
                if is_whole { http::StatusCode::OK } else { http::StatusCode::BAD_REQUEST };
            Ok(answer)
        }
    })
}

/// The next request on the connection: what a smuggler would like to have taken for part of the first, or the reverse.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

struct Case {
    what: &'static str,
    /// Between `Host` and the empty line.
    head: &'static str,
    body: String,
    /// What the service saw of it.
    served: &'static [&'static str],
    /// The answer to it.
    status: u16,
    /// Whether the connection goes on, so that the next request on it is served.
    goes_on: bool,
}

impl Case {
    fn new(what: &'static str, head: &'static str, body: impl Into<String>) -> Self {
        Self { what, head, body: body.into(), served: &[], status: 400, goes_on: false }
    }

    fn served(self, served: &'static [&'static str], status: u16, goes_on: bool) -> Self {
        Self { served, status, goes_on, ..self }
    }

    fn refused(self, status: u16) -> Self {
        Self { status, ..self }
    }

    async fn run(self, version: &str) {
        let Self { what, head, body, served, status: expected, goes_on } = self;
        let seen = Served::default();
        let server = Server::start(witness(&seen), Limits::default()).await;
        let mut client = server.connect().await;
        client.send(format!("POST /first {version}\r\nHost: a\r\n{head}\r\n{body}{NEXT}")).await;
        let (answer, _) = client.response().await;
        assert_eq!(status(&answer), expected, "{what}");
        if goes_on {
            let (answer, _) = client.response().await;
            assert_eq!(status(&answer), 200, "{what}: the next request");
        } else {
            client.closed().await;
        }
        drop(client);
        let mut expected = served.to_vec();
        expected.extend(goes_on.then_some("/next "));
        assert_eq!(*seen.lock().expect("no panic"), expected, "{what}");
        server.ends_clean().await;
    }
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const HI: &str = "2\r\nhi\r\n0\r\n\r\n";

#[tokio::test]
async fn what_is_plain_is_served() {
    for case in [
        Case::new("a length", "Content-Length: 2\r\n", "hi").served(&["/first hi"], 200, true),
        Case::new("no length", "", "").served(&["/first "], 200, true),
        Case::new("a length of 0", "Content-Length: 0\r\n", "").served(&["/first "], 200, true),
        Case::new("zeros before it", "Content-Length: 002\r\n", "hi").served(&["/first hi"], 200, true),
        Case::new("chunks", CHUNKED, HI).served(&["/first hi"], 200, true),
        Case::new("in capitals", "TRANSFER-ENCODING: CHUNKED\r\n", HI).served(&["/first hi"], 200, true),
        Case::new("a chunk's extension", CHUNKED, "2;a=\"b\"\r\nhi\r\n0\r\n\r\n").served(
            &["/first hi"],
            200,
            true,
        ),
        Case::new("zeros before a chunk's size", CHUNKED, "0000002\r\nhi\r\n0\r\n\r\n").served(
            &["/first hi"],
            200,
            true,
        ),
        Case::new("trailers", CHUNKED, "2\r\nhi\r\n0\r\nX: y\r\n\r\n").served(&["/first hi"], 200, true),
        // RFC 9112, section 6.3, rule 5: the same number twice may be taken for one
        Case::new("a length twice", "Content-Length: 2\r\nContent-Length: 2\r\n", "hi").served(
            &["/first hi"],
            200,
            true,
        ),
    ] {
        case.run("HTTP/1.1").await;
    }
}

/// Of both, chunks count, the length is not shown to the service, and nothing more is read of the connection (RFC 9112,
/// section 6.1): what one of the two hides is never taken for a request.
#[tokio::test]
async fn a_length_and_chunks_are_the_end_of_the_connection() {
    let both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n";
    let reversed = "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n";
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for (what, head, body) in [
        ("CL.TE", both, hidden),
        ("TE.CL", reversed, hidden),
        (
            "a length that is none, after the coding",
            "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
            hidden,
        ),
    ] {
        Case::new(what, head, body).served(&["/first "], 200, false).run("HTTP/1.1").await;
    }
}

#[tokio::test]
async fn a_length_that_is_not_one_number_is_refused() {
    for (what, head) in [
        ("two that differ", "Content-Length: 2\r\nContent-Length: 3\r\n"),
        ("a list", "Content-Length: 2, 2\r\n"),
        ("negative", "Content-Length: -2\r\n"),
        ("a plus sign", "Content-Length: +2\r\n"),
        ("hexadecimal", "Content-Length: 0x2\r\n"),
        ("a fraction", "Content-Length: 2.0\r\n"),
        ("nothing", "Content-Length: \r\n"),
        ("a space within", "Content-Length: 2 0\r\n"),
        ("more than 64 bits", "Content-Length: 18446744073709551616\r\n"),
        ("forty digits", "Content-Length: 1000000000000000000000000000000000000000\r\n"),
    ] {
        Case::new(what, head, "hi").run("HTTP/1.1").await;
    }
    // the largest that could be counted is still no body we take: 431 by hyper's own bound
    Case::new("64 bits", "Content-Length: 18446744073709551615\r\n", "hi").refused(431).run("HTTP/1.1").await;
}

#[tokio::test]
async fn a_coding_that_is_not_chunked_alone_is_refused() {
    for (what, head, status) in [
        ("TE.TE: another last", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", 400),
        ("TE.TE: another first", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", 400),
        ("TE.TE: twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("chunked twice in a line", "Transfer-Encoding: chunked, chunked\r\n", 400),
        ("not the last", "Transfer-Encoding: chunked, identity\r\n", 400),
        ("identity", "Transfer-Encoding: identity\r\n", 400),
        ("nothing", "Transfer-Encoding: \r\n", 400),
        ("xchunked", "Transfer-Encoding: xchunked\r\n", 400),
        ("quoted", "Transfer-Encoding: \"chunked\"\r\n", 400),
        ("a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", 400),
        ("a parameter", "Transfer-Encoding: chunked;q=1\r\n", 400),
        ("one that we do not know", "Transfer-Encoding: gzip, chunked\r\n", 501),
    ] {
        Case::new(what, head, HI).refused(status).run("HTTP/1.1").await;
    }
    // RFC 9112, section 6.1: a message of an older version has none
    Case::new("in HTTP/1.0", CHUNKED, HI).run("HTTP/1.0").await;
}

#[tokio::test]
async fn a_header_line_that_others_may_read_otherwise_is_refused() {
    for (what, head) in [
        ("folded", "X: a\r\n b\r\n"),
        ("folded with a tab", "Content-Length: 2\r\n\t0\r\n"),
        ("a space before the colon", "Content-Length : 2\r\n"),
        ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
        ("a space before the name", " X: a\r\n"),
        ("no colon", "X\r\n"),
        ("no name", ": a\r\n"),
        ("NUL in the value", "X: a\0b\r\n"),
        ("NUL in the name", "X\0: a\r\n"),
        ("bare CR in the value", "X: a\rContent-Length: 2\r\n"),
        ("bare CR at the end", "X: a\r\r\n"),
        ("a control character", "X: a\x01b\r\n"),
        ("DEL", "X: a\x7fb\r\n"),
        ("a name outside ASCII", "Content-Length\u{b5}: 2\r\n"),
    ] {
        Case::new(what, head, "").run("HTTP/1.1").await;
    }
    // RFC 9112, section 2.2 lets a line end with LF alone; nothing here reads it otherwise
    Case::new("bare LF", "Content-Length: 2\n", "hi").served(&["/first hi"], 200, true).run("HTTP/1.1").await;
}

/// The head was good, so the service has begun; its body fails, and nothing after it is read.
#[tokio::test]
async fn chunks_outside_the_grammar_fail_and_end_the_connection() {
    let long = format!("2;{}\r\nhi\r\n0\r\n\r\n", "x".repeat(17 << 10));
    let many = format!("{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "y".repeat(256)).repeat(70));
    let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(200));
    let large = format!("0\r\nX: {}\r\n\r\n", "y".repeat(40 << 10));
    for (what, body) in [
        ("a size that overflows", "10000000000000002\r\nhi\r\n0\r\n\r\n"),
        ("no size", "\r\nhi\r\n0\r\n\r\n"),
        ("negative", "-2\r\nhi\r\n0\r\n\r\n"),
        ("a plus sign", "+2\r\nhi\r\n0\r\n\r\n"),
        ("0x", "0x2\r\nhi\r\n0\r\n\r\n"),
        ("not a digit", "g\r\nhi\r\n0\r\n\r\n"),
        ("a space before it", " 2\r\nhi\r\n0\r\n\r\n"),
        ("digits after a space", "2 2\r\nhi\r\n0\r\n\r\n"),
        ("LF alone after the size", "2\nhi\r\n0\r\n\r\n"),
        ("CR alone after the size", "2\rhi\r\n0\r\n\r\n"),
        ("LF alone after an extension", "2;a\nhi\r\n0\r\n\r\n"),
        ("LF alone after the data", "2\r\nhi\n0\r\n\r\n"),
        ("data longer than its size", "2\r\nhix\r\n0\r\n\r\n"),
        ("extensions without an end", long.as_str()),
        ("a bomb of extensions", many.as_str()),
        ("too many trailers", trailers.as_str()),
        ("trailers too large", large.as_str()),
    ] {
        Case::new(what, CHUNKED, body).served(&["/first failed"], 400, false).run("HTTP/1.1").await;
    }
}
