//! The same over gRPC.

use super::{AMPLE, patient, resource, span};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Headers, Otlp, Protocol, start};
use prost::Message;
use std::time::{Duration, Instant};

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn ten(collector: &FakeCollector) -> Otlp {
    let mut settings = patient(collector.url());
    settings.protocol = Some(Protocol::Grpc);
    settings.headers = Headers::parse("api-key=k").unwrap();
    let otlp = start(settings, resource(), None).unwrap();
    (0..10).for_each(|_| otlp.spans().push(span("x")));
    otlp
}

#[tokio::test]
async fn spans_arrive() {
    let collector = FakeCollector::start();
    let report = ten(&collector).shutdown(AMPLE).await;
    assert_eq!((report.stats.traces.exported, report.cut_short), (10, false));
    let received = &collector.received_at(PATH)[0];
    assert_eq!(received.headers["api-key"], "k");
    let request = ExportTraceServiceRequest::decode(received.body.clone()).unwrap();
    assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 10);
}

#[tokio::test]
async fn answers_mean_what_they_mean_over_http() {
    let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: String::new() };
    let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    for (name, behaviour, exported) in [
        ("partial", Behaviour::Body(partial.into()), 7),
        ("garbage", Behaviour::Body(vec![0xff; 50].into()), 10),
        ("huge", Behaviour::Body(vec![0; (4 << 20) + 1].into()), 0),
        ("refused", Behaviour::status(400), 0),
    ] {
        let collector = FakeCollector::start();
        collector.behave(behaviour);
        let traces = ten(&collector).shutdown(AMPLE).await.stats.traces;
        assert_eq!((traces.exported, traces.failed), (exported, 10 - exported), "{name}");
        assert_eq!(collector.received().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn the_end_keeps_its_budget() {
    for behaviour in [Behaviour::Hang, Behaviour::Reset, Behaviour::status(503), Behaviour::Refuse] {
        let collector = FakeCollector::start();
        collector.behave(behaviour.clone());
        collector.listening(!matches!(behaviour, Behaviour::Refuse)).await;
        let otlp = ten(&collector);
        let began = Instant::now();
        let report = otlp.shutdown(Duration::from_millis(300)).await;
        assert!(began.elapsed() < Duration::from_secs(4), "{behaviour:?}");
        assert_eq!(report.stats.traces.failed, 10, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_not_waited_for() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Refuse);
    collector.listening(false).await;
    let otlp = ten(&collector);
    let began = Instant::now();
    let report = otlp.shutdown(AMPLE).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((report.stats.traces.failed, report.cut_short), (10, false));
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_what_waited() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503));
    let mut settings = patient(collector.url());
    settings.protocol = Some(Protocol::Grpc);
    settings.traces.batch.size = 1;
    let otlp = start(settings, resource(), None).unwrap();
    otlp.spans().push(span("x"));
    collector.wait_for(1).await;
    collector.behave(Behaviour::Answer);
    collector.wait_for(2).await;
    assert_eq!(otlp.shutdown(AMPLE).await.stats.traces.exported, 1);
}
