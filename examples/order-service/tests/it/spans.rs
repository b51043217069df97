//! The spans of an order, as a collector would get them: here on standard output, in OTLP's JSON.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{GOOD_ORDER, Service};

/// Every span that was exported until the end.
fn spans(service: &mut Service) -> Vec<Value> {
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(0));
    let each = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let resources = service.all().iter().flat_map(|line| each(line, "resourceSpans"));
    resources.flat_map(|one| each(&one, "scopeSpans")).flat_map(|one| each(&one, "spans")).collect()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().and_then(|all| all.iter().find(|one| one["key"] == key));
    found.map_or(&Value::Null, |one| &one["value"])
}

#[test]
fn reading_an_order_is_three_spans_in_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let exporting = [("OTEL_TRACES_EXPORTER", "console"), ("OTEL_METRICS_EXPORTER", "none")];
    let settings = ["otlp.sampling_ratio=1"];
    let mut service = Service::start_in_env(folder.path(), &[], &settings, &exporting);
    let created = service.post(GOOD_ORDER);
    assert_eq!(created.status, 201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(service.get(&format!("/api/orders/{id}")).status, 200);

    let spans = spans(&mut service);
    let named = |name: &str| {
        spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
    };
    let [request, get, fetch] = ["GET /api/orders/{id}", "getOrder", "fetchOrderFromDB"].map(named);
    assert_eq!(get["parentSpanId"], request["spanId"]);
    assert_eq!(fetch["parentSpanId"], get["spanId"]);
    assert!(get["traceId"] == request["traceId"] && fetch["traceId"] == request["traceId"]);
    assert_eq!(attribute(get, "order.id")["stringValue"], id);
    assert_eq!(attribute(get, "order.amount")["doubleValue"], 199.98);
    // SPAN_KIND_SERVER and SPAN_KIND_CLIENT
    assert_eq!((&request["kind"], &fetch["kind"]), (&2.into(), &3.into()));
    assert_eq!(attribute(fetch, "db.system.name")["stringValue"], "sqlite");
    assert_eq!(attribute(fetch, "db.operation.name")["stringValue"], "SELECT");
}
