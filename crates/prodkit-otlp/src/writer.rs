//! A finished span written straight to the wire, from values that need not be owned.

use crate::encode::nanos;
use crate::encode::traces;
use crate::redact::{REDACTED, Redact};
use crate::settings::Limits;
use crate::wire::{self, Any, bytes, fixed64, head, uint};
use crate::{SpanKind, Status};
use prodkit_trace::{SpanId, TraceContext};
use std::time::SystemTime;

/// The parts of a finished span, in any order, each at most once but for attributes. See
/// [`Spans::write`](crate::Spans::write).
#[derive(Debug)]
pub struct SpanWriter<'a> {
    out: &'a mut Vec<u8>,
    limits: &'a Limits,
    redact: &'a Redact,
    context: TraceContext,
    attributes: usize,
    is_remote: bool,
}

impl<'a> SpanWriter<'a> {
    pub(crate) fn new(
        out: &'a mut Vec<u8>,
        context: TraceContext,
        limits: &'a Limits,
        redact: &'a Redact,
    ) -> Self {
        traces::ids(out, context, [1, 2]);
        Self { out, limits, redact, context, attributes: 0, is_remote: false }
    }

    /// The name, in parts that are put together: `["GET", " ", "/orders/{id}"]`. Of low cardinality.
    pub fn name(&mut self, parts: &[&str]) {
        head(self.out, 5, parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
    }

    /// Its role. Without: unspecified.
    pub fn kind(&mut self, kind: SpanKind) {
        traces::kind(self.out, kind);
    }

    /// The span it ran under, perhaps in another process. Without: it is the first of its trace.
    pub fn parent(&mut self, parent: SpanId, is_remote: bool) {
        traces::parent(self.out, Some(parent));
        self.is_remote = is_remote;
    }

    /// The `tracestate` its trace came with.
    pub fn trace_state(&mut self, state: &str) {
        bytes(self.out, 3, state.as_bytes());
    }

    /// When it began and ended.
    pub fn times(&mut self, start: SystemTime, end: SystemTime) {
        fixed64(self.out, 7, nanos(start));
        fixed64(self.out, 8, nanos(end));
    }

    /// An attribute. Names should be unique.
    #[inline]
    pub fn str(&mut self, name: &str, value: &str) {
        self.attribute(name, Any::Str(value));
    }

    /// An attribute.
    #[inline]
    pub fn int(&mut self, name: &str, value: i64) {
        self.attribute(name, Any::I64(value));
    }

    /// An attribute.
    #[inline]
    pub fn bool(&mut self, name: &str, value: bool) {
        self.attribute(name, Any::Bool(value));
    }

    /// An attribute.
    #[inline]
    pub fn float(&mut self, name: &str, value: f64) {
        self.attribute(name, Any::F64(value));
    }

    /// How it ended. Without: unset.
    pub fn status(&mut self, status: &Status) {
        traces::status(self.out, status);
    }

    fn attribute(&mut self, name: &str, value: Any<'_>) {
        self.attributes += 1;
        if self.attributes <= self.limits.attributes {
            let value = if self.redact.hides(name) { Any::Str(REDACTED) } else { value };
            wire::key_value(self.out, 9, name, value, self.limits.value_length);
        }
    }

    pub(crate) fn finish(self) {
        uint(self.out, 10, self.attributes.saturating_sub(self.limits.attributes) as u64);
        traces::flags(self.out, 16, self.context, self.is_remote);
    }
}
