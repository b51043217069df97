//! `otlp.*`: what a collector gets, and how long it is waited for.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, metric, number_data_point};
use prodkit_fakes::{Behaviour, FakeCollector, Received};
use prost::Message as _;
use serde_json::Value;

use crate::rig::{Rig, Setup};

pub(crate) fn endpoint() {
    for _ in 0..2 {
        let collector = FakeCollector::start();
        let _rig = quick(Setup::new()).set("otlp.endpoint", &collector.url()).serve();
        wait(&collector, |received| !received.is_empty());
    }
}

pub(crate) fn protocol() {
    let grpc = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    for (value, path) in [("http/protobuf", "/v1/metrics"), ("grpc", grpc)] {
        assert_eq!(metrics(Setup::new().set("otlp.protocol", value)).path, path);
    }
}

pub(crate) fn headers() {
    for tenant in ["one", "two"] {
        assert_eq!(metrics(Setup::new().set("otlp.headers.x-tenant", tenant)).headers["x-tenant"], tenant);
    }
}

pub(crate) fn compression() {
    for (value, encoding) in [("gzip", Some("gzip")), ("none", None)] {
        let received = metrics(Setup::new().set("otlp.compression", value));
        let sent = received.headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(sent, encoding, "{value}");
    }
}

pub(crate) fn keep_errors() {
    for (value, kept) in [("true", true), ("false", false)] {
        let spans = unsampled("/panic", &[("otlp.keep_errors", value)]);
        assert_eq!(spans.contains("error"), kept, "{value}");
    }
}

pub(crate) fn keep_slower_than() {
    for (value, kept) in [("100ms", true), ("1h", false)] {
        let spans = unsampled("/slow", &[("otlp.keep_slower_than", value)]);
        assert_eq!(spans.contains("slow"), kept, "{value}");
    }
}

/// Why the span of a request that nobody sampled was sent nevertheless, if it was.
fn unsampled(path: &str, settings: &[(&str, &str)]) -> String {
    let collector = FakeCollector::start();
    let setup = to(&collector, Setup::new()).set("otlp.sampling_ratio", "0");
    let mut rig = settings.iter().fold(setup, |setup, (key, value)| setup.set(key, value)).serve();
    rig.get(path);
    rig.end();
    let traces = collector.received_at("/v1/traces");
    let body = traces.iter().map(|received| String::from_utf8_lossy(&received.body)).collect::<String>();
    match body.split_once("prodkit.sampling.kept") {
        // the key is followed by the value: two lengths and two tags in between
        Some((_, rest)) => rest.chars().skip(4).take(5).collect(),
        None => {
            assert_eq!(body, "", "what is kept says so");
            String::new()
        }
    }
}

pub(crate) fn timeout() {
    let key = |value| Setup::new().set("otlp.timeout", value);
    asks_again(key("50ms"), key("1h"));
}

/// A collector that does not answer is asked again by one, and not by the other.
pub(crate) fn asks_again(soon: Setup, late: Setup) {
    let [(once, _late), (often, _soon)] = [late, soon].map(|setup| batch(setup, Behaviour::Hang));
    wait(&once, |received| !received.is_empty());
    wait(&often, |received| received.len() > 2);
    assert_eq!(once.received().len(), 1);
}

pub(crate) fn retry_enabled() {
    for (value, again) in [("true", true), ("false", false)] {
        let (collector, rig) = batch(Setup::new().set("otlp.retry.enabled", value), Behaviour::status(503));
        wait(&collector, |received| !received.is_empty());
        rig.sampled();
        let received = wait(&collector, |received| received.len() > 1);
        assert_eq!(received[0].body == received[1].body, again, "{value}");
    }
}

pub(crate) fn retry_max_elapsed_time() {
    // However long an attempt may take: these are answered at once.
    let setup = Setup::new().set("otlp.timeout", "1h");
    let [(long, late), (short, soon)] = ["1h", "300ms"]
        .map(|value| batch(setup.clone().set("otlp.retry.max_elapsed_time", value), Behaviour::status(503)));
    for (collector, rig) in [(&long, &late), (&short, &soon)] {
        wait(collector, |received| !received.is_empty());
        rig.sampled();
    }
    let is_given_up = |received: &[Received]| received.iter().any(|one| one.body != received[0].body);
    wait(&short, is_given_up);
    assert!(!is_given_up(&long.received()));
}

pub(crate) fn traces() {
    signal("otlp.traces", "/v1/traces");
}

pub(crate) fn metrics_signal() {
    signal("otlp.metrics", "/v1/metrics");
}

pub(crate) fn logs() {
    signal("otlp.logs", "/v1/logs");
}

