//! Other ways to say the same: compressed, as JSON, on standard output, within limits.

use super::{AMPLE, patient, resource, span, value};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Compression, Event, Protocol, Settings, SpanKind, Status, start};
use prodkit_trace::{SpanId, TraceContext};
use prost::Message;
use std::io::Read as _;
use std::time::{Duration, UNIX_EPOCH};
use tracing_subscriber::layer::SubscriberExt as _;

/// One span and one log record, and what came of it.
async fn one(change: impl FnOnce(&mut Settings)) -> FakeCollector {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.logs.enabled = true;
    change(&mut settings);
    let otlp = start(settings, resource(), None).unwrap();
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(otlp.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _request = TraceContext::root(true).enter();
        tracing::info_span!("work", text = "äöü long", a = 1, b = 2).in_scope(|| {
            tracing::info!(detail = "äöü long", c = 3, "one");
            tracing::info!("two");
        });
    });
    let report = otlp.shutdown(AMPLE).await;
    assert!(report.is_complete(), "{report:?}");
    collector
}

fn decoded(body: &[u8]) -> ProtoSpan {
    ExportTraceServiceRequest::decode(body).unwrap().resource_spans[0].scope_spans[0].spans[0].clone()
}

#[tokio::test]
async fn a_compressed_body_is_the_same_body() {
    let collector = one(|settings| settings.compression = Compression::Gzip).await;
    let request = &collector.received_at("/v1/traces")[0];
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut body).unwrap();
    assert_eq!(decoded(&body).name, "work");

    let collector = one(|settings| {
        settings.compression = Compression::Gzip;
        settings.logs.compression = Some(Compression::None);
    })
    .await;
    assert!(collector.received_at("/v1/logs")[0].headers.get("content-encoding").is_none(), "its own wins");
}

#[tokio::test]
async fn json_says_what_the_specification_has_it_say() {
    let collector = one(|settings| settings.protocol = Some(Protocol::HttpJson)).await;
    let request = &collector.received_at("/v1/traces")[0];
    assert_eq!(request.headers["content-type"], "application/json");
    let json: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "work");
    // ids are hexadecimal, 64-bit numbers are text
    assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
    assert!(span["startTimeUnixNano"].is_string(), "{span}");
    let logs = &collector.received_at("/v1/logs")[0];
    let logs: serde_json::Value = serde_json::from_slice(&logs.body).unwrap();
    assert_eq!(logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"], "one");
}

#[tokio::test]
async fn an_answer_in_json_counts() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Body(r#"{"partialSuccess":{"rejectedSpans":"1"}}"#.into()));
    let mut settings = patient(collector.url());
    settings.protocol = Some(Protocol::HttpJson);
    let otlp = start(settings, resource(), None).unwrap();
    otlp.spans().push(span("a"));
    otlp.spans().push(span("b"));
    let tally = otlp.shutdown(AMPLE).await.stats.traces;
    assert_eq!((tally.exported, tally.failed), (1, 1));
}

#[tokio::test]
async fn limits_hold_and_what_is_left_out_is_counted() {
    let collector = one(|settings| {
        settings.limits.attributes = 1;
        settings.limits.value_length = Some(3);
        settings.limits.events = 1;
        settings.limits.event_attributes = 2;
        settings.limits.log_attributes = 0;
    })
    .await;
    let span = decoded(&collector.received_at("/v1/traces")[0].body);
    assert_eq!(value(&span.attributes, "text").as_deref(), Some("äöü"));
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (1, 2));
    assert_eq!((span.events.len(), span.dropped_events_count), (1, 1));
    assert_eq!(span.events[0].attributes.len(), 2);
    let logs = ExportLogsServiceRequest::decode(collector.received_at("/v1/logs")[0].body.clone()).unwrap();
    let record = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((record.attributes.len(), record.dropped_attributes_count), (0, 2));
}

#[tokio::test]
async fn a_span_that_is_written_is_the_span_that_is_pushed() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.limits.attributes = 4;
    let otlp = start(settings, resource(), None).unwrap();
    let context = TraceContext::root(true);
    let parent = SpanId::random();
    let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut whole = span("");
    whole.context = context;
    whole.name = "GET /orders/{id}".into();
    whole.kind = SpanKind::Server;
    (whole.parent, whole.parent_is_remote) = (Some(parent), true);
    whole.trace_state = "a=1".into();
    (whole.start, whole.end) = (start, start + Duration::from_millis(5));
    whole.status = Status::error("no");
    whole.attributes = vec![
        ("s".into(), "x".repeat(300).into()),
        ("i".into(), (-1).into()),
        ("b".into(), false.into()),
        ("f".into(), 0.5.into()),
        ("more".into(), 1.into()),
    ];
    otlp.spans().push(whole.clone());
    otlp.spans().write(context, |span| {
        span.name(&["GET", " ", "/orders/{id}"]);
        span.kind(SpanKind::Server);
        span.parent(parent, true);
        span.trace_state("a=1");
        span.times(start, start + Duration::from_millis(5));
        span.str("s", &"x".repeat(300));
        span.int("i", -1);
        span.bool("b", false);
        span.float("f", 0.5);
        span.int("more", 1);
        span.status(&whole.status);
    });
    let event = Event::new("x", start);
    whole.events = vec![event];
    otlp.shutdown(AMPLE).await;
    let request = ExportTraceServiceRequest::decode(collector.received()[0].body.clone()).unwrap();
    let [pushed, written] = &request.resource_spans[0].scope_spans[0].spans[..] else {
        panic!("{request:?}")
    };
    assert_eq!(pushed, written);
    assert_eq!((pushed.attributes.len(), pushed.dropped_attributes_count), (4, 1));
}

#[tokio::test]
async fn extras_leave_room_for_what_was_sampled() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.traces.batch.queue = 8;
    settings.traces.batch.size = 8;
    let otlp = start(settings, resource(), None).unwrap();
    for _ in 0..5 {
        otlp.spans().write_extra(TraceContext::root(false), |span| span.name(&["kept"]));
    }
    for _ in 0..5 {
        otlp.spans().write(TraceContext::root(true), |span| span.name(&["sampled"]));
    }
    let tally = otlp.shutdown(AMPLE).await.stats.traces;
    assert_eq!((tally.offered, tally.exported, tally.dropped), (10, 7, 3));
    let request = ExportTraceServiceRequest::decode(collector.received()[0].body.clone()).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let kept: Vec<_> = spans.iter().filter(|span| span.name == "kept").collect();
    assert_eq!((kept.len(), spans.len()), (2, 7));
    assert!(kept.iter().all(|span| span.flags & 1 == 0), "its flag stays what it was");
}
