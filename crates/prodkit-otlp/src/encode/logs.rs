//! Log records.

use super::{attributes, nanos, scope};
use crate::layer::Record;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{self as proto, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::collections::BTreeMap;
use tracing_core::Level;

/// One scope per `tracing` target: it names the code that logged.
pub(crate) fn request(resource: &Resource, records: &[Record]) -> ExportLogsServiceRequest {
    let mut scopes: BTreeMap<&str, Vec<proto::LogRecord>> = BTreeMap::new();
    for record in records {
        scopes.entry(&record.target).or_default().push(self::record(record));
    }
    let scope_logs = scopes.into_iter().map(|(target, log_records)| proto::ScopeLogs {
        scope: Some(scope(target)),
        log_records,
        schema_url: String::new(),
    });
    let resource_logs = proto::ResourceLogs {
        resource: Some(resource.clone()),
        scope_logs: scope_logs.collect(),
        schema_url: String::new(),
    };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

fn record(record: &Record) -> proto::LogRecord {
    let (number, text) = severity(record.level);
    let (trace_id, span_id, flags) = record.context.map_or_else(Default::default, |context| {
        let (trace, span) = (context.trace_id(), context.span_id());
        (super::traces::trace_id(trace), super::traces::span_id(span), super::traces::flags(context))
    });
    proto::LogRecord {
        time_unix_nano: nanos(record.time),
        observed_time_unix_nano: nanos(record.time),
        severity_number: number as i32,
        severity_text: text.to_owned(),
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(record.body.clone())) }),
        attributes: attributes(&record.attributes),
        dropped_attributes_count: record.dropped_attributes,
        flags,
        trace_id,
        span_id,
        ..proto::LogRecord::default()
    }
}

fn severity(level: Level) -> (SeverityNumber, &'static str) {
    match level {
        Level::ERROR => (SeverityNumber::Error, "ERROR"),
        Level::WARN => (SeverityNumber::Warn, "WARN"),
        Level::INFO => (SeverityNumber::Info, "INFO"),
        Level::DEBUG => (SeverityNumber::Debug, "DEBUG"),
        Level::TRACE => (SeverityNumber::Trace, "TRACE"),
    }
}
