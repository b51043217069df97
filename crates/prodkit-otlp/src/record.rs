//! The way in for log records.

use crate::queue::{Queue, Weigh};
use crate::redact::Redact;
use crate::span::Attributes;
use crate::spans;
use prodkit_trace::TraceContext;
use std::borrow::Cow;
use std::fmt;
use std::mem::size_of;
use std::sync::Arc;
use std::time::SystemTime;
use tracing_core::Level;

/// One line of a log, as this crate takes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it was written.
    pub time: SystemTime,
    /// How bad it is.
    pub level: Level,
    /// The instrumentation scope: the code that logged.
    pub target: Cow<'static, str>,
    /// What it says.
    pub body: Cow<'static, str>,
    /// What is known about it. Names should be unique.
    pub attributes: Attributes,
    /// How many attributes were left out.
    pub dropped_attributes: u32,
    /// The span it was written in, sampled or not.
    pub context: Option<TraceContext>,
}

impl LogRecord {
    /// A record of now, outside of any trace; the fields are for the caller to fill.
    #[must_use]
    pub fn new(
        level: Level,
        target: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            time: SystemTime::now(),
            level,
            target: target.into(),
            body: body.into(),
            attributes: Vec::new(),
            dropped_attributes: 0,
            context: None,
        }
    }
}

/// Where log records go that are no events of `tracing`: those are taken by the [`Layer`](crate::Layer). Clones share one
/// queue.
///
/// ```
/// # use prodkit_otlp::{LogRecord, Logs}; use tracing_core::Level;
/// fn answered(logs: &Logs, status: u16) {
///     // nobody wants it: do not even build it
///     if logs.is_on() {
///         let mut record = LogRecord::new(Level::INFO, "http", "request");
///         record.context = prodkit_trace::current();
///         record.attributes.push(("status".into(), i64::from(status).into()));
///         logs.push(record);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Logs {
    queue: Option<Arc<Queue<LogRecord>>>,
    redact: Redact,
}

impl Logs {
    pub(crate) fn new(queue: Option<Arc<Queue<LogRecord>>>, redact: Redact) -> Self {
        Self { queue, redact }
    }

    /// Hands a record over. Never waits: without room it is dropped and counted. Nothing happens where logs are not
    /// exported, or telemetry is suppressed
    /// ([`opentelemetry::Context::enter_telemetry_suppressed_scope`]).
    pub fn push(&self, mut record: LogRecord) {
        if let Some(queue) = &self.queue
            && !opentelemetry::Context::is_current_telemetry_suppressed()
        {
            self.redact.clean(&mut record.attributes);
            queue.push(record);
        }
    }

    /// Whether logs are exported at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("tally", &self.queue.as_ref().map(|queue| queue.tally())).finish()
    }
}

impl Weigh for LogRecord {
    fn weigh(&self) -> usize {
        size_of::<Self>() + self.target.len() + self.body.len() + spans::attributes(&self.attributes)
    }
}
