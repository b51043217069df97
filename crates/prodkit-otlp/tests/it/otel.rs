//! The bridge, and the OpenTelemetry crates as the judge of what is sent.

use super::{AMPLE, patient, resource, value};
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::{Span as _, Status, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as _, SpanProcessor};
use prodkit_fakes::FakeCollector;
use prodkit_otlp::{Settings, otel, start};
use prodkit_trace::TraceContext;
use prost::Message;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;

/// Spans of a third party: a tree with everything a span can have.
fn trace<T: opentelemetry::trace::Tracer>(tracer: &T, request: TraceContext)
where
    T::Span: Send + Sync + 'static,
{
    let _attached = otel::context(request).attach();
    tracer.in_span("outer", |cx| {
        let span = cx.span();
        span.set_attribute(KeyValue::new("text", "a"));
        span.set_attribute(KeyValue::new("n", 7));
        span.set_attribute(KeyValue::new("f", 0.25));
        span.set_attribute(KeyValue::new("ok", true));
        span.set_attribute(KeyValue::new("ns", Value::Array(Array::I64(vec![1, 2]))));
        let texts = ["x", "y"].map(StringValue::from).to_vec();
        span.set_attribute(KeyValue::new("texts", Value::Array(Array::String(texts))));
        span.add_event("happened", vec![KeyValue::new("where", "here")]);
        span.add_link(span.span_context().clone(), Vec::new());
        span.set_status(Status::error("no stock"));
        let mut inner =
            tracer.build(tracer.span_builder("inner").with_kind(opentelemetry::trace::SpanKind::Client));
        inner.set_status(Status::Ok);
        inner.end();
    });
}

fn spans(body: Bytes) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let [ResourceSpans { scope_spans, .. }] = &request.resource_spans[..] else { panic!("{request:?}") };
    assert_eq!(scope_spans[0].scope.as_ref().unwrap().name, "some-library");
    let mut spans = scope_spans[0].spans.clone();
    spans.sort_by(|a, b| a.name.cmp(&b.name));
    for span in &mut spans {
        span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        // a context of ours does not say whether it is remote, so a link does not either
        span.links.iter_mut().for_each(|link| link.flags &= 0xff);
    }
    spans
}

#[tokio::test]
async fn spans_of_a_third_party_arrive_under_the_request() {
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    let request = TraceContext::root(true);
    trace(&otlp.tracer_provider().tracer("some-library"), request);
    trace(&otlp.tracer_provider().tracer("some-library"), TraceContext::root(false));
    assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.exported, 2);

    let [inner, outer] = &spans(collector.received()[0].body.clone())[..] else { panic!() };
    assert_eq!(outer.parent_span_id, request.span_id().to_u64().to_be_bytes());
    assert_eq!((&inner.parent_span_id, &inner.trace_id), (&outer.span_id, &outer.trace_id));
    assert_eq!(outer.trace_id, request.trace_id().to_u128().to_be_bytes());
    assert_eq!(value(&outer.attributes, "n").as_deref(), Some("7"));
    assert_eq!(inner.kind, 3);
}

#[tokio::test]
async fn without_a_parent_the_ratio_decides() {
    for (ratio, expected) in [(0.0, 0), (1.0, 1)] {
        let collector = FakeCollector::start();
        let mut settings = Settings::to(collector.url());
        settings.sampling.ratio = ratio;
        let otlp = start(settings, resource(), None).unwrap();
        otlp.tracer_provider().tracer("x").in_span("root", |_| {});
        assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.offered, expected);
    }
}

/// Keeps what an exporter of `opentelemetry-otlp` sends.
#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Vec<Bytes>>>);

