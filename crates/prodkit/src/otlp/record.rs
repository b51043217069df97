//! The lines that are no events of `tracing`, as log records: under the names that they have as lines.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

use prodkit_http::Exchange;
use prodkit_log::Level;
use prodkit_otlp::{LogRecord, Logs, Value};

use crate::address::Address;
use crate::requests::{FIELDS, MESSAGE, TARGET};

/// Where records go.
#[derive(Clone, Debug)]
pub(crate) struct Records(Logs);

impl Records {
    /// `None` where logs are not exported.
    pub(crate) fn of(telemetry: &crate::telemetry::Telemetry) -> Option<Self> {
        telemetry.otlp.as_deref().map(prodkit_otlp::Otlp::logs).filter(Logs::is_on).map(Self)
    }

    /// A finished request; `client`, `outcome` and `error` where the line has them.
    pub(crate) fn request(
        &self,
        exchange: &Exchange<'_>,
        level: Level,
        client: Option<&Address>,
        outcome: Option<&'static str>,
    ) {
        let mut record = LogRecord::new(level, TARGET, MESSAGE);
        record.context = Some(exchange.context());
        let text = |text: &str| Value::from(text.to_owned());
        let count = |count: u64| Value::I64(i64::try_from(count).unwrap_or(i64::MAX));
        let grpc = exchange.grpc_status().map(|status| (status, exchange.grpc_method().unzip()));
        let values: [Option<Value>; FIELDS.len()] = [
            Some(text(exchange.method().as_str())),
            exchange.route().map(text),
            Some(text(exchange.path())),
            Some(count(exchange.status().as_u16().into())),
            Some((exchange.elapsed().as_secs_f64() * 1_000.0).into()),
            Some(count(exchange.bytes_in())),
            Some(count(exchange.bytes_out())),
            exchange.request_id().map(text),
            client.map(|client| text(client.as_str())),
            outcome.map(Value::from),
            exchange.error().map(|error| crate::error::chain(error).into()),
            grpc.map(|_| "grpc".into()),
            grpc.and_then(|(_, (service, _))| service).map(text),
            grpc.and_then(|(_, (_, method))| method).map(text),
            grpc.map(|(status, _)| Value::I64(status.code().into())),
        ];
        let fields = FIELDS.iter().zip(values);
        record.attributes.extend(fields.filter_map(|(name, value)| Some(((*name).into(), value?))));
        self.0.push(record);
    }

    /// A panic, by the names of the semantic conventions.
    pub(crate) fn panic(&self, info: &PanicHookInfo<'_>, stack: &Backtrace) {
        let said = prodkit_log::panic_message(info);
        let mut record = LogRecord::new(Level::ERROR, "panic", format!("panicked: {said}"));
        record.context = prodkit_trace::current();
        let at = info.location();
        let thread = std::thread::current();
        let attributes = [
            ("code.file.path", at.map(|at| at.file().to_owned().into())),
            ("code.line.number", at.map(|at| Value::I64(at.line().into()))),
            ("thread.name", thread.name().map(|name| name.to_owned().into())),
            ("exception.stacktrace", Some(stack.to_string().into())),
        ];
        let known = attributes.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
        record.attributes.extend(known);
        self.0.push(record);
    }
}
