//! `server.*`: each bound seen by a client.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prodkit_e2e::http::Connection;
use prodkit_fakes::FakeCollector;
use prost::Message as _;

use crate::rig::{Setup, with};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

pub(crate) fn host() {
    for host in ["127.0.0.1", "127.0.0.2"] {
        let rig = with("server.host", host);
        assert_eq!((rig.main.ip().to_string().as_str(), rig.status("/")), (host, 200));
    }
}

pub(crate) fn socket_mode() {
    for (mode, bits) in [("0600", 0o600), ("620", 0o620)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.sock");
        let host = format!("unix:{}", path.display());
        let setup = Setup::new().set("server.host", &host).set("server.socket_mode", mode);
        let (mut service, _folder) = setup.spawn();
        assert_eq!(service.line("started").unwrap()["server"], host.as_str());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, bits);
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(LAST.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        service.signal(rustix::process::Signal::TERM).unwrap();
        assert_eq!(service.wait().unwrap().code(), Some(0));
        assert!(!path.exists());
    }
}

pub(crate) fn port() {
    taken("server.port");
}

/// A port of our own cannot be lost to somebody else: that it cannot be had tells that it was tried.
pub(crate) fn taken(key: &str) {
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        refused(&Setup::new().set(key, &port), &port);
    }
}

/// That it ends because of this port.
pub(crate) fn refused(setup: &Setup, port: &str) {
    let (mut service, _folder) = setup.spawn();
    assert_eq!(service.wait().unwrap().code(), Some(1), "{:#?}", service.seen());
    let named = service.seen().iter().any(|line| line["error"].as_str().is_some_and(|it| it.contains(port)));
    assert!(named, "{port}: {:#?}", service.seen());
}

pub(crate) fn timeout() {
    let key = |value| Setup::new().set("server.timeout", value);
    gives_up(&key("100ms"), &key("1h"));
}

/// A request that is not answered ends with 503 in one, and not in the other.
pub(crate) fn gives_up(soon: &Setup, late: &Setup) {
    let mut late = late.serve();
    let waiting = late.request("/gate");
    late.line("at the gate");
    assert_eq!(soon.serve().status("/gate"), 503);
    assert_eq!(late.status("/open"), 200);
    assert_eq!(waiting.join().unwrap().unwrap().text(), "through");
}

pub(crate) fn first_byte_timeout() {
    patience("server.first_byte_timeout", "", &[], LAST, &[200]);
}

pub(crate) fn header_timeout() {
    let (half, rest) = LAST.split_at(20);
    patience("server.header_timeout", half, &[], rest, &[200]);
}

pub(crate) fn read_timeout() {
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    patience("server.read_timeout", &format!("{head}hello"), &[408], "world", &[200]);
}

pub(crate) fn idle_timeout() {
    patience("server.idle_timeout", GET, &[200], LAST, &[200, 200]);
}

/// A client that says no more is cut, with these answers, in a short time; and heard to the end where it has more.
fn patience(key: &str, first: &str, short: &[u16], rest: &str, long: &[u16]) {
    let late = with(key, "1h");
    let mut kept = late.client(first);
    assert_eq!(with(key, "200ms").client(first).statuses(), short);
    kept.send(rest);
    assert_eq!(kept.statuses(), long);
}