impl HttpClient for Keep {
    fn send_bytes<'a, 'f>(&'a self, request: Request<Bytes>) -> Answer<'f>
    where
        'a: 'f,
    {
        self.0.lock().unwrap().push(request.into_body());
        Box::pin(std::future::ready(Ok(Response::new(Bytes::new()))))
    }
}

type Answer<'f> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>;

/// Keeps finished spans, as the SDK has them, beside ours.
#[derive(Clone, Debug, Default)]
struct Finished(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Finished {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_official_exporter_sends() {
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    let finished = Finished::default();
    // one set of spans for both
    let provider = SdkTracerProvider::builder().with_span_processor(finished.clone()).build();
    trace(&provider.tracer("some-library"), TraceContext::root(true));
    let data = finished.0.lock().unwrap().clone();
    data.iter().for_each(|span| otlp.spans().push(otel::span(span.clone()).unwrap()));
    otlp.shutdown(AMPLE).await;

    let keep = Keep::default();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(keep.clone())
        .with_endpoint("http://c:4318/v1/traces")
        .build()
        .unwrap();
    exporter.export(data).await.unwrap();

    let theirs = spans(keep.0.lock().unwrap()[0].clone());
    assert_eq!(spans(collector.received()[0].body.clone()), theirs);
}

/// Every span that arrived, of whatever scope.
fn arrived(collector: &FakeCollector) -> Vec<Span> {
    let requests = collector.received_at("/v1/traces").into_iter();
    requests
        .flat_map(|request| ExportTraceServiceRequest::decode(request.body).unwrap().resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

#[tokio::test]
async fn spans_of_both_apis_nest_in_each_other() {
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    let tracer = otlp.tracer_provider().tracer("library");
    let request = TraceContext::root(true);
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(otlp.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _request = request.enter();
        // by turns, ten deep
        tracing::info_span!("1").in_scope(|| {
            tracer.in_span("2", |_| {
                tracing::info_span!("3").in_scope(|| {
                    tracing::info_span!("4").in_scope(|| {
                        tracer.in_span("5", |_| {
                            tracer.in_span("6", |_| {
                                let seven = tracing::info_span!("7");
                                seven.in_scope(|| {
                                    tracer.in_span("8", |_| {
                                        tracing::info_span!("9").in_scope(|| tracer.in_span("10", |_| {}));
                                    });
                                });
                                // entered again, it is a parent again
                                seven.in_scope(|| tracer.in_span("8b", |_| {}));
                            });
                        });
                    });
                    tracer.in_span("4b", |_| {});
                });
            });
        });
        tracer.in_span("1b", |_| {});
    });
    assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.exported, 13);
    let spans = arrived(&collector);
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    for (name, parent) in [
        ("2", "1"),
        ("3", "2"),
        ("4", "3"),
        ("5", "4"),
        ("6", "5"),
        ("7", "6"),
        ("8", "7"),
        ("9", "8"),
        ("10", "9"),
        ("8b", "7"),
        ("4b", "3"),
    ] {
        assert_eq!(named(name).parent_span_id, named(parent).span_id, "{name} is in {parent}");
    }
    for name in ["1", "1b"] {
        assert_eq!(named(name).parent_span_id, request.span_id().to_u64().to_be_bytes(), "{name}");
    }
    assert!(spans.iter().all(|span| span.trace_id == request.trace_id().to_u128().to_be_bytes()));
}

#[tokio::test]
async fn a_tracing_span_is_told_what_its_fields_cannot_say() {
    use otel::OpenTelemetrySpanExt as _;
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    let tracer = otlp.tracer_provider().tracer("library");
    let other = tracer.start("other").span_context().clone();
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(otlp.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _request = TraceContext::root(true).enter();
        let span = tracing::info_span!("charge", n = 1);
        span.set_attribute("n", 2);
        span.set_attribute("provider", "acme");
        span.add_event("retried", vec![KeyValue::new("attempt", 2)]);
        span.add_link_with_attributes(other.clone(), vec![KeyValue::new("why", "batch")]);
        span.add_link(other.clone());
        span.set_status(Status::error("declined"));
        let _attached = span.context().attach();
        tracer.in_span("inside", |_| {});

        // one that is not recorded takes it all and keeps nothing
        let _unsampled = TraceContext::root(false).enter();
        let quiet = tracing::info_span!("quiet");
        quiet.set_attribute("n", 2);
        assert!(!quiet.context().span().span_context().is_sampled());
    });
    otlp.shutdown(AMPLE).await;
    let spans = arrived(&collector);
    let [inside, charge] =
        ["inside", "charge"].map(|name| spans.iter().find(|span| span.name == name).unwrap());
    assert_eq!(inside.parent_span_id, charge.span_id);
    assert_eq!(value(&charge.attributes, "n").as_deref(), Some("2"));
    assert_eq!(value(&charge.attributes, "provider").as_deref(), Some("acme"));
    assert_eq!(charge.events[0].name, "retried");
    assert_eq!(charge.links.len(), 2);
    assert_eq!(charge.links[0].span_id, other.span_id().to_bytes());
    assert_eq!(value(&charge.links[0].attributes, "why").as_deref(), Some("batch"));
    assert_eq!(charge.status.as_ref().unwrap().message, "declined");
    assert!(spans.iter().all(|span| span.name != "quiet"));
}

#[test]
fn the_propagator_speaks_what_the_process_speaks() {
    use opentelemetry::propagation::TextMapPropagator as _;
    let propagator = otel::Propagator::new(prodkit_trace::Propagators::W3C);
    let request = TraceContext::root(true);
    let mut headers = std::collections::HashMap::new();
    propagator.inject(&mut headers);
    assert!(headers.is_empty(), "nothing is running");
    let scope = request.enter();
    propagator.inject(&mut headers);
    drop(scope);
    assert_eq!(headers["traceparent"], request.traceparent().as_str());
    let cx = propagator.extract(&headers);
    assert_eq!(cx.span().span_context().span_id().to_bytes(), request.span_id().to_u64().to_be_bytes());
    let mut again = std::collections::HashMap::new();
    propagator.inject_context(&cx, &mut again);
    assert_eq!(again, headers);
}
