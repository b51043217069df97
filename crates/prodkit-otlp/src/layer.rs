//! From `tracing` to OTLP: spans of user code, and events as log records.

mod fields;

use crate::encode::traces::Finished;
use crate::queue::Queue;
use crate::redact::Redact;
use crate::{Event, Limits, Link, LogRecord, Span, Status, otel};
use fields::{EventFields, Rules, SpanFields};
use opentelemetry::ContextGuard;
use opentelemetry::trace::TraceContextExt as _;
use prodkit_trace::{SpanIds, current};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tracing_core::Subscriber;
use tracing_core::span::{Attributes as NewSpan, Id, Record as Values};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Exports sampled `tracing` spans and, when logs are on, events. See [`Otlp::layer`](crate::Otlp::layer).
///
/// A span is exported when it ends, if [`prodkit_trace::Layer`] below this one gave it a sampled context. Its fields
/// become attributes; `otel.name`, `otel.kind` (`server`, `client`, …), `otel.status_code` (`ok`, `error`) and
/// `otel.status_message` set what they name. Events inside it become its events, and one at `ERROR` sets its status. An
/// `error` field is exported as `exception.message`. How much of all that is kept is up to [`Limits`].
///
/// A log record carries the ids of the span it was written in, or of [`prodkit_trace::current`], sampled or not. The
/// record's scope is the event's target.
///
/// What is under certain names can be kept out of all that: [`Otlp::redact`](crate::Otlp::redact).
///
/// Where telemetry is suppressed ([`opentelemetry::Context::enter_telemetry_suppressed_scope`]), as on the exporter's own
/// threads, nothing is taken: the exporter does not export itself.
pub struct Layer {
    spans: Option<Arc<Queue<Finished>>>,
    logs: Option<Arc<Queue<LogRecord>>>,
    pub(crate) limits: Limits,
    redact: Redact,
}

/// A span that has not ended, in the registry's extensions.
pub(crate) struct Open {
    pub(crate) span: Span,
    /// The wall clock may step; durations are taken from this one.
    since: Instant,
}

impl Layer {
    pub(crate) fn new(
        spans: Option<Arc<Queue<Finished>>>,
        logs: Option<Arc<Queue<LogRecord>>>,
        limits: Limits,
        redact: Redact,
    ) -> Self {
        Self { spans, logs, limits, redact }
    }

    fn rules(&self, most: usize) -> Rules<'_> {
        Rules { most, redact: &self.redact }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spans, logs, .. } = self;
        f.debug_struct("Layer")
            .field("spans", &spans.is_some())
            .field("logs", &logs.is_some())
            .finish_non_exhaustive()
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &NewSpan<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = self.spans.as_ref().and_then(|_| cx.span(id)) else { return };
        let ids = span.extensions().get::<SpanIds>().copied();
        let Some(ids) = ids.filter(|ids| ids.context().is_sampled()) else { return };
        if suppressed() {
            return;
        }
        let mut open = Span::new(ids.context(), attributes.metadata().name(), SystemTime::now());
        // opened while a span of the `opentelemetry` API is active, it is below that one
        let active = attributes.is_contextual().then(|| otel::active(ids.context().trace_id())).flatten();
        open.parent = active.or(ids.parent());
        attributes.record(&mut SpanFields { span: &mut open, rules: self.rules(self.limits.attributes) });
        span.extensions_mut().replace(Open { span: open, since: Instant::now() });
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, cx: Context<'_, S>) {
        with_open(cx.span(id), |open| {
            values
                .record(&mut SpanFields { span: &mut open.span, rules: self.rules(self.limits.attributes) });
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, cx: Context<'_, S>) {
        let context = cx.span(follows).and_then(|span| Some(span.extensions().get::<SpanIds>()?.context()));
        let Some(context) = context else { return };
        with_open(cx.span(id), |open| {
            open.span.add_link(context.into(), self.limits.links);
        });
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        // only where both APIs are in use at once: then what the other one opens in here is below this span
        if !opentelemetry::Context::map_current(|context| context.has_active_span()) {
            return;
        }
        let open = cx.span(id).and_then(|span| span.extensions().get::<Open>().map(|open| open.span.context));
        if let Some(context) = open {
            let guard = otel::context(context).attach();
            let _ = ATTACHED.try_with(|attached| attached.borrow_mut().push((id.into_u64(), guard)));
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let _ = ATTACHED.try_with(|attached| {
            let mut attached = attached.borrow_mut();
            if let Some(at) = attached.iter().rposition(|(entered, _)| *entered == id.into_u64()) {
                attached.remove(at);
            }
        });
    }

    fn on_event(&self, event: &tracing_core::Event<'_>, cx: Context<'_, S>) {
        let span = cx.event_span(event);
        let sampled = span.as_ref().is_some_and(|span| span.extensions().get::<Open>().is_some());
        if (self.logs.is_none() && !sampled) || suppressed() {
            return;
        }
        let time = SystemTime::now();
        let most = self.limits.event_attributes.max(if self.logs.is_some() {
            self.limits.log_attributes
        } else {
            0
        });
        let mut fields = EventFields::new(self.rules(most));
        event.record(&mut fields);
        if let Some(logs) = &self.logs {
            let ids = span.as_ref().and_then(|span| Some(span.extensions().get::<SpanIds>()?.context()));
            logs.push(fields.record(event.metadata(), time, ids.or_else(current)));
        }
        with_open(span.filter(|_| sampled), |open| {
            fields.add_to(&mut open.span, event.metadata(), time, self.limits.events);
        });
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(spans) = &self.spans else { return };
        let open = cx.span(&id).and_then(|span| span.extensions_mut().remove::<Open>());
        if let Some(Open { mut span, since }) = open {
            span.end = span.start + since.elapsed();
            spans.push(Finished::Whole(Box::new(span)));
        }
    }
}

thread_local! {
    /// The spans of this thread that are active in `opentelemetry`'s context.
    static ATTACHED: RefCell<Vec<(u64, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

fn with_open<'a, S: LookupSpan<'a>>(span: Option<SpanRef<'a, S>>, change: impl FnOnce(&mut Open)) {
    if let Some(span) = span
        && let Some(open) = span.extensions_mut().get_mut::<Open>()
    {
        change(open);
    }
}

fn suppressed() -> bool {
    opentelemetry::Context::is_current_telemetry_suppressed()
}

impl Span {
    pub(crate) fn add_link(&mut self, link: Link, most: usize) {
        if self.links.len() < most {
            self.links.push(link);
        } else {
            self.dropped_links += 1;
        }
    }

    pub(crate) fn add_event(&mut self, event: Event, most: usize) {
        if self.events.len() < most {
            self.events.push(event);
        } else {
            self.dropped_events += 1;
        }
    }

    fn fail(&mut self, description: Cow<'static, str>) {
        // the first failure is the cause; what somebody set as `Ok` stays
        if self.status == Status::Unset {
            self.status = Status::Error(description);
        }
    }
}

#[cfg(test)]
mod tests;