/// Whoever collects the records needs no lines: those of requests and panics are among them, and what is redacted in the one
/// is in the other.
pub(crate) fn every_line_is_a_record() {
    let collector = FakeCollector::start();
    let setup = to(&collector, Setup::new()).set("otlp.logs", "true").set("otlp.sampling_ratio", "1");
    let setup = setup.set("log.redact", "path");
    let mut rig = setup.serve();
    assert_eq!((rig.status("/"), rig.status("/panic"), rig.status("/say/0")), (200, 500, 200));
    rig.end();

    let records = collector.received_at("/v1/logs").into_iter().flat_map(|received| {
        let request = ExportLogsServiceRequest::decode(received.body).unwrap();
        request.resource_logs.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records)
    });
    let records: Vec<_> = records.collect();
    let lines = rig.service.seen().iter().take_while(|line| line["msg"] != "stopping");
    let mut left = records.iter().map(body).collect::<Vec<_>>();
    for line in lines {
        let at = left.iter().position(|body| line["msg"] == *body);
        left.swap_remove(at.unwrap_or_else(|| panic!("no record of {line}: {left:?}")));
    }

    let requests = records.iter().filter(|record| body(record) == "request");
    let lines = rig.service.seen().iter().filter(|line| line["msg"] == "request");
    let both: Vec<_> = requests.zip(lines).collect();
    assert_eq!(both.len(), 3);
    for (record, line) in both {
        for attribute in &record.attributes {
            let line = &line[&attribute.key];
            match attribute.value.clone().unwrap().value.unwrap() {
                any_value::Value::StringValue(text) => assert_eq!(*line, text),
                any_value::Value::IntValue(number) => assert_eq!(*line, number),
                // of nanoseconds, in the line of microseconds
                any_value::Value::DoubleValue(number) => {
                    assert!((line.as_f64().unwrap() - number).abs() < 0.002, "{line} {number}");
                }
                other => panic!("{other:?}"),
            }
        }
        let common = ["level", "ts", "target", "msg", "trace_id", "span_id", "trace_flags"];
        let fields = line.as_object().unwrap().keys().filter(|key| !common.contains(&key.as_str()));
        assert_eq!(record.attributes.len(), fields.count(), "{record:?} {line}");
        assert_eq!((&line["level"], &line["path"]), (&record.severity_text.clone().into(), &"***".into()));
        let id = record.trace_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(line["trace_id"], id);
    }
    // the server's span has it as `url.path`
    let spans = collector.received_at("/v1/traces");
    let said =
        |text: &str| spans.iter().any(|received| String::from_utf8_lossy(&received.body).contains(text));
    assert!(said("url.path") && said("***") && !said("/say/0"));
    let panicked = records.iter().find(|record| body(record).starts_with("panicked: ")).unwrap();
    let attributes = panicked.attributes.iter().map(|attribute| &*attribute.key).collect::<Vec<_>>();
    assert_eq!(attributes, ["code.file.path", "code.line.number", "thread.name", "exception.stacktrace"]);
    assert!(!panicked.trace_id.is_empty());
}

fn body(record: &LogRecord) -> String {
    match record.body.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => text,
        other => panic!("{other:?}"),
    }
}

fn signal(key: &str, path: &str) {
    for (value, sent) in [("true", true), ("false", false)] {
        assert_eq!(exports(Setup::new().set(key, value)).contains(path), sent, "{value}");
    }
}

pub(crate) fn sampling_ratio() {
    for (value, sampled) in [("1", true), ("0", false)] {
        assert_eq!(samples(Setup::new().set("otlp.sampling_ratio", value)), sampled, "{value}");
    }
}

pub(crate) fn metric_interval() {
    let key = |value| Setup::new().set("otlp.metric_interval", value);
    sends_often(key("20ms"), key("1h"));
}

pub(crate) fn temporality() {
    let key = |value| Setup::new().set("otlp.temporality", value);
    counts_since(&key("cumulative"), AggregationTemporality::Cumulative);
    counts_since(&key("delta"), AggregationTemporality::Delta);
}

/// Three exports of a counter that moves once: its total each time, or the difference once.
pub(crate) fn counts_since(setup: &Setup, expected: AggregationTemporality) {
    let collector = FakeCollector::start();
    let mut rig = quick(to(&collector, setup.clone())).serve();
    assert_eq!(rig.status("/count/0"), 200);
    let seen = |received: &[Received]| received.iter().flat_map(counted).collect::<Vec<_>>();
    wait(&collector, |received| !seen(received).is_empty());
    let before = collector.received().len();
    wait(&collector, |received| received.len() > before + 2);
    rig.end();
    let all = seen(&collector.received_at("/v1/metrics"));
    assert!(all.iter().all(|(temporality, count)| (*temporality, *count) == (expected, 1)), "{all:?}");
    assert_eq!(all.len() == 1, expected == AggregationTemporality::Delta, "{all:?}");
}

/// The fixture's own counter in an export.
fn counted(request: &Received) -> Option<(AggregationTemporality, i64)> {
    let Some(metric::Data::Sum(sum)) = exported(request, "counted") else { return None };
    let Some(number_data_point::Value::AsInt(count)) = sum.data_points[0].value else { return None };
    Some((sum.aggregation_temporality(), count))
}

