//! Reading the fields of spans and events.

use crate::redact::{REDACTED, Redact};
use crate::span::{Attributes, Value};
use crate::{Event, LogRecord, Span, SpanKind, Status};
use prodkit_trace::TraceContext;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::SystemTime;
use tracing_core::field::{Field, Visit};
use tracing_core::{Level, Metadata};

/// The semantic conventions' name for what an error says.
const EXCEPTION: &str = "exception.message";

/// How much is kept, and what is not.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// So many attributes at most.
    pub(super) most: usize,
    pub(super) redact: &'a Redact,
}

/// Fields of a span: attributes, but for those that name a property of the span.
pub(super) struct SpanFields<'a> {
    pub(super) span: &'a mut Span,
    pub(super) rules: Rules<'a>,
}

/// Fields of an event.
pub(super) struct EventFields<'a> {
    message: Option<String>,
    error: Option<String>,
    /// The target of a record of the `log` crate, which comes as a field.
    target: Option<String>,
    attributes: Attributes,
    dropped: u32,
    rules: Rules<'a>,
}

/// The part of [`Visit`] that all kinds of values come down to.
trait Fields {
    fn put(&mut self, name: &'static str, value: Value);
    fn fail(&mut self, name: &'static str, error: String);
    fn rules(&self) -> Rules<'_>;

    /// Puts what may be seen.
    fn see(&mut self, name: &'static str, value: impl FnOnce() -> Value) {
        let value = if self.rules().redact.hides(name) { REDACTED.into() } else { value() };
        self.put(name, value);
    }
}

impl Fields for SpanFields<'_> {
    fn put(&mut self, name: &'static str, value: Value) {
        let Self { span, rules } = self;
        match (name, value) {
            ("otel.name", Value::Str(name)) => span.name = name,
            ("otel.kind", Value::Str(kind)) => span.kind = self::kind(&kind),
            ("otel.status_code", Value::Str(code)) => match code.to_ascii_lowercase().as_str() {
                "ok" => span.status = Status::Ok,
                "error" => span.fail(Cow::Borrowed("")),
                _ => {}
            },
            ("otel.status_message" | "otel.status_description", Value::Str(message)) => {
                span.status = Status::Error(message);
            }
            (name, value) => set(&mut span.attributes, &mut span.dropped_attributes, rules.most, name, value),
        }
    }

    fn fail(&mut self, _: &'static str, error: String) {
        let Self { span, rules } = self;
        span.fail(error.clone().into());
        set(&mut span.attributes, &mut span.dropped_attributes, rules.most, EXCEPTION, error.into());
    }

    fn rules(&self) -> Rules<'_> {
        self.rules
    }
}

impl Fields for EventFields<'_> {
    fn put(&mut self, name: &'static str, value: Value) {
        match (name, value) {
            ("message", value) => self.message = Some(text(value)),
            ("error", value) => self.error = Some(text(value)),
            ("log.target", value) => self.target = Some(text(value)),
            (name, _) if name.starts_with("log.") => {}
            (name, value) => set(&mut self.attributes, &mut self.dropped, self.rules.most, name, value),
        }
    }

    fn fail(&mut self, _: &'static str, error: String) {
        self.error = Some(error);
    }

    fn rules(&self) -> Rules<'_> {
        self.rules
    }
}

impl<'a> EventFields<'a> {
    pub(super) fn new(rules: Rules<'a>) -> Self {
        Self { message: None, error: None, target: None, attributes: Vec::new(), dropped: 0, rules }
    }

    /// The event as a log record.
    pub(super) fn record(
        &self,
        metadata: &'static Metadata<'static>,
        time: SystemTime,
        context: Option<TraceContext>,
    ) -> LogRecord {
        let (attributes, dropped_attributes) = self.attributes();
        LogRecord {
            time,
            level: *metadata.level(),
            target: self.target.clone().map_or(Cow::Borrowed(metadata.target()), Cow::Owned),
            body: self.message.clone().unwrap_or_default().into(),
            attributes,
            dropped_attributes,
            context,
        }
    }

    /// Adds the event to the span it happened in.
    pub(super) fn add_to(self, span: &mut Span, metadata: &Metadata<'static>, time: SystemTime, most: usize) {
        if *metadata.level() == Level::ERROR {
            let cause = self.error.as_ref().or(self.message.as_ref()).cloned().unwrap_or_default();
            span.fail(cause.into());
        }
        let (mut attributes, mut dropped) = self.attributes();
        set(&mut attributes, &mut dropped, self.rules.most, "level", metadata.level().as_str().into());
        let name = match (self.message, self.error) {
            (Some(message), _) => message.into(),
            (None, Some(_)) => "exception".into(),
            (None, None) => metadata.name().into(),
        };
        span.add_event(Event { name, time, attributes, dropped_attributes: dropped }, most);
    }

    fn attributes(&self) -> (Attributes, u32) {
        let (mut attributes, mut dropped) = (self.attributes.clone(), self.dropped);
        if let Some(error) = &self.error {
            set(&mut attributes, &mut dropped, self.rules.most, EXCEPTION, error.clone().into());
        }
        (attributes, dropped)
    }
}

/// Sets an attribute, in place of an older value of its name.
fn set(attributes: &mut Attributes, dropped: &mut u32, most: usize, name: &'static str, value: Value) {
    match attributes.iter().position(|(known, _)| known == name) {
        Some(at) => attributes[at].1 = value,
        None if attributes.len() < most => attributes.push((name.into(), value)),
        None => *dropped += 1,
    }
}

fn kind(name: &str) -> SpanKind {
    match name.to_ascii_lowercase().as_str() {
        "client" => SpanKind::Client,
        "consumer" => SpanKind::Consumer,
        "producer" => SpanKind::Producer,
        "server" => SpanKind::Server,
        _ => SpanKind::Internal,
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::List(values) => format!("{values:?}"),
        Value::Str(value) => value.into_owned(),
    }
}

/// Implements [`Visit`] by [`Fields`].
macro_rules! visit {
    ($type:ty) => {
        impl Visit for $type {
            fn record_bool(&mut self, field: &Field, value: bool) {
                self.see(field.name(), || value.into());
            }

            fn record_f64(&mut self, field: &Field, value: f64) {
                self.see(field.name(), || value.into());
            }

            fn record_i64(&mut self, field: &Field, value: i64) {
                self.see(field.name(), || value.into());
            }

            fn record_u64(&mut self, field: &Field, value: u64) {
                // the wire has no unsigned number
                self.see(field.name(), || {
                    i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::I64)
                });
            }

            fn record_str(&mut self, field: &Field, value: &str) {
                self.see(field.name(), || value.to_owned().into());
            }

            fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
                let hidden = self.rules().redact.hides(field.name());
                self.fail(field.name(), if hidden { REDACTED.to_owned() } else { value.to_string() });
            }

            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.see(field.name(), || format!("{value:?}").into());
            }
        }
    };
}

visit!(SpanFields<'_>);
visit!(EventFields<'_>);
