//! tonic's services and tonic's client: what a call comes to, on both sides.

mod calls;

use crate::support::{Server, Witness, http2, until, within};
use bytes::Bytes;
use calls::{Calls, client, routes};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use prodkit_http::{Body, Limits, Outcome, Service};
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tower::{Layer as _, ServiceBuilder};

const UNARY: &str = "/test.v1.Calls/Unary";

struct Rig {
    witness: Arc<Witness>,
    server: Server,
    calls: Calls,
}

impl Rig {
    async fn new(
        change: impl FnOnce(prodkit_http::Observe) -> prodkit_http::Observe,
        limits: Limits,
    ) -> Self {
        let (witness, calls) = (Arc::<Witness>::default(), Calls::default());
        let service = Service::new(change(witness.observe()).layer(routes(&calls)));
        Self { server: Server::start(service, limits).await, witness, calls }
    }

    fn counted(&self) -> Vec<String> {
        let names = self.witness.counts.values().into_iter().map(|(name, _)| name);
        names.filter(|name| name.starts_with("http_requests_total")).collect()
    }
}

/// What one call looked like: the status that stands for its own, its own, its route and how it ended.
async fn last(rig: &Rig, count: usize) -> (u16, Option<u8>, Option<String>, Option<Outcome>) {
    let seen = rig.witness.exchanges(count).await.pop().expect("one");
    (seen.status, seen.grpc, seen.route, seen.outcome)
}

#[tokio::test]
async fn each_of_the_four_kinds_is_a_route_with_its_own_status() {
    let rig = Rig::new(|observe| observe, Limits::default()).await;
    let mut client = client(&rig.server).await;
    let route = |name: &str| Some(format!("/test.v1.Calls/{name}"));
    assert_eq!(client.unary("hello").await.expect("answered"), "hello");
    assert_eq!(last(&rig, 1).await, (200, Some(0), route("Unary"), Some(Outcome::Completed)));
    assert_eq!(client.down("3").await.expect("answered").all().await.expect("all"), ["0", "1", "2"]);
    assert_eq!(last(&rig, 2).await, (200, Some(0), route("Down"), Some(Outcome::Completed)));
    assert_eq!(client.up(&["a", "b"]).await.expect("answered"), "a b");
    assert_eq!(last(&rig, 3).await, (200, Some(0), route("Up"), Some(Outcome::Completed)));
    assert_eq!(client.both(&["a", "b"]).await.expect("answered").all().await.expect("all"), ["a", "b"]);
    assert_eq!(last(&rig, 4).await, (200, Some(0), route("Both"), Some(Outcome::Completed)));
    let methods: Vec<_> = rig.witness.exchanges(4).await.into_iter().map(|seen| seen.rpc).collect();
    assert_eq!(methods[0].as_deref(), Some("test.v1.Calls Unary"));
    drop(client);
    rig.server.ends_clean().await;
}

/// axum knows the service of a call, and tonic the method.
#[tokio::test]
async fn in_a_router_a_method_is_the_route_and_its_service_that_of_the_rest() {
    fn matched_path(extensions: &http::Extensions) -> Option<&str> {
        extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
    }
    let (witness, calls) = (Arc::<Witness>::default(), Calls::default());
    let router = routes(&calls).into_axum_router();
    let router = router.route("/plain", axum::routing::get(async || "plain"));
    let service = witness.observe().router(matched_path, |tell| router.layer(tell));
    let server = Server::start(Service::new(service), Limits::default()).await;
    let mut client = client(&server).await;
    client.ask("/test.v1.Calls/No".into(), "").await.expect_err("nobody has it");
    client.unary("hello").await.expect("answered");
    client.unary("fail 5").await.expect_err("failed");
    client.ask("/no.Service/No".into(), "").await.expect_err("nobody has it");
    let mut plain = server.connect().await;
    assert_eq!(plain.get("/plain").await.1, "plain");
    let seen: Vec<_> =
        witness.exchanges(5).await.into_iter().map(|seen| (seen.route, seen.status, seen.grpc)).collect();
    let route = |name: &str| Some(format!("/test.v1.Calls/{name}"));
    let expected = [
        (route("{*rest}"), 501, Some(12)),
        (route("Unary"), 200, Some(0)),
        (route("Unary"), 404, Some(5)),
        (None, 501, Some(12)),
        (Some("/plain".to_owned()), 200, None),
    ];
    assert_eq!(seen, expected);
    drop((client, plain));
    server.ends_clean().await;
}

