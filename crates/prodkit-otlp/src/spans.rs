//! The way in for finished spans.

use crate::encode::traces::{Encoded, Finished};
use crate::queue::{Queue, Weigh};
use crate::redact::Redact;
use crate::settings::Limits;
use crate::span::Attributes;
use crate::{Span, SpanWriter, Status};
use prodkit_trace::TraceContext;
use std::cell::RefCell;
use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

/// Where finished spans go to be exported. Clones share one queue.
///
/// ```
/// # use prodkit_otlp::{SpanKind, Spans}; use prodkit_trace::TraceContext; use std::time::SystemTime;
/// fn finished(spans: &Spans, context: TraceContext, start: SystemTime) {
///     // unsampled: do not even build it
///     if context.is_sampled() && spans.is_on() {
///         spans.write(context, |span| {
///             span.name(&["GET ", "/orders/{id}"]);
///             span.kind(SpanKind::Server);
///             span.times(start, SystemTime::now());
///             span.int("http.response.status_code", 200);
///         });
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Spans {
    queue: Option<Arc<Queue<Finished>>>,
    limits: Limits,
    redact: Redact,
}

thread_local! {
    /// What spans are written into before their length is known.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a thread keeps for the next span; one that took more was an exception.
const SCRATCH_KEPT: usize = 16 << 10;

impl Spans {
    pub(crate) fn new(queue: Option<Arc<Queue<Finished>>>, limits: Limits, redact: Redact) -> Self {
        Self { queue, limits, redact }
    }

    /// Hands a span over, whatever its sampled flag. Never waits: without room it is dropped and counted. Nothing
    /// happens where traces are not exported.
    pub fn push(&self, mut span: Span) {
        if let Some(queue) = &self.queue {
            self.redact.clean(&mut span.attributes);
            span.events.iter_mut().for_each(|event| self.redact.clean(&mut event.attributes));
            span.links.iter_mut().for_each(|link| self.redact.clean(&mut link.attributes));
            queue.push(Finished::Whole(Box::new(span)));
        }
    }

    /// Hands over a span of the scope `prodkit` that is written here and now, from borrowed values: one allocation for
    /// all of it. For paths that are taken often. Otherwise as [`push`](Self::push).
    pub fn write(&self, context: TraceContext, write: impl FnOnce(&mut SpanWriter<'_>)) {
        self.encode(context, false, write);
    }

    /// As [`write`](Self::write), for a span that is worth keeping though its trace is not sampled. Such spans may fill a
    /// quarter of the queue, so that a storm of them leaves room for what was sampled.
    pub fn write_extra(&self, context: TraceContext, write: impl FnOnce(&mut SpanWriter<'_>)) {
        self.encode(context, true, write);
    }

    fn encode(&self, context: TraceContext, is_extra: bool, write: impl FnOnce(&mut SpanWriter<'_>)) {
        let Some(queue) = &self.queue else { return };
        // taken, so that a span that is written while another is finds its own; the thread may be ending
        let mut scratch = SCRATCH.try_with(RefCell::take).unwrap_or_default();
        let mut writer = SpanWriter::new(&mut scratch, context, &self.limits, &self.redact);
        write(&mut writer);
        writer.finish();
        queue.push(Finished::Encoded(Encoded { message: scratch.as_slice().into(), is_extra }));
        scratch.clear();
        scratch.shrink_to(SCRATCH_KEPT);
        let _ = SCRATCH.try_with(|slot| slot.replace(scratch));
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

impl Weigh for Finished {
    fn weigh(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Encoded(Encoded { message, .. }) => message.len(),
                Self::Whole(span) => weigh(span),
            }
    }

    fn is_extra(&self) -> bool {
        matches!(self, Self::Encoded(Encoded { is_extra: true, .. }))
    }
}

fn weigh(span: &Span) -> usize {
    let text = span.name.len() + span.trace_state.len();
    let links: usize = span.links.iter().map(|link| 64 + attributes(&link.attributes)).sum();
    let events: usize =
        span.events.iter().map(|event| 96 + event.name.len() + attributes(&event.attributes)).sum();
    let status = if let Status::Error(description) = &span.status { description.len() } else { 0 };
    size_of::<Span>() + text + links + attributes(&span.attributes) + events + status
}

/// The memory of attributes, roughly.
pub(crate) fn attributes(attributes: &Attributes) -> usize {
    let values: usize = attributes.iter().map(|(name, value)| name.len() + value.weigh()).sum();
    values + size_of_val(attributes.as_slice())
}
