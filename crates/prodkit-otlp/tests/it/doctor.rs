//! What a doctor says of collectors in every state.

use super::resource;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Exporter, Finding, Protocol, Settings, examine};
use prost::Message;
use std::net::TcpListener;
use std::time::Duration;

fn of(url: String, change: impl FnOnce(&mut Settings)) -> Vec<Finding> {
    let mut settings = Settings::to(url);
    settings.timeout = Duration::from_millis(500);
    change(&mut settings);
    examine(settings, &resource()).unwrap()
}

/// What it says of traces.
fn one(behaviour: Behaviour, protocol: Protocol) -> Finding {
    let collector = FakeCollector::start();
    collector.behave(behaviour);
    let change = |settings: &mut Settings| {
        settings.metrics.enabled = false;
        settings.protocol = Some(protocol);
    };
    let [finding] = &of(collector.url(), change)[..] else { panic!("one signal") };
    finding.clone()
}

#[test]
fn a_good_collector_gets_one_of_each() {
    let collector = FakeCollector::start();
    let findings = of(collector.url(), |settings| settings.logs.enabled = true);
    assert!(findings.iter().all(|finding| finding.is_good), "{findings:?}");
    assert_eq!(
        findings.iter().map(|finding| finding.signal).collect::<Vec<_>>(),
        ["traces", "metrics", "logs"]
    );
    let paths: Vec<_> = collector.received().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v1/traces", "/v1/metrics", "/v1/logs"]);
    let shown = findings[0].to_string();
    assert!(shown.contains("/v1/traces over http/protobuf: good\n  connect: 127.0.0.1:"), "{shown}");
    assert!(shown.contains("\n  send: accepted in "), "{shown}");
}

#[test]
fn a_bad_one_is_told_with_what_is_usually_behind_it() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".into() };
    let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    for (behaviour, expected) in [
        (Behaviour::status(401), "refused in"),
        (Behaviour::status(401), "see otlp.headers"),
        (Behaviour::status(404), "HTTP status 404; the URL may be of something else"),
        (Behaviour::status(503), "failed in"),
        (Behaviour::status(429).header("retry-after", "7"), "asked again in 7000.0 ms"),
        (Behaviour::Hang, "no answer in time"),
        (Behaviour::Reset, "connection broken; the port may speak gRPC or TLS"),
        (Behaviour::Body(partial.into()), "rejected in"),
    ] {
        let finding = one(behaviour.clone(), Protocol::HttpProtobuf);
        assert!(!finding.is_good && finding.to_string().contains(expected), "{behaviour:?}: {finding}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = of(format!("http://{nobody}"), |_| {});
    assert!(refused[0].to_string().contains("connect: failed in"), "{}", refused[0]);
    assert_eq!(refused[0].steps.len(), 1, "nothing is sent to nobody");
}

#[cfg(feature = "grpc")]
#[test]
fn over_grpc_too() {
    assert!(one(Behaviour::Answer, Protocol::Grpc).is_good);
    let finding = one(Behaviour::status(400), Protocol::Grpc);
    assert!(!finding.is_good && finding.to_string().contains("refused in"), "{finding}");
}

#[test]
fn nothing_to_ask_is_no_finding() {
    assert_eq!(examine(Settings::default(), &resource()).unwrap(), []);
    assert!(examine(Settings::to("ftp://x"), &resource()).is_err());
    let console = of("http://127.0.0.1:1".into(), |settings| {
        settings.metrics.enabled = false;
        settings.traces.exporter = Exporter::Console;
    });
    assert!(console[0].is_good && console[0].to == "standard output", "{console:?}");
}