/// In the head where there is nothing else, and in the trailers behind what was sent already.
#[tokio::test]
async fn the_status_of_a_call_decides() {
    let rig = Rig::new(|observe| observe, Limits::default()).await;
    let mut client = client(&rig.server).await;
    client.unary("hello").await.expect("answered");
    client.down("1").await.expect("answered").all().await.expect("all");
    let mut count = 2;
    for (code, status) in [
        (Code::Cancelled, 499),
        (Code::Unknown, 500),
        (Code::InvalidArgument, 400),
        (Code::DeadlineExceeded, 504),
        (Code::NotFound, 404),
        (Code::Unimplemented, 501),
        (Code::Internal, 500),
        (Code::Unavailable, 503),
        (Code::DataLoss, 500),
        (Code::Unauthenticated, 401),
    ] {
        let number = u8::try_from(code as i32).expect("a code");
        let failed = client.unary(&format!("fail {number}")).await.expect_err("failed");
        count += 1;
        let route = Some(UNARY.to_owned());
        assert_eq!(failed.code(), code);
        assert_eq!(last(&rig, count).await, (status, Some(number), route, Some(Outcome::Completed)));

        let mut down = client.down(&format!("2 {number}")).await.expect("begun");
        assert_eq!(down.all().await.expect_err("failed").code(), code);
        count += 1;
        let route = Some("/test.v1.Calls/Down".to_owned());
        assert_eq!(last(&rig, count).await, (status, Some(number), route, Some(Outcome::Completed)));
    }
    drop(client);
    rig.server.ends_clean().await;
}

#[tokio::test]
async fn methods_that_nobody_has_are_one_series() {
    let rig = Rig::new(|observe| observe, Limits::default()).await;
    let mut client = client(&rig.server).await;
    for number in 0..20 {
        for path in [format!("/test.v1.Calls/No{number}"), format!("/no.Service{number}/Method")] {
            assert_eq!(client.ask(path, "").await.expect_err("nobody has it").code(), Code::Unimplemented);
        }
    }
    // what has never answered is no route, what has is one from then on
    client.unary("fail 7").await.expect_err("refused");
    client.unary("hello").await.expect("answered");
    client.unary("fail 7").await.expect_err("refused");
    rig.witness.exchanges(43).await;
    let series = |endpoint: &str, status: u16| {
        format!("http_requests_total{{method=POST,endpoint={endpoint},status={status}}}")
    };
    let mut expected =
        [series("unmatched", 501), series("unmatched", 403), series(UNARY, 200), series(UNARY, 403)];
    expected.sort();
    assert_eq!(rig.counted(), expected);
    drop(client);
    rig.server.ends_clean().await;
}

#[tokio::test]
async fn what_the_layer_answers_itself_is_a_status_of_grpc() {
    let rig = Rig::new(|observe| observe.max_in_flight(1), Limits::default().body_bytes(100)).await;
    let mut client = client(&rig.server).await;
    let panicked = client.unary("panic").await.expect_err("panicked");
    assert_eq!((panicked.code(), panicked.message()), (Code::Internal, "internal error"));
    assert_eq!(last(&rig, 1).await, (500, Some(13), None, Some(Outcome::Panicked)));
    let large = client.unary(&"x".repeat(200)).await.expect_err("too large");
    assert_eq!((large.code(), large.message()), (Code::ResourceExhausted, "the request is too large"));
    assert_eq!(last(&rig, 2).await, (429, Some(8), None, Some(Outcome::BodyRefused)));
    // one that stays, and one too many
    let held = client.down("hold").await.expect("begun");
    let shed = client.unary("hello").await.expect_err("shed");
    assert_eq!((shed.code(), shed.message()), (Code::Unavailable, "too many calls are in flight"));
    assert_eq!(last(&rig, 3).await, (503, Some(14), None, Some(Outcome::Shed)));
    drop(held);
    drop(client);
    rig.server.ends_clean().await;
}

