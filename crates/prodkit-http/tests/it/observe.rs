//! What the layer sees, counts and says.

use crate::support::{Answer, Seen, Server, Witness, header, http2, status, stream_of, text, within};
use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use prodkit_http::{
    Body, BoxError, Decision, Exchange, Limits, Observe, Observer, Outcome, Parent, Service, set_route,
};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tower::Layer as _;

fn matched_path(extensions: &http::Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

async fn start<F, Fut>(witness: &Arc<Witness>, function: F) -> Server
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer, BoxError>> + Send + 'static,
{
    let observed = witness.observe().layer(tower::service_fn(function));
    Server::start(Service::new(observed), Limits::default()).await
}

#[tokio::test]
async fn inside_a_router_the_route_is_the_matched_template() {
    let witness = Arc::<Witness>::default();
    let router = Router::new()
        .route("/orders/{id}", get(async || "order").post(async |body: Bytes| body))
        .route("/health", get(async || "ok"));
    let observed = witness.observe().router(matched_path, |tell| router.layer(tell));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    for path in ["/orders/1", "/orders/2?q=1", "/nowhere/1", "/nowhere/2", "/health"] {
        let (head, _) = client.get(path).await;
        assert!(header(&head, "x-request-id").is_some(), "{path}");
    }
    client.send("POST /orders/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    client.response().await;
    client.send("BREW /orders/3 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.response().await;
    let seen = witness.exchanges(7).await;
    let routes: Vec<_> =
        seen.iter().map(|seen| (seen.route.as_deref(), seen.path.as_str(), seen.status)).collect();
    assert_eq!(
        routes,
        [
            (Some("/orders/{id}"), "/orders/1", 200),
            (Some("/orders/{id}"), "/orders/2", 200),
            (None, "/nowhere/1", 404),
            (None, "/nowhere/2", 404),
            (Some("/health"), "/health", 200),
            (Some("/orders/{id}"), "/orders/3", 200),
            (Some("/orders/{id}"), "/orders/3", 405),
        ]
    );
    assert_eq!((seen[5].bytes_in, seen[5].bytes_out), (3, 3));
    let counts: Vec<_> = witness.counts.values();
    let counts: Vec<_> = counts.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(
        counts,
        [
            ("http_request_duration_seconds{method=GET,endpoint=/health,status=200}", 1.0),
            ("http_request_duration_seconds{method=GET,endpoint=/orders/{id},status=200}", 2.0),
            ("http_request_duration_seconds{method=GET,endpoint=unmatched,status=404}", 2.0),
            ("http_request_duration_seconds{method=POST,endpoint=/orders/{id},status=200}", 1.0),
            ("http_request_duration_seconds{method=_OTHER,endpoint=/orders/{id},status=405}", 1.0),
            ("http_requests_total{method=GET,endpoint=/health,status=200}", 1.0),
            ("http_requests_total{method=GET,endpoint=/orders/{id},status=200}", 2.0),
            ("http_requests_total{method=GET,endpoint=unmatched,status=404}", 2.0),
            ("http_requests_total{method=POST,endpoint=/orders/{id},status=200}", 1.0),
            ("http_requests_total{method=_OTHER,endpoint=/orders/{id},status=405}", 1.0),
        ]
    );
    // each series was looked up once
    assert_eq!(*witness.counts.registrations.lock().expect("no panic"), 10);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_request_that_is_refused_has_its_route_and_meets_no_handler() {
    let witness = Arc::<Witness>::default();
    let router = Router::new()
        .route("/orders/{id}", get(async || -> &str { panic!("a handler") }).put(async || "put"));
    let observe = witness.observe().max_in_flight(0);
    let observed = observe.clone().router(matched_path, |tell| router.layer(tell));
    let server = Server::start(Service::new(observed), Limits::default().body_bytes(2)).await;
    let mut client = server.connect().await;
    for (path, code) in [("/orders/1", 503), ("/nowhere", 503), ("/orders/2", 503)] {
        let (head, _) = client.get(path).await;
        assert_eq!(status(&head), code, "{path}");
    }
    client.send("PUT /orders/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(status(&client.response().await.0), 413);
    let seen = witness.exchanges(4).await;
    let seen: Vec<_> = seen.iter().map(|seen| (seen.route.as_deref(), seen.outcome)).collect();
    let route = Some("/orders/{id}");
    assert_eq!(
        seen,
        [
            (route, Some(Outcome::Shed)),
            (None, Some(Outcome::Shed)),
            (route, Some(Outcome::Shed)),
            (route, Some(Outcome::BodyRefused)),
        ]
    );
    assert_eq!(observe.in_flight(), 0);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_service_without_a_router_names_its_route() {
    let witness = Arc::<Witness>::default();
    let server = start(&witness, async |request| {
        match request.uri().path() {
            "/early" => set_route("/first"),
            "/late" => {
                tokio::task::yield_now().await;
                set_route(Arc::<str>::from("/later"));
            }
            _ => {}
        }
        Ok(text("ok"))
    })
    .await;
    let mut client = server.connect().await;
    for path in ["/early", "/late", "/none"] {
        client.get(path).await;
    }
    let routes: Vec<_> = witness.exchanges(3).await.into_iter().map(|seen| seen.route).collect();
    assert_eq!(routes, [Some("/first".to_owned()), Some("/later".to_owned()), None]);
    server.ends_clean().await;
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn the_callers_trace_goes_on() {
    let witness = Arc::<Witness>::default();
    let server = start(&witness, async |_| {
        tokio::task::yield_now().await;
        let current = prodkit_trace::current().expect("a context");
        Ok(text(current.trace_id().to_string()))
    })
    .await;
    let mut client = server.connect().await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: test/1\r\nX-Request-Id: abc-1\r\n\
             Traceparent: 00-{TRACE}-{SPAN}-01\r\nTracestate: a=1\r\nTracestate: b=2\r\n\r\n"
        ))
        .await;
    let (head, body) = client.response().await;
    assert_eq!((header(&head, "x-request-id"), body.as_str()), (Some("abc-1"), TRACE));
    assert_eq!(
        witness.exchange().await,
        Seen {
            method: "GET".into(),
            path: "/".into(),
            status: 200,
            outcome: Some(Outcome::Completed),
            bytes_out: 32,
            sampled: true,
            trace_id: TRACE.into(),
            parent: Some(SPAN.into()),
            tracestate: Some("a=1,b=2".into()),
            request_id: "abc-1".into(),
            user_agent: Some("test/1".into()),
            version: "HTTP/1.1".into(),
            has_peer: true,
            client: Some("127.0.0.1".into()),
            ..Seen::default()
        }
    );
    server.ends_clean().await;
}

#[tokio::test]
async fn a_trace_that_is_not_one_is_replaced() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    let cases = [
        "traceparent: ".to_owned(),
        format!("traceparent: {good}-more"),
        format!("traceparent: {}", good.to_uppercase()),
        format!("traceparent: 00-{}-{SPAN}-01", "0".repeat(32)),
        format!("traceparent: ff-{TRACE}-{SPAN}-01"),
        format!("traceparent: {good}\r\ntraceparent: {good}"),
        format!("traceparent: {}", "x".repeat(10_000)),
    ];
    for case in cases {
        let witness = Arc::<Witness>::default();
        let server = start(&witness, async |_| Ok(text("ok"))).await;
        let mut client = server.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{case}\r\ntracestate: a=1\r\n\r\n")).await;
        let (head, _) = client.response().await;
        let seen = witness.exchange().await;
        assert_eq!((seen.sampled, seen.parent, seen.tracestate), (false, None, None), "{case}");
        assert_ne!(seen.trace_id, TRACE, "{case}");
        // without an id of the client's, the trace's
        assert_eq!(
            (header(&head, "x-request-id"), seen.request_id.as_str()),
            (Some(&*seen.trace_id), &*seen.trace_id)
        );
        server.ends_clean().await;
    }
}

#[tokio::test]
async fn a_response_ends_with_its_last_byte_and_in_its_trace() {
    let (sender, receiver) = mpsc::channel::<()>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let witness = Arc::<Witness>::default();
    let observed = witness.observe().layer(tower::service_fn(move |_: Request<Body>| {
        let mut steps = receiver.lock().expect("no panic").take().expect("one request");
        let body = StreamBody::new(stream_of(move |cx| {
            steps.poll_recv(cx).map(|step| {
                let trace = prodkit_trace::current().expect("a context").trace_id().to_string();
                step.map(|()| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(trace))))
            })
        }));
        async move { Ok::<_, Infallible>(Response::new(body)) }
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n\r\n").await;
    let (head, _) = client.response().await;
    assert_eq!(status(&head), 200);
    sender.send(()).await.expect("streaming");
    let chunk = client.exactly(4 + 32 + 2).await;
    assert!(witness.seen.lock().expect("no panic").is_empty());
    drop(sender);
    let seen = witness.exchange().await;
    assert_eq!((seen.outcome, seen.bytes_out), (Some(Outcome::Completed), 32));
    assert_eq!(&chunk[4..36], seen.trace_id.as_bytes());
    server.ends_clean().await;
}

#[tokio::test]
async fn a_response_without_a_body_ends_with_its_head() {
    let witness = Arc::<Witness>::default();
    let server = start(&witness, async |request| {
        let mut response = text("hello");
        if request.uri().path() == "/304" {
            *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        }
        Ok(response)
    })
    .await;
    let mut client = server.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    for seen in witness.exchanges(2).await {
        assert_eq!((seen.outcome, seen.bytes_out), (Some(Outcome::Completed), 0));
    }
    drop(client);
    server.ends_clean().await;
}

#[tokio::test]
async fn what_the_client_sends_is_bounded() {
    let witness = Arc::<Witness>::default();
    let server =
        start(&witness, async |request| Ok(text(request.into_body().collect().await?.to_bytes()))).await;
    let mut client = server.connect().await;
    let (path, agent) = ("p".repeat(10_000), "u".repeat(10_000));
    let sampled = format!("Traceparent: 00-{TRACE}-{SPAN}-01");
    client
        .send(format!(
            "GET /{path} HTTP/1.1\r\nHost: a\r\n{sampled}\r\nUser-Agent: {agent}\r\nX-Request-Id: a b\r\n\r\n"
        ))
        .await;
    client.response().await;
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{sampled}\r\nUser-Agent: ");
    client.send([head.as_bytes(), b"\xff\r\n\r\n"].concat()).await;
    client.response().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n")).await;
    client.response().await;
    let seen = witness.exchanges(3).await;
    assert_eq!((seen[0].path.len(), seen[0].user_agent.as_ref().map(String::len)), (2048, Some(256)));
    assert_eq!(seen[0].request_id, seen[0].trace_id);
    assert_eq!(seen[1].user_agent, None);
    assert_eq!(seen[2].user_agent.as_ref().map(String::len), Some(256), "sampled or not");
    server.ends_clean().await;
}

/// As gRPC answers: data, then trailers, and nothing is asked after those.
#[tokio::test]
async fn a_response_with_trailers_ends_with_them() {
    let witness = Arc::<Witness>::default();
    let observed = witness.observe().layer(tower::service_fn(async |_: Request<Body>| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let mut frames =
            vec![http_body::Frame::trailers(trailers), http_body::Frame::data(Bytes::from_static(b"one"))];
        let body = StreamBody::new(stream_of(move |_| {
            std::task::Poll::Ready(frames.pop().map(Ok::<_, Infallible>))
        }));
        Ok::<_, Infallible>(Response::new(body))
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let (mut client, _connection) = http2::<Empty<Bytes>>(&server).await;
    let request = Request::get("http://test/").body(Empty::new()).expect("a request");
    let response = within("response", client.send_request(request)).await.expect("answered");
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.trailers().and_then(|trailers| trailers.get("grpc-status")).expect("trailers"), "0");
    let seen = witness.exchange().await;
    assert_eq!((seen.outcome, seen.bytes_out), (Some(Outcome::Completed), 3));
    assert_eq!(seen.version, "HTTP/2.0");
    drop(client);
    server.ends_clean().await;
}

/// Counts by what it keeps for each route and method.
#[derive(Default)]
struct Keeper(Mutex<Vec<Option<usize>>>);

impl Observer for Keeper {
    fn decide(&self, _: &Parent<'_>) -> Decision {
        Decision::new(false)
    }

    fn finished(&self, exchange: &Exchange<'_>) {
        let kept = exchange.shared(AtomicUsize::default).map(|times| times.fetch_add(1, Relaxed) + 1);
        assert!(exchange.shared(String::new).is_none(), "it is of another type");
        self.0.lock().expect("no panic").push(kept);
    }
}

#[tokio::test]
async fn an_observer_may_keep_something_for_each_route_and_method() {
    let keeper = Arc::<Keeper>::default();
    let observe = Observe::new(keeper.clone(), Arc::new(metrics::NoopRecorder));
    let named = tower::service_fn(async |request: Request<Body>| {
        if request.uri().path() == "/named" {
            set_route("/named");
        }
        Ok::<_, Infallible>(text(""))
    });
    let server = Server::start(Service::new(observe.layer(named)), Limits::default()).await;
    let mut client = server.connect().await;
    for (method, path, kept) in [
        ("GET", "/named", Some(1)),
        ("GET", "/named", Some(2)),
        ("DELETE", "/named", Some(1)),
        ("GET", "/no/route", Some(1)),
        ("GET", "/none/either", Some(2)),
        ("PROPFIND", "/named", None),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        client.response().await;
        assert_eq!(keeper.0.lock().expect("no panic").pop(), Some(kept), "{method} {path}");
    }
    server.ends_clean().await;
}
