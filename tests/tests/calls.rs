//! A service of tonic, called by grpcio, which nobody here wrote: what the client is told, and what is logged and counted.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prodkit_e2e::http::get;
use prodkit_e2e::process::Service;
use prodkit_e2e::tools::{self, Foreign, Outcome, with_python};
use prodkit_fakes::FakeCollector;
use prost::Message as _;
use rustix::process::Signal;
use serde_json::{Value, json};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

fn main() -> ExitCode {
    tools::run(vec![with_python("grpc", "grpcio_calls_a_service_of_tonic", grpcio_calls_a_service_of_tonic)])
}

/// The client, and what it says.
struct Client {
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
    _process: Foreign,
}

impl Client {
    /// What came of the next thing it did, which is to be `what`.
    fn did(&mut self, what: &str) -> Result<Value, Box<dyn Error>> {
        let line: Value = serde_json::from_str(&self.lines.next().ok_or("it ended")??)?;
        if line["did"] == what {
            Ok(line["result"].clone())
        } else {
            Err(format!("{line}, not {what}").into())
        }
    }

    fn is(&mut self, what: &str, result: &Value) -> Outcome {
        let came = self.did(what)?;
        if came == *result { Ok(()) } else { Err(format!("{what}: {came}, not {result}").into()) }
    }
}

/// Names of the codes that a service may answer with, and the status of HTTP that is logged and counted for each.
const CODES: [(&str, u64); 16] = [
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

fn grpcio_calls_a_service_of_tonic(python: PathBuf) -> Outcome {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("ways.yaml"), "ways: [calls]")?;
    let collector = FakeCollector::start();
    let endpoint = format!("otlp.endpoint={}", collector.url());
    let exported = [endpoint.as_str(), "otlp.compression=none", "otlp.sampling_ratio=1"];
    let stopped = ["shutdown.delay=0s", "shutdown.grace=2s", "shutdown.flush=500ms"];
    let settings = [&exported[..], &stopped].concat();
    let mut service =
        Service::start_with(FIXTURE, folder.path(), &["--config", "ways.yaml"], &settings, &[])?;
    let (main, admin) = service.ready().ok_or("never ready")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/grpc_calls.py");
    let mut command = Command::new(python);
    command.arg(script).arg(main.ok_or("does not serve")?.to_string()).stdout(Stdio::piped());
    let mut process = Foreign::spawn(&mut command)?;
    let lines = BufReader::new(process.stdout().ok_or("no output")?).lines();
    let mut client = Client { lines: Box::new(lines), _process: process };

    client.is("unary", &json!("hello"))?;
    logged(&mut service, "Unary", 0, 200, None)?;
    client.is("down", &json!(["0", "1", "2"]))?;
    logged(&mut service, "Down", 0, 200, None)?;
    client.is("up", &json!("a b"))?;
    logged(&mut service, "Up", 0, 200, None)?;
    client.is("both", &json!(["a", "b"]))?;
    logged(&mut service, "Both", 0, 200, None)?;
    for (code, (name, status)) in (1..).zip(CODES) {
        client.is(&format!("fail {code}"), &json!(format!("{name}: as asked")))?;
        logged(&mut service, "Unary", code, status, None)?;
    }
    client.is("missing", &json!("UNIMPLEMENTED: "))?;
    logged(&mut service, "Missing", 12, 501, None)?;
    // whoever is quicker: the client with its own clock, or the service with what it was told
    let late = client.did("deadline")?;
    if !late.as_str().is_some_and(|late| late.starts_with("DEADLINE_EXCEEDED")) {
        return Err(format!("deadline: {late}").into());
    }
    let line = next(&mut service)?;
    if !matches!(line["rpc.grpc.status_code"].as_u64(), Some(1 | 4)) {
        return Err(line.to_string().into());
    }
    client.is("held", &json!("held"))?;
    client.is("cancelled", &json!("CANCELLED"))?;
    logged(&mut service, "Down", 1, 499, Some("disconnected"))?;

    // a stream is open: it holds the end up, until the time is over
    client.is("open", &json!("held"))?;
    let metrics = get(admin, "/metrics")?.text();
    for (endpoint, status) in [
        ("/e2e.v1.Calls/Unary", 200),
        ("/e2e.v1.Calls/Unary", 503),
        ("/e2e.v1.Calls/Down", 499),
        ("unmatched", 501),
    ] {
        let series =
            format!("http_requests_total{{endpoint=\"{endpoint}\",method=\"POST\",status=\"{status}\"}} 1");
        if !metrics.contains(&series) {
            return Err(format!("no {series} in {metrics}").into());
        }
    }
    if metrics.contains("Missing") {
        return Err("a series of a method that nobody has".into());
    }
    service.signal(Signal::TERM)?;
    let cut = client.did("cut")?;
    if !cut.as_str().is_some_and(|cut| cut.starts_with("UNAVAILABLE") || cut.starts_with("CANCELLED")) {
        return Err(format!("cut: {cut}").into());
    }
    let code = service.wait()?.code();
    let report = service.seen().iter().rfind(|line| line["msg"] == "stopped").cloned().unwrap_or_default();
    if code != Some(3) || report["requests_cut"] != 1 {
        return Err(format!("{code:?} {report}").into());
    }
    spans_are_of_calls(&collector)
}