pub(crate) fn write_timeout() {
    const LARGE: usize = 32 << 20;
    let head = "GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let begun = "http_requests_total{endpoint=\"/large\",method=\"GET\",status=\"200\"}";
    let [(_late, kept), (soon, cut)] = ["1h", "200ms"].map(|value| {
        let rig = with("server.write_timeout", value);
        let client = rig.client(head);
        rig.until(begun, |requests| requests == 1.0);
        (rig, client)
    });
    soon.until("active_connections", |open| open == 0.0);
    assert!(cut.answer().len() < LARGE);
    assert!(kept.answer().len() > LARGE);
}

pub(crate) fn max_header_size() {
    for limit in [4_096, 40_000] {
        let rig = with("server.max_header_size", &limit.to_string());
        for (size, status) in [(limit, 200), (limit + 1, 431)] {
            let (start, end) = ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: ", "\r\n\r\n");
            let value = "x".repeat(size - start.len() - end.len());
            assert_eq!(rig.client(format!("{start}{value}{end}")).statuses(), [status], "{size} of {limit}");
        }
        rig.until("http_server_refused_total{reason=\"head_too_large\"}", |refused| refused == 1.0);
    }
}

pub(crate) fn max_body_size() {
    // The second is more than what axum's extractors take by themselves.
    for limit in [1_000, 3 << 20] {
        let rig = with("server.max_body_size", &limit.to_string());
        let mut connection = Connection::open(rig.main).unwrap();
        let whole = connection.request("POST", "/echo", &[], &vec![b'x'; limit]).unwrap();
        assert_eq!((whole.status, whole.text()), (200, limit.to_string()));
        let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
        let declared = format!("{head}content-length: {}\r\n\r\n", limit + 1);
        assert_eq!(rig.client(declared).statuses(), [413], "{limit}");
        for (size, status) in [(limit, 200), (limit + 1, 413)] {
            let body = "x".repeat(size);
            let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n");
            assert_eq!(rig.client(chunked).statuses(), [status], "{size} of {limit}");
        }
    }
}

pub(crate) fn max_connections() {
    for limit in [1, 2] {
        let mut rig = with("server.max_connections", &limit.to_string());
        let mut open = Vec::new();
        for _ in 0..limit {
            let mut connection = Connection::open(rig.main).unwrap();
            assert_eq!(connection.request("GET", "/", &[], b"").unwrap().status, 200);
            open.push(connection);
        }
        assert_eq!(rig.line("connection limit reached: more wait to be accepted")["limit"], limit);
        let one_more = rig.client(LAST);
        for connection in &mut open {
            assert_eq!(connection.request("GET", "/", &[], b"").unwrap().status, 200);
        }
        assert_eq!(rig.metric("active_connections"), Some(f64::from(limit)));
        open.pop();
        assert_eq!(one_more.statuses(), [200]);
    }
}

pub(crate) fn max_in_flight() {
    for limit in [1, 2] {
        let mut rig = with("server.max_in_flight", &limit.to_string());
        let gate = "GET /gate HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut waiting: Vec<_> = (0..limit).map(|_| rig.client(gate)).collect();
        for _ in 0..limit {
            rig.line("at the gate");
        }
        let refused = rig.get("/");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        waiting.pop();
        rig.service.seen_or_next(|line| line["outcome"] == "disconnected").unwrap();
        assert_eq!(rig.status("/"), 200);
    }
}

pub(crate) fn trusted_proxies() {
    let said = [
        ("x-forwarded-for", "198.51.100.1, 203.0.113.7, 10.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "[2001:db8::7]:8443"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let ask = |setup: Setup| {
        let collector = FakeCollector::start();
        let mut rig = setup.set("otlp.endpoint", &collector.url()).set("otlp.compression", "none").serve();
        let mut connection = Connection::open(rig.main).unwrap();
        assert_eq!(connection.request("GET", "/", &said, b"").unwrap().status, 200);
        let line = rig.line("request");
        rig.end();
        (line, server_span(&collector))
    };
    let text = |value: &str| Some(Value::StringValue(value.into()));
    for (value, client, forwarded) in [
        ("127.0.0.1,10.0.0.0/8", "203.0.113.7", true),
        ("127.0.0.0/8", "10.2.2.2", true),
        ("127.0.0.2,unix", "127.0.0.1", false),
    ] {
        let (line, span) = ask(Setup::new().set("server.trusted_proxies", value));
        assert_eq!(line["client.address"], client, "{line}");
        let of = |name: &str| span.get(name).cloned();
        assert_eq!(of("client.address"), text(client), "{value}");
        assert_eq!(of("url.scheme"), text(if forwarded { "https" } else { "http" }));
        assert_eq!(of("network.peer.address"), if forwarded { text("127.0.0.1") } else { None });
        assert_eq!(of("server.address"), if forwarded { text("2001:db8::7") } else { None });
        assert_eq!(of("server.port"), forwarded.then_some(Value::IntValue(8443)));
    }
    // as a variable; and without a list there is nothing of it in the line
    let (line, _) = ask(Setup::new().env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8"));
    assert_eq!(line["client.address"], "203.0.113.7", "{line}");
    let (line, span) = ask(Setup::new());
    assert_eq!(line.get("client.address"), None, "{line}");
    assert_eq!(span.get("client.address").cloned(), text("127.0.0.1"));
}

/// The attributes of the one span of a request.
pub(crate) fn server_span(collector: &FakeCollector) -> BTreeMap<String, Value> {
    let spans: Vec<_> = collector
        .received_at("/v1/traces")
        .iter()
        .flat_map(|received| ExportTraceServiceRequest::decode(&*received.body).unwrap().resource_spans)
        .flat_map(|of_resource| of_resource.scope_spans)
        .flat_map(|of_scope| of_scope.spans)
        .collect();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let attributes = spans.into_iter().flat_map(|span| span.attributes);
    attributes.filter_map(|pair| Some((pair.key, pair.value?.value?))).collect()
}

/// It begins at the least that it may be, which is then what counts; and `max_in_flight` is above it.
pub(crate) fn adaptive_limit() {
    for (least, most, limit) in [("1", "10", 1), ("5", "2", 2)] {
        let setup = Setup::new().set("server.max_in_flight", most).set("server.adaptive_limit", least);
        let mut rig = setup.serve();
        assert_eq!(rig.metric("prodkit_http_in_flight_limit"), Some(f64::from(limit)));
        let gate = "GET /gate HTTP/1.1\r\nhost: a\r\n\r\n";
        let _waiting: Vec<_> = (0..limit).map(|_| rig.client(gate)).collect();
        for _ in 0..limit {
            rig.line("at the gate");
        }
        let refused = rig.get("/");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    }
    assert_eq!(Setup::new().serve().metric("prodkit_http_in_flight_limit"), None);
}

pub(crate) fn proxy_protocol() {
    let peer = "GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let header = "PROXY TCP4 203.0.113.7 192.0.2.2 56324 443\r\n";
    let rig = with("server.proxy_protocol", "required");
    let answer = String::from_utf8(rig.client(format!("{header}{peer}")).answer()).unwrap();
    assert!(answer.ends_with("203.0.113.7:56324"), "{answer}");
    assert!(rig.client(peer).answer().is_empty(), "closed without a word");
    rig.until("prodkit_proxy_headers_total{outcome=\"invalid\"}", |invalid| invalid == 1.0);
    assert_eq!(rig.ask("/health/ready").status, 200, "the admin port knows nothing of it");

    let rig = with("server.proxy_protocol", "off");
    assert_eq!(
        (rig.client(peer).statuses(), rig.client(format!("{header}{peer}")).statuses()),
        (vec![200], vec![400])
    );
}

pub(crate) fn probes() {
    for (value, status) in [("true", 200), ("false", 404)] {
        let rig = with("server.probes", value);
        assert_eq!(rig.status("/health/live"), status);
        assert_eq!(rig.ask("/health/live").status, 200);
    }
}