fn exported(request: &Received, name: &str) -> Option<metric::Data> {
    let request = ExportMetricsServiceRequest::decode(request.body.clone()).unwrap();
    let metrics = request.resource_metrics[0].scope_metrics[0].metrics.clone();
    metrics.into_iter().find(|metric| metric.name == name)?.data
}

/// Whoever stores both has everything twice.
pub(crate) fn scraping_what_is_pushed_is_told_once() {
    let collector = FakeCollector::start();
    let pushed = to(&collector, Setup::new());
    for (setup, told) in [(pushed.clone(), 1), (pushed.set("otlp.metrics", "false"), 0), (Setup::new(), 0)] {
        let mut rig = setup.serve();
        for _ in 0..4 {
            assert_eq!(rig.ask("/metrics").status, 200);
        }
        rig.end();
        let is_told = |line: &&Value| {
            line["msg"].as_str().is_some_and(|text| text.starts_with("metrics are scraped and pushed, too"))
        };
        assert_eq!(rig.service.seen().iter().filter(is_told).count(), told);
    }
}

pub(crate) fn histograms() {
    for (value, exponential) in [("explicit", false), ("exponential", true)] {
        assert_eq!(is_exponential(Setup::new().set("otlp.histograms", value)), exponential, "{value}");
    }
}

/// Whether the durations of requests are exported in exponential buckets.
pub(crate) fn is_exponential(setup: Setup) -> bool {
    let collector = FakeCollector::start();
    let mut rig = to(&collector, setup).serve();
    assert_eq!(rig.status("/"), 200);
    rig.end();
    let received = collector.received_at("/v1/metrics");
    let durations = exported(received.last().unwrap(), "http.server.request.duration");
    match durations.unwrap() {
        metric::Data::ExponentialHistogram(_) => true,
        metric::Data::Histogram(_) => false,
        other => panic!("{other:?}"),
    }
}

/// One has sent its metrics three times, and the other not yet.
pub(crate) fn sends_often(often: Setup, seldom: Setup) {
    let [few, many] = [(); 2].map(|()| FakeCollector::start());
    let mut late = to(&few, seldom).serve();
    let _soon = to(&many, often).serve();
    wait(&many, |received| received.len() > 2);
    assert_eq!(few.received().len(), 0);
    late.end();
    assert_eq!(few.received().len(), 1);
}

/// The paths of all that was sent until the end, a sampled request included.
pub(crate) fn exports(setup: Setup) -> BTreeSet<String> {
    let collector = FakeCollector::start();
    let mut rig = to(&collector, setup).serve();
    rig.sampled();
    rig.end();
    collector.received().into_iter().map(|received| received.path).collect()
}

/// Whether a trace that begins here is recorded.
pub(crate) fn samples(setup: Setup) -> bool {
    let collector = FakeCollector::start();
    let mut rig = to(&collector, setup).serve();
    assert_eq!(rig.status("/"), 200);
    rig.end();
    !collector.received_at("/v1/traces").is_empty()
}

/// The first export of metrics.
pub(crate) fn metrics(setup: Setup) -> Received {
    let collector = FakeCollector::start();
    let _rig = quick(to(&collector, setup)).serve();
    wait(&collector, |received| !received.is_empty()).swap_remove(0)
}

/// What it tells a collector of itself: the text of an attribute.
pub(crate) fn attribute(setup: Setup, name: &str) -> Option<String> {
    let body = metrics(setup).body;
    // A KeyValue of opentelemetry/proto/common/v1: the key is field 1, the value a message in field 2, its text in
    // field 1; all of them shorter than what takes two bytes of length.
    let key = [&[10, u8::try_from(name.len()).unwrap()], name.as_bytes(), &[18]].concat();
    let at = body.windows(key.len()).position(|window| window == key)? + key.len();
    let (length, text) = body[at + 2..].split_first()?;
    String::from_utf8(text[..usize::from(*length)].to_vec()).ok()
}

/// A collector that behaves like this, and a service that has a batch of one span for it, and no metrics.
fn batch(setup: Setup, behaviour: Behaviour) -> (FakeCollector, Rig) {
    let collector = FakeCollector::start();
    collector.behave(behaviour);
    let setup = setup.set("otlp.metrics", "false").env("OTEL_BSP_SCHEDULE_DELAY", "0");
    let rig = to(&collector, setup).serve();
    rig.sampled();
    (collector, rig)
}

fn to(collector: &FakeCollector, setup: Setup) -> Setup {
    setup.set("otlp.endpoint", &collector.url())
}

fn quick(setup: Setup) -> Setup {
    setup.set("otlp.metric_interval", "20ms")
}

/// Waits until the collector has got enough.
pub(crate) fn wait(collector: &FakeCollector, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(collector.wait_until(enough))
}
