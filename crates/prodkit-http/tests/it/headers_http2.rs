//! The rules of RFC 9113 for the headers of a request: each row a breach, and how it must be answered.

use crate::frames::{END, GET, field};
use crate::rules_http2::{End, PROTOCOL, check, headers, open, request};

/// Sections 8.2 and 8.3. Pseudo-headers: `GET` has method, scheme and path.
#[tokio::test]
async fn headers_are_those_of_a_request() {
    let end = |fields: &[Vec<u8>]| headers(END, 1, fields);
    let (method, scheme, path) = (vec![0x82], vec![0x86], vec![0x84]);
    let stream = End::Stream(PROTOCOL);
    check(vec![
        ("no method", end(&[scheme.clone(), path.clone()]), stream),
        ("no scheme", end(&[method.clone(), path.clone()]), stream),
        ("no path", end(&[method.clone(), scheme.clone()]), End::Status(400)),
        (
            "no path, with an authority",
            end(&[method.clone(), scheme.clone(), field(":authority", "a")]),
            stream,
        ),
        ("an empty path", end(&[method.clone(), scheme.clone(), field(":path", "")]), stream),
        ("a path that is none", end(&[method.clone(), scheme.clone(), field(":path", "a")]), stream),
        (
            "an asterisk that is not of OPTIONS",
            end(&[method.clone(), scheme.clone(), field(":path", "*")]),
            End::Status(400),
        ),
        (
            "an asterisk of OPTIONS",
            end(&[field(":method", "OPTIONS"), scheme.clone(), field(":path", "*")]),
            End::Status(200),
        ),
        ("two methods", end(&[method.clone(), method.clone(), scheme.clone(), path.clone()]), stream),
        ("two paths", end(&[method.clone(), scheme.clone(), path.clone(), path.clone()]), stream),
        ("a status", end(&[GET.to_vec(), field(":status", "200")]), stream),
        (
            "a pseudo-header that nobody knows",
            end(&[GET.to_vec(), field(":x", "y")]),
            End::Connection(PROTOCOL),
        ),
        ("one after a header", end(&[method.clone(), scheme.clone(), field("x", "y"), path.clone()]), stream),
        // h2 leaves it out, so nobody is told of it
        (
            "one in trailers",
            [open(1), headers(END, 1, std::slice::from_ref(&path))].concat(),
            End::Status(200),
        ),
        (
            "CONNECT with a path",
            end(&[field(":method", "CONNECT"), scheme.clone(), path.clone(), field(":authority", "a")]),
            stream,
        ),
        ("CONNECT without an authority", end(&[field(":method", "CONNECT")]), End::Status(400)),
        (
            "extended CONNECT",
            end(&[
                field(":method", "CONNECT"),
                scheme,
                path,
                field(":authority", "a"),
                field(":protocol", "websocket"),
            ]),
            stream,
        ),
        // section 8.2
        ("a name in capitals", request(&[("X", "y")]), End::Connection(PROTOCOL)),
        ("a name with a space", request(&[("x ", "y")]), End::Connection(PROTOCOL)),
        ("a value with a line's end", request(&[("x", "y\r\nz: a")]), End::Connection(PROTOCOL)),
        ("a value with NUL", request(&[("x", "y\0")]), End::Connection(PROTOCOL)),
        ("connection", request(&[("connection", "close")]), stream),
        ("keep-alive", request(&[("keep-alive", "1")]), stream),
        ("proxy-connection", request(&[("proxy-connection", "close")]), stream),
        ("transfer-encoding", request(&[("transfer-encoding", "chunked")]), stream),
        ("upgrade", request(&[("upgrade", "h2c")]), stream),
        ("te that is not trailers", request(&[("te", "gzip")]), stream),
        ("te: trailers", request(&[("te", "trailers")]), End::Status(200)),
        // section 8.3.1
        ("an authority and the same host", request(&[(":authority", "a"), ("host", "A")]), End::Status(200)),
        ("an authority and another host", request(&[(":authority", "a"), ("host", "b")]), End::Status(400)),
        ("two hosts", request(&[("host", "a"), ("host", "a")]), End::Status(400)),
        ("a user in the authority", request(&[(":authority", "user@a")]), End::Status(400)),
        ("an authority that is none", request(&[(":authority", "a/b")]), stream),
    ])
    .await;
}
