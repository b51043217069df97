//! W3C Trace Context Level 2, rule by rule, at the edge: what goes out of a service for what came in.

use crate::support::{Server, Witness, header, text};
use prodkit_http::{Limits, Service};
use prodkit_trace::{Propagators, TraceContext};
use std::sync::Arc;
use tower::Layer as _;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "1234567890123456";

/// What the service would send on: `traceparent`, `tracestate` and `baggage`.
#[derive(Debug, Default)]
struct Sent {
    traceparent: String,
    tracestate: Option<String>,
    baggage: Option<String>,
}

impl Sent {
    fn context(&self) -> TraceContext {
        TraceContext::from_traceparent(self.traceparent.as_bytes()).expect("a valid traceparent")
    }

    fn continues(&self) -> bool {
        let context = self.context();
        assert_ne!(context.span_id().to_string(), PARENT, "the parent id is that of a new span");
        context.trace_id().to_string() == TRACE
    }
}

/// Sends raw header lines and returns what a handler would send on.
async fn through(propagators: Propagators, headers: &[&str]) -> Sent {
    let witness = Arc::<Witness>::default();
    let observed = witness.observe().propagators(propagators).layer(tower::service_fn(async |_| {
        tokio::task::yield_now().await;
        let mut lines = String::new();
        Propagators::W3C.inject(|name, value| lines.push_str(&format!("{name}: {value}\n")));
        Ok::<_, prodkit_http::BoxError>(text(lines))
    }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
    let (head, body) = client.response().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    server.ends_clean().await;
    let mut sent = Sent::default();
    for line in body.lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        match name {
            "traceparent" => sent.traceparent = value.into(),
            "tracestate" => sent.tracestate = Some(value.into()),
            "baggage" => sent.baggage = Some(value.into()),
            other => panic!("{other}"),
        }
    }
    sent
}

async fn sent(headers: &[&str]) -> Sent {
    through(Propagators::W3C, headers).await
}

#[tokio::test]
async fn without_headers_a_trace_begins() {
    let sent = sent(&[]).await;
    assert!(!sent.continues());
    assert_eq!((sent.tracestate, sent.baggage), (None, None));
}

#[tokio::test]
async fn a_valid_traceparent_is_continued() {
    for (value, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
        let sent = sent(&[&format!("traceparent: 00-{TRACE}-{PARENT}-{value}")]).await;
        assert!(sent.continues(), "{value}");
        assert_eq!(sent.context().is_sampled(), sampled, "{value}");
        // flags that level 2 does not define are not sent on
        assert_eq!(sent.context().flags().to_u8() & 0xfc, 0, "{value}");
    }
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(sent(&[&format!("{name}: 00-{TRACE}-{PARENT}-01")]).await.continues(), "{name}");
    }
    for padded in [format!(" 00-{TRACE}-{PARENT}-01"), format!("\t00-{TRACE}-{PARENT}-01 \t")] {
        assert!(
            sent(&[&format!("traceparent:{padded}")]).await.continues(),
            "white space around it is not part of it"
        );
    }
}

#[tokio::test]
async fn a_later_version_is_read_as_far_as_it_is_known() {
    for value in [
        format!("cc-{TRACE}-{PARENT}-01"),
        format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"),
        format!("01-{TRACE}-{PARENT}-01-"),
    ] {
        let sent = sent(&[&format!("traceparent: {value}")]).await;
        assert!(sent.continues(), "{value}");
        assert!(sent.traceparent.starts_with("00-"), "what is sent is the version that is spoken here");
    }
}

#[tokio::test]
async fn an_invalid_traceparent_begins_a_trace_and_takes_tracestate_with_it() {
    let zero = "0".repeat(32);
    for value in [
        String::new(),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!(".0-{TRACE}-{PARENT}-01"),
        format!("0.-{TRACE}-{PARENT}-01"),
        format!("000-{TRACE}-{PARENT}-01"),
        format!("0-{TRACE}-{PARENT}-01"),
        format!("cc-{TRACE}-{PARENT}-01.what"),
        format!("00-{TRACE}-{PARENT}-01-more"),
        format!("00-{TRACE}-{PARENT}-01-"),
        format!("00-{TRACE}-{PARENT}-01."),
        format!("00-{zero}-{PARENT}-01"),
        format!("00-.{}-{PARENT}-01", &TRACE[1..]),
        format!("00-{}A-{PARENT}-01", &TRACE[1..]),
        format!("00-{TRACE}3-{PARENT}-01"),
        format!("00-{}-{PARENT}-01", &TRACE[1..]),
        format!("00-{TRACE}-{}-01", &zero[..16]),
        format!("00-{TRACE}-.{}-01", &PARENT[1..]),
        format!("00-{TRACE}-{PARENT}7-01"),
        format!("00-{TRACE}-{}-01", &PARENT[1..]),
        format!("00-{TRACE}-{PARENT}-.0"),
        format!("00-{TRACE}-{PARENT}-0."),
        format!("00-{TRACE}-{PARENT}-001"),
        format!("00-{TRACE}-{PARENT}-1"),
        format!("00_{TRACE}_{PARENT}_01"),
    ] {
        let sent = sent(&[&format!("traceparent: {value}"), "tracestate: foo=1", "baggage: a=1"]).await;
        assert!(!sent.continues(), "{value}");
        assert_eq!(sent.tracestate, None, "{value}");
        assert_eq!(sent.baggage.as_deref(), Some("a=1"), "baggage is a matter of its own: {value}");
    }
    let twice = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    assert!(!sent(&[&twice, &twice]).await.continues());
    assert!(
        !sent(&[&format!("traceparent: 00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01")]).await.continues()
    );
    // and without one, tracestate is nothing
    assert_eq!(sent(&["tracestate: foo=1"]).await.tracestate, None);
}

