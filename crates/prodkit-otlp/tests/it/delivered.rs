//! What arrives when all is well.

use super::{AMPLE, patient, resource, span, value};
use metrics::{Key, Label, Metadata, Recorder as _};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use prodkit_fakes::FakeCollector;
use prodkit_otlp::{Event, Headers, Otlp, Settings, Span, SpanKind, Status, start};
use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};
use prost::Message;
use std::time::{Duration, UNIX_EPOCH};
use tracing_subscriber::layer::SubscriberExt as _;

fn check(resource: Option<&ProtoResource>) {
    let attributes = &resource.expect("a resource").attributes;
    assert_eq!(value(attributes, "service.name").as_deref(), Some("orders"));
    assert_eq!(value(attributes, "team").as_deref(), Some("shop"));
    assert_eq!(value(attributes, "telemetry.sdk.language").as_deref(), Some("rust"));
}

/// Runs `work` with all signals on and returns what each path received, after a complete shutdown.
async fn export(change: impl FnOnce(&mut Settings), work: impl FnOnce(&Otlp)) -> FakeCollector {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.logs.enabled = true;
    change(&mut settings);
    let otlp = start(settings, resource(), None).unwrap();
    work(&otlp);
    let report = otlp.shutdown(AMPLE).await;
    assert!(report.is_complete() && !report.cut_short, "{report:?}");
    collector
}

#[tokio::test]
async fn a_finished_span_arrives_complete() {
    let id = TraceId::from_u128(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736).unwrap();
    let own = SpanId::from_u64(0x00f0_67aa_0ba9_02b7).unwrap();
    let parent = SpanId::from_u64(7).unwrap();
    let context = TraceContext::new(id, own, TraceFlags::from_u8(3));
    let mut span = Span::new(context, "GET /orders/{id}", UNIX_EPOCH + Duration::new(1_700_000_000, 5));
    span.end = span.start + Duration::from_millis(25);
    span.parent = Some(parent);
    span.parent_is_remote = true;
    span.kind = SpanKind::Server;
    span.trace_state = "vendor=1".to_owned();
    span.attributes = vec![
        ("http.route".into(), "/orders/{id}".into()),
        ("http.response.status_code".into(), 500.into()),
        ("ok".into(), false.into()),
        ("f".into(), 0.5.into()),
    ];
    let mut event = Event::new("retry", span.start + Duration::from_millis(1));
    event.attributes.push(("n".into(), 2.into()));
    span.events.push(event);
    span.links.push(TraceContext::new(id, parent, TraceFlags::from_u8(0)).into());
    span.status = Status::error("no stock");

    let collector = export(|_| {}, |otlp| otlp.spans().push(span)).await;
    let received = collector.received_at("/v1/traces");
    assert_eq!(received[0].headers["content-type"], "application/x-protobuf");
    assert!(received[0].headers["user-agent"].to_str().unwrap().starts_with("prodkit-otlp/"));
    let request = ExportTraceServiceRequest::decode(received[0].body.clone()).unwrap();
    let spans = &request.resource_spans[0];
    check(spans.resource.as_ref());
    assert_eq!(spans.scope_spans[0].scope.as_ref().unwrap().name, "prodkit");

    let got = &spans.scope_spans[0].spans[0];
    assert_eq!(got.trace_id, id.to_u128().to_be_bytes());
    assert_eq!(got.span_id, own.to_u64().to_be_bytes());
    assert_eq!(got.parent_span_id, parent.to_u64().to_be_bytes());
    // trace flags, parent known to be remote
    assert_eq!(got.flags, 0x303);
    assert_eq!((&*got.trace_state, &*got.name, got.kind), ("vendor=1", "GET /orders/{id}", 2));
    assert_eq!(got.start_time_unix_nano, 1_700_000_000_000_000_005);
    assert_eq!(got.end_time_unix_nano - got.start_time_unix_nano, 25_000_000);
    for (key, expected) in
        [("http.route", "/orders/{id}"), ("http.response.status_code", "500"), ("ok", "false"), ("f", "0.5")]
    {
        assert_eq!(value(&got.attributes, key).as_deref(), Some(expected), "{key}");
    }
    let event = &got.events[0];
    assert_eq!((&*event.name, event.time_unix_nano - got.start_time_unix_nano), ("retry", 1_000_000));
    assert_eq!(value(&event.attributes, "n").as_deref(), Some("2"));
    assert_eq!(got.links[0].span_id, parent.to_u64().to_be_bytes());
    let status = got.status.as_ref().unwrap();
    assert_eq!((status.code, &*status.message), (2, "no stock"));
}