/// The client's own clock must not be quicker: it is one that has none.
#[tokio::test]
async fn a_call_gets_the_time_that_its_client_gives_it() {
    const LONG: Duration = Duration::from_secs(600);
    for (server, asked, given) in [
        (Some(LONG), Some("20m"), true),
        (None, Some("1000u"), true),
        (Some(Duration::from_millis(20)), Some("1H"), true),
        (Some(Duration::from_millis(20)), None, true),
        // no time at all that it could be read as
        (Some(Duration::from_millis(20)), Some("1s"), true),
        (Some(LONG), Some("1H"), false),
    ] {
        let limit = |observe: prodkit_http::Observe| match server {
            Some(limit) => observe.timeout(limit),
            None => observe,
        };
        let rig = Rig::new(limit, Limits::default()).await;
        let (mut client, _connection) = http2::<Full<Bytes>>(&rig.server).await;
        let mut request =
            Request::post(format!("http://test{UNARY}")).header("content-type", "application/grpc");
        if let Some(asked) = asked {
            request = request.header("grpc-timeout", asked);
        }
        let message = if given { "hang" } else { "hello" };
        let framed = [&[0, 0, 0, 0, message.len() as u8], message.as_bytes()].concat();
        let request = request.body(Full::new(framed.into())).expect("a request");
        let response = within("an answer", client.send_request(request)).await.expect("answered");
        assert_eq!(response.status(), StatusCode::OK);
        if given {
            assert_eq!(response.headers()["grpc-status"], "4", "{asked:?}");
            assert!(http_body::Body::is_end_stream(response.body()), "nothing follows");
            assert_eq!(last(&rig, 1).await, (504, Some(4), None, Some(Outcome::TimedOut)));
        } else {
            let trailers = response.into_body().collect().await.expect("a body").trailers().cloned();
            assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
        }
        drop(client);
        rig.server.ends_clean().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_has_cancelled() {
    let rig = Rig::new(|observe| observe, Limits::default()).await;
    let mut client = client(&rig.server).await;
    let mut stream = client.down("hold").await.expect("begun");
    assert_eq!(stream.next().await.expect("no error"), Some("0".into()));
    assert_eq!(rig.calls.held(), 1);
    drop(stream);
    let route = Some("/test.v1.Calls/Down".to_owned());
    assert_eq!(last(&rig, 1).await, (499, Some(1), route, Some(Outcome::Disconnected)));
    until("the service's stream is dropped", || rig.calls.held() == 0).await;
    drop(client);
    rig.server.ends_clean().await;
}

#[tokio::test]
async fn a_stream_in_flight_outlives_the_close_and_no_abort() {
    for ends in [true, false] {
        let rig = Rig::new(|observe| observe, Limits::default()).await;
        let mut client = client(&rig.server).await;
        let mut stream = client.down("hold").await.expect("begun");
        stream.next().await.expect("no error").expect("one");
        rig.server.polite();
        rig.server.close();
        rig.calls.say("still here");
        assert_eq!(stream.next().await.expect("no error").as_deref(), Some("still here"));
        if ends {
            rig.calls.end();
            assert_eq!(stream.next().await.expect("no error"), None);
            drop(client);
        } else {
            rig.server.abort();
            stream.next().await.expect_err("cut");
        }
        let drained = rig.server.drained().await;
        let cut = usize::from(!ends);
        assert_eq!((drained.requests_cut, drained.connections_cut), (cut, cut));
        let seen = rig.witness.exchange().await;
        let expected = if ends { (200, Some(0)) } else { (499, Some(1)) };
        assert_eq!((seen.status, seen.grpc), expected);
    }
}

/// A client may go on for longer, and send more, than a request's body may where nobody says otherwise.
#[tokio::test]
async fn a_client_that_streams_is_bounded_unless_told_otherwise() {
    for unbounded in [false, true] {
        let (witness, calls) = (Arc::<Witness>::default(), Calls::default());
        let lift =
            move |request: Request<Body>| request.map(|body| if unbounded { body.unbounded() } else { body });
        let service =
            ServiceBuilder::new().layer(witness.observe()).map_request(lift).service(routes(&calls));
        let limits = Limits::default().body_bytes(1000).read_timeout(Duration::ZERO);
        let server = Server::start(Service::new(service), limits).await;
        let mut client = client(&server).await;
        let words = vec!["0123456789"; 200];
        let answer = client.up(&words).await;
        assert_eq!(
            answer.map(|answer| answer.len()).map_err(|status| status.code() as i32 == 0),
            if unbounded { Ok(2199) } else { Err(false) }
        );
        drop(client);
        server.ends_clean().await;
    }
}

/// Over HTTP/1, and with other methods and types, a request is what it always was.
#[tokio::test]
async fn what_is_no_call_is_none() {
    let (witness, calls) = (Arc::<Witness>::default(), Calls::default());
    let server =
        Server::start(Service::new(witness.observe().layer(routes(&calls))), Limits::default()).await;
    let mut raw = server.connect().await;
    raw.send(format!(
        "POST {UNARY} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    raw.response_head().await;
    let seen = witness.exchange().await;
    assert_eq!((seen.grpc, seen.rpc, seen.route), (None, None, None));
    drop(raw);
    server.ends_clean().await;
}