#[tokio::test]
async fn tracestate_is_one_list_and_sent_on_sampled_or_not() {
    let parent = |sampled: &str| format!("traceparent: 00-{TRACE}-{PARENT}-{sampled}");
    for sampled in ["00", "01"] {
        for (lines, expected) in [
            (vec!["tracestate: foo=1,bar=2"], "foo=1,bar=2"),
            (vec!["tracestate: foo=1", "tracestate: bar=2"], "foo=1,bar=2"),
            (vec!["tracestate: foo=1,", "tracestate: ,bar=2"], "foo=1,bar=2"),
            (vec!["tracestate: foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
            (vec!["TraceState: foo=1"], "foo=1"),
            (vec!["tracestate: foo@vendor=1,0a-_*/=!~"], "foo@vendor=1,0a-_*/=!~"),
            (vec!["tracestate: foo=a b"], "foo=a b"),
        ] {
            let parent = parent(sampled);
            let headers: Vec<_> = std::iter::once(parent.as_str()).chain(lines.iter().copied()).collect();
            let sent = sent(&headers).await;
            assert!(sent.continues());
            assert_eq!(sent.tracestate.as_deref(), Some(expected), "{lines:?} {sampled}");
        }
    }
}

#[tokio::test]
async fn a_tracestate_outside_the_grammar_is_dropped_and_the_trace_goes_on() {
    let many: String = (0..33).map(|n| format!("bar{n:02}={n:02},")).collect();
    for list in [
        "foo",
        "foo=",
        "=1",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "foo=1=2",
        &format!("{}=1", "t".repeat(257)),
        &format!("foo={}", "v".repeat(257)),
        many.trim_end_matches(','),
    ] {
        let sent =
            sent(&[&format!("traceparent: 00-{TRACE}-{PARENT}-01"), &format!("tracestate: {list}")]).await;
        assert!(sent.continues(), "{list}");
        assert_eq!(sent.tracestate, None, "{list}");
    }
    let most = many.trim_end_matches(',').rsplit_once(',').expect("many").0;
    let sent = sent(&[&format!("traceparent: 00-{TRACE}-{PARENT}-01"), &format!("tracestate: {most}")]).await;
    assert_eq!(sent.tracestate.as_deref(), Some(most), "32 are as many as there may be");
}

#[tokio::test]
async fn only_the_formats_asked_for_are_read() {
    let (w3c, b3) = (format!("traceparent: 00-{TRACE}-{PARENT}-01"), format!("b3: {TRACE}-{PARENT}-1"));
    let w3c = [&*w3c, "baggage: a=1"];
    assert!(!through(Propagators::NONE, &w3c).await.continues());
    assert!(!through(Propagators::B3, &w3c).await.continues());
    assert!(through(Propagators::B3, &[&b3]).await.continues());
    assert_eq!(through(Propagators::TRACE_CONTEXT, &w3c).await.baggage, None);
    assert_eq!(through(Propagators::W3C, &w3c).await.baggage.as_deref(), Some("a=1"));
}

#[tokio::test]
async fn every_answer_names_its_trace() {
    let witness = Arc::<Witness>::default();
    let observed =
        witness.observe().layer(tower::service_fn(async |request: http::Request<prodkit_http::Body>| {
            if request.uri().path() == "/bad" {
                Err(prodkit_http::BoxError::from("no"))
            } else {
                Ok(text("ok"))
            }
        }));
    let server = Server::start(Service::new(observed), Limits::default()).await;
    let mut client = server.connect().await;
    for path in ["/", "/bad"] {
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nTraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n"))
            .await;
        let (head, body) = client.response().await;
        assert_eq!(
            (header(&head, "x-request-id"), header(&head, "x-trace-id")),
            (Some(TRACE), None),
            "{path}"
        );
        assert_eq!(body.contains(TRACE), path == "/bad", "a problem has it in its body: {body}");
        client
            .send(format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nTraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n"
            ))
            .await;
        let (head, _) = client.response().await;
        assert_eq!(
            (header(&head, "x-request-id"), header(&head, "x-trace-id")),
            (Some("mine"), Some(TRACE)),
            "{path}"
        );
    }
    server.ends_clean().await;
}
