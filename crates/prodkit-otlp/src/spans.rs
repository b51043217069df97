//! The way in for finished spans.

use crate::queue::{Queue, Weigh};
use crate::span::Attributes;
use crate::{Span, Status};
use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

/// Where finished spans go to be exported. Clones share one queue.
///
/// ```
/// # use prodkit_otlp::{Span, Spans}; use prodkit_trace::TraceContext; use std::time::SystemTime;
/// fn finished(spans: &Spans, context: TraceContext, start: SystemTime) {
///     // unsampled: do not even build it
///     if context.is_sampled() && spans.is_on() {
///         let mut span = Span::new(context, "work", start);
///         span.end = SystemTime::now();
///         spans.push(span);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Spans {
    queue: Option<Arc<Queue<Span>>>,
}

impl Spans {
    pub(crate) fn new(queue: Option<Arc<Queue<Span>>>) -> Self {
        Self { queue }
    }

    /// Hands a span over, whatever its sampled flag. Never waits: without room it is dropped and counted. Nothing
    /// happens where traces are not exported.
    pub fn push(&self, span: Span) {
        if let Some(queue) = &self.queue {
            queue.push(span);
        }
    }

    /// Whether spans are exported at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("tally", &self.queue.as_ref().map(|queue| queue.tally())).finish()
    }
}

impl Weigh for Span {
    fn weigh(&self) -> usize {
        let text = self.name.len() + self.trace_state.len() + self.links.len() * 64;
        let events: usize =
            self.events.iter().map(|event| 96 + event.name.len() + attributes(&event.attributes)).sum();
        let status = if let Status::Error(description) = &self.status { description.len() } else { 0 };
        size_of::<Self>() + text + attributes(&self.attributes) + events + status
    }
}

/// The memory of attributes, roughly.
pub(crate) fn attributes(attributes: &Attributes) -> usize {
    let values: usize = attributes.iter().map(|(name, value)| name.len() + value.weigh()).sum();
    values + size_of_val(attributes.as_slice())
}
