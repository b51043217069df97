//! The lines that are no events of `tracing`, as log records: under the names that they have as lines.

use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::panic::PanicHookInfo;

use prodkit_http::Exchange;
use prodkit_log::{Level, Log};
use prodkit_otlp::{LogRecord, Logs, Value};

use crate::address::Address;

/// What stands in place of a redacted value, as in a line.
const REDACTED: &str = "***";

/// Where records go, and what is kept out of them.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    logs: Logs,
    log: Log,
}

impl Records {
    /// `None` where logs are not exported.
    pub(crate) fn of(telemetry: &crate::telemetry::Telemetry) -> Option<Self> {
        let logs = telemetry.otlp.as_deref().map(prodkit_otlp::Otlp::logs).filter(Logs::is_on)?;
        Some(Self { logs, log: telemetry.log.clone() })
    }

    /// A finished request; `client`, `outcome` and `error` where the line has them.
    pub(crate) fn request(
        &self,
        exchange: &Exchange<'_>,
        level: Level,
        client: Option<&Address>,
        outcome: Option<&'static str>,
    ) {
        let mut record = LogRecord::new(level, crate::requests::TARGET, crate::requests::MESSAGE);
        record.context = Some(exchange.context());
        let text = |text: &str| Value::from(text.to_owned());
        let count = |count: u64| Value::I64(i64::try_from(count).unwrap_or(i64::MAX));
        let grpc = exchange.grpc_status().map(|status| (status, exchange.grpc_method().unzip()));
        let fields = [
            ("method", Some(text(exchange.method().as_str()))),
            ("route", exchange.route().map(text)),
            ("path", Some(text(exchange.path()))),
            ("status", Some(count(exchange.status().as_u16().into()))),
            ("duration_ms", Some((exchange.elapsed().as_secs_f64() * 1_000.0).into())),
            ("bytes_in", Some(count(exchange.bytes_in()))),
            ("bytes_out", Some(count(exchange.bytes_out()))),
            ("request_id", exchange.request_id().map(text)),
            ("client.address", client.map(|client| text(client.as_str()))),
            ("outcome", outcome.map(Value::from)),
            ("error.message", exchange.error().map(|error| crate::error::chain(error).into())),
            ("rpc.system", grpc.map(|_| "grpc".into())),
            ("rpc.service", grpc.and_then(|(_, (service, _))| service).map(text)),
            ("rpc.method", grpc.and_then(|(_, (_, method))| method).map(text)),
            ("rpc.grpc.status_code", grpc.map(|(status, _)| Value::I64(status.code().into()))),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                self.add(&mut record, name, value);
            }
        }
        self.logs.push(record);
    }

    /// A panic, by the names of the semantic conventions.
    pub(crate) fn panic(&self, info: &PanicHookInfo<'_>) {
        let payload = info.payload();
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let said = said.unwrap_or("(a payload that is not text)");
        let mut record = LogRecord::new(Level::ERROR, "panic", format!("panicked: {said}"));
        record.context = prodkit_trace::current();
        if let Some(at) = info.location() {
            self.add(&mut record, "code.file.path", at.file().to_owned().into());
            self.add(&mut record, "code.line.number", Value::I64(at.line().into()));
        }
        if let Some(name) = std::thread::current().name() {
            self.add(&mut record, "thread.name", name.to_owned().into());
        }
        let stack = Backtrace::force_capture().to_string();
        self.add(&mut record, "exception.stacktrace", stack.into());
        self.logs.push(record);
    }

    fn add(&self, record: &mut LogRecord, name: &'static str, value: Value) {
        let value = if self.log.redacts(name) { REDACTED.into() } else { value };
        record.attributes.push((Cow::Borrowed(name), value));
    }
}
