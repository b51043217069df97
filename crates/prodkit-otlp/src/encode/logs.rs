//! Log records.

use super::{nanos, scope, scoped, traces};
use crate::LogRecord;
use crate::settings::Limits;
use crate::wire::{self, Any, bytes, fixed32, fixed64, message, uint};
use tracing_core::Level;

/// An `ExportLogsServiceRequest`. One scope per `tracing` target: it names the code that logged.
pub(crate) fn request(resource: &[u8], records: &[LogRecord], limits: &Limits) -> Vec<u8> {
    scoped(resource, records, LogRecord::target, scope, |out, record| {
        message(out, 2, |out| self::record(out, record, limits));
    })
}

impl LogRecord {
    fn target(&self) -> &str {
        &self.target
    }
}

fn record(out: &mut Vec<u8>, record: &LogRecord, limits: &Limits) {
    let (number, text) = severity(record.level);
    fixed64(out, 1, nanos(record.time));
    uint(out, 2, number);
    bytes(out, 3, text.as_bytes());
    message(out, 5, |out| wire::any_value(out, Any::Str(&record.body), None));
    let (most, longest) = (limits.log_attributes, limits.log_value_length);
    let dropped = traces::attributes(out, 6, &record.attributes, most, longest);
    uint(out, 7, u64::from(record.dropped_attributes) + dropped);
    if let Some(context) = record.context {
        fixed32(out, 8, context.flags().to_u8().into());
        traces::ids(out, context, [9, 10]);
    }
    fixed64(out, 11, nanos(record.time));
}

fn severity(level: Level) -> (u64, &'static str) {
    match level {
        Level::ERROR => (17, "ERROR"),
        Level::WARN => (13, "WARN"),
        Level::INFO => (9, "INFO"),
        Level::DEBUG => (5, "DEBUG"),
        Level::TRACE => (1, "TRACE"),
    }
}
