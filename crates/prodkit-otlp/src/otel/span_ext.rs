//! What a `tracing` span cannot be told by its fields.

use super::{attributes, trace_context, under, value};
use crate::layer::{Layer, Open};
use crate::{Event, Link, Status};
use opentelemetry::trace::{SpanContext, Status as OtelStatus};
use opentelemetry::{Context, Key, KeyValue, Value};
use prodkit_trace::SpanIds;
use std::borrow::Cow;
use std::time::SystemTime;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan as _, SpanRef};

/// The `opentelemetry` side of a [`tracing::Span`], with the methods of the trait of this name in `tracing-opentelemetry`
/// (which works with that crate's own layer, and not with this one's): code moves over by changing its `use`.
///
/// What is set on a span that is not recorded goes nowhere. To continue a trace that came in some other way than by a
/// request, enter its context and open the span in it: [`prodkit_trace::TraceContext::enter`].
///
/// ```
/// use prodkit_otlp::otel::OpenTelemetrySpanExt as _;
///
/// let span = tracing::info_span!("charge");
/// span.set_attribute("payment.provider", "acme");
/// span.add_event("retried", vec![opentelemetry::KeyValue::new("attempt", 2)]);
/// ```
pub trait OpenTelemetrySpanExt {
    /// A context in which this span is active, sampled or not: the parent of what is started in it.
    fn context(&self) -> Context;

    /// Sets an attribute, whether `tracing` knows such a field or not.
    fn set_attribute(&self, key: impl Into<Key>, value: impl Into<Value>);

    /// Sets how it ended. `Ok` is final.
    fn set_status(&self, status: OtelStatus);

    /// Adds an event that happened now.
    fn add_event(&self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>);

    /// Relates it to another span.
    fn add_link(&self, other: SpanContext) {
        self.add_link_with_attributes(other, Vec::new());
    }

    /// Relates it to another span, and says how.
    fn add_link_with_attributes(&self, other: SpanContext, attributes: Vec<KeyValue>);
}

impl OpenTelemetrySpanExt for tracing::Span {
    fn context(&self) -> Context {
        let cx = Context::current();
        let ids = with(self, |span, _| span.extensions().get::<SpanIds>().copied()).flatten();
        ids.map_or(cx.clone(), |ids| under(&cx, ids.context()))
    }

    fn set_attribute(&self, key: impl Into<Key>, value: impl Into<Value>) {
        let (key, value) = (String::from(key.into()), self::value(value.into()));
        change(self, |open, layer| {
            let span = &mut open.span;
            match span.attributes.iter().position(|(known, _)| *known == key) {
                Some(at) => span.attributes[at].1 = value,
                None if span.attributes.len() < layer.limits.attributes => {
                    span.attributes.push((key.into(), value));
                }
                None => span.dropped_attributes += 1,
            }
        });
    }

    fn set_status(&self, status: OtelStatus) {
        change(self, |open, _| match (&open.span.status, status) {
            (Status::Ok, _) | (_, OtelStatus::Unset) => {}
            (_, OtelStatus::Ok) => open.span.status = Status::Ok,
            (_, OtelStatus::Error { description }) => open.span.status = Status::Error(description),
        });
    }

    fn add_event(&self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        let mut event = Event::new(name, SystemTime::now());
        event.attributes = self::attributes(attributes);
        change(self, |open, layer| open.span.add_event(event, layer.limits.events));
    }

    fn add_link_with_attributes(&self, other: SpanContext, attributes: Vec<KeyValue>) {
        let Some(context) = trace_context(&other) else { return };
        let link = Link { attributes: self::attributes(attributes), ..context.into() };
        change(self, |open, layer| open.span.add_link(link, layer.limits.links));
    }
}

/// Reads the span where it is kept, if it is followed by a layer of ours.
fn with<R>(span: &tracing::Span, read: impl FnOnce(&SpanRef<'_, Registry>, &Layer) -> R) -> Option<R> {
    let mut read = Some(read);
    span.with_subscriber(|(id, dispatch)| {
        let layer = dispatch.downcast_ref::<Layer>()?;
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        read.take().map(|read| read(&span, layer))
    })
    .flatten()
}

/// Changes a span that is recorded.
fn change(span: &tracing::Span, change: impl FnOnce(&mut Open, &Layer)) {
    with(span, |span, layer| {
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            change(open, layer);
        }
    });
}
