//! Everything from the handle to the bytes on a collector's socket.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod accounting;
mod delivered;
mod delta;
mod doctor;
#[cfg(feature = "grpc")]
mod grpc;
mod lines;
mod otel;
mod retry;
mod shutdown;
#[cfg(feature = "__tls")]
mod tls;
mod wire;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prodkit_otlp::{Resource, Settings, Span};
use prodkit_trace::TraceContext;
use std::time::{Duration, SystemTime};

/// More than any test needs when all goes well.
const AMPLE: Duration = Duration::from_secs(20);

/// Settings under which nothing is sent before a batch is full or the end.
fn patient(url: String) -> Settings {
    let mut settings = Settings::to(url);
    for signal in [&mut settings.traces, &mut settings.logs] {
        signal.batch.delay = Duration::from_secs(3600);
    }
    settings.metric_interval = Duration::from_secs(3600);
    settings
}

fn resource() -> Resource {
    Resource::new("orders").with("team", "shop")
}

fn span(name: &'static str) -> Span {
    let mut span = Span::new(TraceContext::root(true), name, SystemTime::now());
    span.end = span.start + Duration::from_millis(3);
    span
}

/// The value of an attribute, as text.
fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::BoolValue(value) => value.to_string(),
        any_value::Value::IntValue(value) => value.to_string(),
        any_value::Value::DoubleValue(value) => value.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}