#[tokio::test]
async fn spans_and_events_of_user_code_arrive_with_their_ids() {
    let request = TraceContext::root(true);
    let collector = export(
        |_| {},
        |otlp| {
            let subscriber =
                tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(otlp.layer());
            tracing::subscriber::with_default(subscriber, || {
                let _scope = request.enter();
                tracing::info_span!("getOrder", order.id = 42).in_scope(|| {
                    tracing::info_span!("fetchOrderFromDB", otel.kind = "client").in_scope(|| {
                        tracing::warn!(target: "shop::db", rows = 0, "not found");
                    });
                });
            });
        },
    )
    .await;

    let body = collector.received_at("/v1/traces")[0].body.clone();
    let traces = ExportTraceServiceRequest::decode(body).unwrap();
    let [fetch, get] = &traces.resource_spans[0].scope_spans[0].spans[..] else { panic!("{traces:?}") };
    assert_eq!((&*get.name, &*fetch.name, fetch.kind), ("getOrder", "fetchOrderFromDB", 3));
    assert_eq!(get.parent_span_id, request.span_id().to_u64().to_be_bytes());
    assert_eq!(fetch.parent_span_id, get.span_id);
    assert_eq!(fetch.trace_id, request.trace_id().to_u128().to_be_bytes());
    assert_eq!(value(&get.attributes, "order.id").as_deref(), Some("42"));
    assert_eq!((&*fetch.events[0].name, fetch.status.as_ref()), ("not found", None));

    let body = collector.received_at("/v1/logs")[0].body.clone();
    let logs = ExportLogsServiceRequest::decode(body).unwrap();
    check(logs.resource_logs[0].resource.as_ref());
    let scope = &logs.resource_logs[0].scope_logs[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "shop::db");
    let record = &scope.log_records[0];
    assert_eq!((&record.trace_id, &record.span_id, record.flags & 1), (&fetch.trace_id, &fetch.span_id, 1));
    assert_eq!((record.severity_number, &*record.severity_text), (13, "WARN"));
    assert_eq!(record.time_unix_nano, fetch.events[0].time_unix_nano);
    let body = record.body.clone().unwrap();
    assert_eq!(
        value(
            &[opentelemetry_proto::tonic::common::v1::KeyValue {
                key: "body".into(),
                value: Some(body),
                ..Default::default()
            }],
            "body"
        )
        .as_deref(),
        Some("not found")
    );
    assert_eq!(value(&record.attributes, "rows").as_deref(), Some("0"));
}

const METADATA: Metadata<'static> = Metadata::new("test", metrics::Level::INFO, None);

#[tokio::test]
async fn metrics_arrive_at_the_end_and_at_intervals() {
    let collector = FakeCollector::start();
    let recorder = prodkit_metrics::Recorder::new(prodkit_metrics::Options::default());
    let counter = Key::from_parts("orders", vec![Label::new("region", "eu")]);
    recorder.describe_counter("orders".into(), Some(metrics::Unit::Count), "Orders placed".into());
    recorder.register_counter(&counter, &METADATA).increment(3);
    recorder.register_gauge(&Key::from_name("depth"), &METADATA).set(-1.5);
    let labels = [("http.response.status_code", "404"), ("server.port", "http")];
    recorder.counter("answers", &labels).increment(1);
    let histogram = recorder.register_histogram(&Key::from_name("http_request_duration_seconds"), &METADATA);
    histogram.record(0.003);
    histogram.record(1000.0);

    let mut settings = patient(collector.url());
    settings.metric_interval = Duration::from_millis(50);
    let otlp = start(settings, resource(), Some(recorder)).unwrap();
    // twice by the clock, without anybody asking
    collector.wait_for_at("/v1/metrics", 2).await;
    let report = otlp.shutdown(AMPLE).await;
    let received = collector.received_at("/v1/metrics");
    let tally = report.stats.metrics;
    assert_eq!((tally.offered, tally.exported), (4 * received.len() as u64, 4 * received.len() as u64));

    let request = ExportMetricsServiceRequest::decode(received.last().unwrap().body.clone()).unwrap();
    check(request.resource_metrics[0].resource.as_ref());
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let metric = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();

    let orders = metric("orders");
    assert_eq!((&*orders.description, &*orders.unit), ("Orders placed", "1"));
    let Some(Data::Sum(sum)) = &orders.data else { panic!("{orders:?}") };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
    let point = &sum.data_points[0];
    assert_eq!(point.value, Some(number_data_point::Value::AsInt(3)));
    assert_eq!(value(&point.attributes, "region").as_deref(), Some("eu"));
    assert!(point.start_time_unix_nano > 0 && point.start_time_unix_nano <= point.time_unix_nano);

    let Some(Data::Sum(sum)) = &metric("answers").data else { panic!() };
    let [status, port] = &sum.data_points[0].attributes[..] else { panic!("{sum:?}") };
    let of = |pair: &KeyValue| pair.value.clone().unwrap().value.unwrap();
    assert_eq!(of(status), any_value::Value::IntValue(404), "a number by the conventions");
    assert_eq!(of(port), any_value::Value::StringValue("http".into()), "what is none stays text");

    let Some(Data::Gauge(gauge)) = &metric("depth").data else { panic!() };
    assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(-1.5)));

    let Some(Data::Histogram(histogram)) = &metric("http_request_duration_seconds").data else { panic!() };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum, histogram.aggregation_temporality), (2, Some(1000.003), 2));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!((point.bucket_counts.iter().sum::<u64>(), point.bucket_counts.last()), (2, Some(&1)));
}

