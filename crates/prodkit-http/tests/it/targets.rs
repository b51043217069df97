//! Whom a request of HTTP/1 is for, and how much of a head there may be: `Host`, the forms of a target, its length.

use crate::support::{Server, header, service, status, text};
use http::header::HOST;
use prodkit_http::{Limits, Service};

/// Says what the service is told of host and target.
fn told() -> Service {
    service(async |request| {
        let host = request.headers().get(HOST).map_or("", |host| host.to_str().unwrap_or("?"));
        Ok(text(format!("{host} {}", request.uri())))
    })
}

async fn answer(server: &Server, request: impl AsRef<[u8]>) -> (u16, Option<String>, String) {
    let mut client = server.connect().await;
    client.send(request).await;
    let (head, body) = client.response().await;
    let connection = header(&head, "connection").map(str::to_owned);
    if status(&head) != 200 {
        client.closed().await;
    }
    (status(&head), connection, body)
}

/// RFC 9112, section 3.2.
#[tokio::test]
async fn one_host_and_a_valid_one() {
    let server = Server::start(told(), Limits::default()).await;
    for (what, version, hosts, expected) in [
        ("a name", "1.1", "Host: a\r\n", 200),
        ("a name and a port", "1.1", "Host: a.b-c.example:8080\r\n", 200),
        ("IPv4", "1.1", "Host: 127.0.0.1:80\r\n", 200),
        ("IPv6", "1.1", "Host: [::1]:80\r\n", 200),
        ("nothing, for a target without an authority", "1.1", "Host:\r\n", 200),
        ("none in HTTP/1.0", "1.0", "", 200),
        ("one in HTTP/1.0", "1.0", "Host: a\r\n", 200),
        ("none", "1.1", "", 400),
        ("two", "1.1", "Host: a\r\nHost: b\r\n", 400),
        ("the same twice", "1.1", "Host: a\r\nHost: a\r\n", 400),
        ("two in HTTP/1.0", "1.0", "Host: a\r\nHost: b\r\n", 400),
        ("two among others", "1.1", "host: a\r\nX: y\r\nHOST: a\r\n", 400),
        ("a list", "1.1", "Host: a, b\r\n", 400),
        ("a user", "1.1", "Host: user@a\r\n", 400),
        ("a path", "1.1", "Host: a/b\r\n", 400),
        ("a scheme", "1.1", "Host: http://a\r\n", 400),
        ("a query", "1.1", "Host: a?b\r\n", 400),
        ("a fragment", "1.1", "Host: a#b\r\n", 400),
        ("a space", "1.1", "Host: a b\r\n", 400),
        ("a backslash", "1.1", "Host: a\\b\r\n", 400),
        ("outside of ASCII", "1.1", "Host: \u{fc}.example\r\n", 400),
    ] {
        let (status, connection, _) = answer(&server, format!("GET / HTTP/{version}\r\n{hosts}\r\n")).await;
        assert_eq!(status, expected, "{what}");
        assert!(status == 200 || connection.as_deref() == Some("close"), "{what}: {connection:?}");
    }
    server.ends_clean().await;
}

/// RFC 9112, sections 3 and 3.2: what the service is told, or the answer.
#[tokio::test]
async fn targets_have_the_form_their_method_has() {
    let server = Server::start(told(), Limits::default()).await;
    for (line, expected) in [
        ("GET /a?b HTTP/1.1", Ok("a /a?b")),
        ("GET //a HTTP/1.1", Ok("a //a")),
        ("OPTIONS * HTTP/1.1", Ok("a *")),
        // what the target says counts, and `Host` follows it
        ("GET http://other:81/b HTTP/1.1", Ok("other:81 http://other:81/b")),
        ("GET http://other HTTP/1.1", Ok("other http://other/")),
        ("GET http://user@other/ HTTP/1.1", Err(400)),
        ("GET http:///b HTTP/1.1", Err(400)),
        ("GET * HTTP/1.1", Err(400)),
        ("GET other:81 HTTP/1.1", Err(400)),
        ("GET other HTTP/1.1", Err(400)),
        ("GET a/b HTTP/1.1", Err(400)),
        ("CONNECT / HTTP/1.1", Err(400)),
        ("CONNECT http://other/ HTTP/1.1", Err(400)),
        ("GET /\u{7f} HTTP/1.1", Err(400)),
        ("GET /a\0b HTTP/1.1", Err(400)),
        ("GET /a b HTTP/1.1", Err(400)),
        ("GET  /a HTTP/1.1", Err(400)),
        ("GET\t/a HTTP/1.1", Err(400)),
        ("G(T /a HTTP/1.1", Err(400)),
        ("GET /a HTTP/1.2", Err(400)),
        ("GET /a HTTP/2.0", Err(400)),
        ("GET /a HTTP/0.9", Err(400)),
        ("GET /a http/1.1", Err(400)),
        ("GET /a", Err(400)),
        ("GET /a HTTP/1.1 ", Err(400)),
        ("GET /a HTTP/1.1\rX: y", Err(400)),
    ] {
        let (status, _, body) = answer(&server, format!("{line}\r\nHost: a\r\n\r\n")).await;
        match expected {
            Ok(told) => assert_eq!((status, body.as_str()), (200, told), "{line:?}"),
            Err(expected) => assert_eq!(status, expected, "{line:?}"),
        }
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn what_is_too_much_of_a_head_has_its_own_answer() {
    let server = Server::start(told(), Limits::default().header_bytes(200 << 10)).await;
    let lines = |count: usize| "X: y\r\n".repeat(count);
    for (what, path, lines, expected) in [
        ("as many headers as there may be", "/".into(), lines(99), 200),
        ("one more", "/".into(), lines(100), 431),
        ("thousands", "/".into(), lines(20_000), 431),
        ("one value of a megabyte", "/".into(), format!("X: {}\r\n", "y".repeat(1 << 20)), 431),
        ("one name of a megabyte", "/".into(), format!("{}: y\r\n", "x".repeat(1 << 20)), 431),
        ("as long a target as there may be", format!("/{}", "a".repeat(65_533)), String::new(), 200),
        ("one more of the target", format!("/{}", "a".repeat(65_534)), String::new(), 414),
        ("a query that is too long", format!("/?{}", "a".repeat(65_533)), String::new(), 414),
    ] {
        let (status, ..) = answer(&server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
        assert_eq!(status, expected, "{what}");
    }
    server.ends_clean().await;
    let server = Server::start(told(), Limits::default()).await;
    let (status, ..) =
        answer(&server, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(40 << 10))).await;
    assert_eq!(status, 431, "of 32 KiB, the head is too large before the target is too long");
    server.ends_clean().await;
}