/// By the conventions for gRPC: six codes are errors of the server, and what was answered over HTTP says nothing.
fn spans_are_of_calls(collector: &FakeCollector) -> Outcome {
    let mut seen = BTreeSet::new();
    let requests = collector.received_at("/v1/traces");
    let requests = requests.iter().map(|received| ExportTraceServiceRequest::decode(&*received.body));
    for of_resource in requests.collect::<Result<Vec<_>, _>>()?.into_iter().flat_map(|it| it.resource_spans) {
        for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            let call = is_of_a_call(&span).ok_or_else(|| format!("{span:#?}"))?;
            seen.insert(call);
        }
    }
    // four that went well, each code, the one that nobody has, and the one that was cancelled
    if seen.len() >= 22 { Ok(()) } else { Err(format!("{seen:?}").into()) }
}

/// Method and code, where the span says of them what it should.
fn is_of_a_call(span: &Span) -> Option<(String, i64)> {
    let text = |name: &str| match attribute(span, name) {
        Some(any_value::Value::StringValue(text)) => Some(text.as_str()),
        _ => None,
    };
    let Some(any_value::Value::IntValue(code)) = attribute(span, "rpc.grpc.status_code") else { return None };
    let method = text("rpc.method")?;
    let left = text("error.type") == Some("client_disconnected");
    let expected = match code {
        2 | 4 | 12..=15 => CODES.get(usize::try_from(code - 1).ok()?).map(|(name, _)| *name),
        1 if left => text("error.type"),
        _ => None,
    };
    let name = if method == "Missing" { "grpc".to_owned() } else { format!("e2e.v1.Calls/{method}") };
    let is_good = span.name == name
        && text("rpc.system") == Some("grpc")
        && text("rpc.service") == Some("e2e.v1.Calls")
        && text("error.type") == expected
        && span.status.as_ref().is_some_and(|status| status.code == 2) == expected.is_some()
        && attribute(span, "http.response.status_code").is_none();
    is_good.then(|| (method.to_owned(), *code))
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a any_value::Value> {
    let pair = span.attributes.iter().find(|pair| pair.key == name)?;
    pair.value.as_ref()?.value.as_ref()
}

/// The line of the next request.
fn next(service: &mut Service) -> Result<Value, Box<dyn Error>> {
    Ok(service.line("request").ok_or("no line")?)
}

fn logged(service: &mut Service, method: &str, code: u64, status: u64, outcome: Option<&str>) -> Outcome {
    let line = next(service)?;
    let is_good = line["rpc.system"] == "grpc"
        && line["rpc.service"] == "e2e.v1.Calls"
        && line["rpc.method"] == method
        && line["rpc.grpc.status_code"] == code
        && line["status"] == status
        && line.get("outcome").and_then(Value::as_str) == outcome;
    if is_good { Ok(()) } else { Err(format!("{method} {code} {status}: {line}").into()) }
}