#[tokio::test]
async fn a_full_batch_does_not_wait() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 3;
    let otlp = start(settings, resource(), None).unwrap();
    for _ in 0..7 {
        otlp.spans().push(span("x"));
    }
    collector.wait_for_at("/v1/traces", 2).await;
    otlp.shutdown(AMPLE).await;
    let sizes: Vec<_> = collector
        .received()
        .iter()
        .map(|request| {
            ExportTraceServiceRequest::decode(request.body.clone()).unwrap().resource_spans[0].scope_spans[0]
                .spans
                .len()
        })
        .collect();
    assert_eq!(sizes, [3, 3, 1]);
}

#[tokio::test]
async fn a_lone_span_waits_for_the_delay_only() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.traces.batch.delay = Duration::from_millis(20);
    let otlp = start(settings, resource(), None).unwrap();
    otlp.spans().push(span("x"));
    collector.wait_for_at("/v1/traces", 1).await;
    drop(otlp);
}

#[tokio::test]
async fn headers_paths_and_switches_are_per_signal() {
    let own = FakeCollector::start();
    let collector = export(
        |settings| {
            settings.headers = Headers::parse("api-key=common").unwrap();
            settings.logs.headers = Some(Headers::parse("api-key=own").unwrap());
            settings.logs.endpoint = Some(format!("{}/in/here", own.url()));
        },
        |otlp| {
            otlp.spans().push(span("x"));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(otlp.layer()), || {
                tracing::info!("x");
            });
        },
    )
    .await;
    assert_eq!(collector.received()[0].headers["api-key"], "common");
    assert_eq!(collector.received().len(), 1);
    assert_eq!(own.received_at("/in/here")[0].headers["api-key"], "own");
}

#[tokio::test]
async fn a_bare_host_name_and_port_will_do() {
    let collector = FakeCollector::start();
    let otlp = start(patient(format!("localhost:{}", collector.addr().port())), resource(), None).unwrap();
    otlp.spans().push(span("x"));
    assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.exported, 1);
    assert_eq!(collector.received_at("/v1/traces").len(), 1);
}

#[tokio::test]
async fn off_is_silent() {
    for settings in [Settings::default(), {
        let mut off = Settings::to("http://127.0.0.1:1");
        off.traces.enabled = false;
        off.metrics.enabled = false;
        off
    }] {
        assert!(!settings.is_on());
        let otlp = start(
            settings,
            resource(),
            Some(prodkit_metrics::Recorder::new(prodkit_metrics::Options::default())),
        )
        .unwrap();
        assert!(!otlp.spans().is_on());
        otlp.spans().push(span("x"));
        assert_eq!(otlp.stats(), prodkit_otlp::Stats::default());
        let report = otlp.shutdown(Duration::ZERO).await;
        assert_eq!(report.to_string(), "traces off; metrics off; logs off");
    }
}

#[test]
fn what_cannot_work_is_an_error_at_start() {
    let error = |change: &dyn Fn(&mut Settings)| {
        let mut settings = patient("http://127.0.0.1:4318".into());
        change(&mut settings);
        start(settings, resource(), None).map(drop).unwrap_err().to_string()
    };
    let scheme = error(&|s| s.endpoint = Some("ftp://c:4318".into()));
    assert_eq!(scheme, "the OTLP endpoint cannot be used: its scheme is neither http nor https");
    #[cfg(not(feature = "__tls"))]
    {
        let tls = error(&|s| s.endpoint = Some("https://c:4318".into()));
        assert!(tls.contains("TLS needs the feature `tls` of prodkit-otlp"), "{tls}");
    }
    let own = error(&|s| s.traces.endpoint = Some("http://user:hunter2@c".into()));
    assert!(
        own.starts_with("the OTLP endpoint for traces cannot be used") && !own.contains("hunter2"),
        "{own}"
    );
    assert_eq!(error(&|s| s.traces.batch.queue = 0), "the queue size is zero");
    #[cfg(not(feature = "grpc"))]
    assert!(error(&|s| s.endpoint = Some("c:4317".into())).contains("needs the feature `grpc`"));
}
