//! The bridge to the `opentelemetry` API, for libraries that are instrumented with it.
//!
//! **Unstable**: the types here are those of the OpenTelemetry crates, whose every minor release breaks. Everything else
//! in this crate keeps them out of its API.
//!
//! ```
//! use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
//! use prodkit_otlp::{Resource, Settings, otel, start};
//! use prodkit_trace::TraceContext;
//!
//! # fn main() -> Result<(), prodkit_otlp::Error> {
//! let otlp = start(Settings::default(), Resource::new("orders"), None)?;
//! let tracer = otlp.tracer_provider().tracer("some-library");
//!
//! // a request that is being traced here becomes the parent of what the library does
//! let request = TraceContext::root(true);
//! let _attached = otel::context(request).attach();
//! tracer.in_span("library work", |cx| {
//!     assert_eq!(cx.span().span_context().trace_id().to_bytes(), request.trace_id().to_u128().to_be_bytes());
//! });
//! # Ok(()) }
//! ```

mod propagator;
mod span_ext;

pub use propagator::Propagator;
pub use span_ext::OpenTelemetrySpanExt;

use crate::span::{Attributes, Value};
use crate::{Event, Limits, Sampler, Span, SpanKind, Spans, Status};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanKind as OtelKind, Status as OtelStatus, TraceContextExt as _,
    TraceFlags as OtelFlags, TraceState,
};
use opentelemetry::{Array, Context, KeyValue, Value as OtelValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span as SdkSpan, SpanData,
    SpanProcessor,
};
use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};
use std::borrow::Cow;
use std::time::Duration;

/// The current `opentelemetry` context, with a span of ours as the parent of what is traced in it.
#[must_use]
pub fn context(parent: TraceContext) -> Context {
    under(&Context::current(), parent)
}

pub(crate) fn under(context: &Context, parent: TraceContext) -> Context {
    let parent = SpanContext::new(
        opentelemetry::TraceId::from_bytes(parent.trace_id().to_u128().to_be_bytes()),
        opentelemetry::SpanId::from_bytes(parent.span_id().to_u64().to_be_bytes()),
        OtelFlags::new(parent.flags().to_u8()),
        false,
        TraceState::NONE,
    );
    context.with_remote_span_context(parent)
}

/// The span that is active in `opentelemetry`'s own context on this thread, if it is of this trace: what is opened there
/// is below it.
pub(crate) fn active(trace: TraceId) -> Option<SpanId> {
    Context::map_current(|context| {
        if !context.has_active_span() {
            return None;
        }
        let active = trace_context(context.span().span_context())?;
        (active.trace_id() == trace).then(|| active.span_id())
    })
}

/// A provider whose spans take the same way as all others: one queue, one sampler, one account.
pub(crate) fn tracer_provider(spans: Spans, sampler: Sampler, limits: &Limits) -> TracerProvider {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let sdk = SdkTracerProvider::builder()
        .with_span_processor(Hand(spans))
        .with_sampler(Decide(sampler))
        .with_max_attributes_per_span(count(limits.attributes))
        .with_max_events_per_span(count(limits.events))
        .with_max_attributes_per_event(count(limits.event_attributes))
        .with_max_links_per_span(count(limits.links))
        .with_max_attributes_per_link(count(limits.link_attributes));
    TracerProvider { sdk: sdk.build() }
}

/// The provider of [`Otlp::tracer_provider`](crate::Otlp::tracer_provider).
///
/// A span that is started while no other `opentelemetry` span is active is a child of [`prodkit_trace::current`]: of the
/// request being served, or of the `tracing` span that is entered.
#[derive(Clone, Debug)]
pub struct TracerProvider {
    sdk: SdkTracerProvider,
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    fn tracer_with_scope(&self, scope: opentelemetry::InstrumentationScope) -> Tracer {
        Tracer { sdk: self.sdk.tracer_with_scope(scope) }
    }
}

/// A tracer of [`TracerProvider`].
#[derive(Clone, Debug)]
pub struct Tracer {
    sdk: opentelemetry_sdk::trace::SdkTracer,
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = SdkSpan;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> SdkSpan {
        if !parent.has_active_span()
            && let Some(current) = prodkit_trace::current()
        {
            return self.sdk.build_with_context(builder, &under(parent, current));
        }
        self.sdk.build_with_context(builder, parent)
    }
}

/// Hands finished spans over. There is nothing to flush: the queue is flushed by its owner.
#[derive(Debug)]
struct Hand(Spans);

impl SpanProcessor for Hand {
    fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled()
            && let Some(span) = self::span(span)
        {
            self.0.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Our sampler, asked by the SDK.
#[derive(Clone, Debug)]
struct Decide(Sampler);

impl ShouldSample for Decide {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: opentelemetry::TraceId,
        _: &str,
        _: &OtelKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent.filter(|cx| cx.has_active_span()).map(|cx| cx.span().span_context().clone());
        let parent = parent.filter(SpanContext::is_valid);
        let flag = parent.as_ref().map(SpanContext::is_sampled);
        let sampled = trace_id(trace).is_some_and(|trace| self.0.sample(trace, flag));
        SamplingResult {
            decision: if sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: parent.map(|parent| parent.trace_state().clone()).unwrap_or_default(),
        }
    }
}

/// A finished span of the SDK as one of ours; `None` if its ids are not valid.
#[must_use]
pub fn span(data: SpanData) -> Option<Span> {
    let mut span = Span::new(trace_context(&data.span_context)?, data.name, data.start_time);
    span.trace_state = data.span_context.trace_state().header();
    span.parent = SpanId::from_u64(u64::from_be_bytes(data.parent_span_id.to_bytes()));
    span.parent_is_remote = data.parent_span_is_remote;
    span.scope = data.instrumentation_scope.name().to_owned().into();
    span.kind = match data.span_kind {
        OtelKind::Client => SpanKind::Client,
        OtelKind::Consumer => SpanKind::Consumer,
        OtelKind::Internal => SpanKind::Internal,
        OtelKind::Producer => SpanKind::Producer,
        OtelKind::Server => SpanKind::Server,
    };
    span.end = data.end_time;
    span.attributes = attributes(data.attributes);
    span.dropped_attributes = data.dropped_attributes_count;
    span.dropped_events = data.events.dropped_count;
    span.events = (data.events.events.into_iter())
        .map(|event| Event {
            name: event.name,
            time: event.timestamp,
            attributes: attributes(event.attributes),
            dropped_attributes: event.dropped_attributes_count,
        })
        .collect();
    span.dropped_links = data.links.dropped_count;
    span.links = (data.links.links.into_iter())
        .filter_map(|link| {
            let context = trace_context(&link.span_context)?;
            let (attributes, dropped_attributes) =
                (attributes(link.attributes), link.dropped_attributes_count);
            Some(crate::Link { context, attributes, dropped_attributes })
        })
        .collect();
    span.status = match data.status {
        OtelStatus::Unset => Status::Unset,
        OtelStatus::Ok => Status::Ok,
        OtelStatus::Error { description } => Status::Error(description),
    };
    Some(span)
}

pub(crate) fn trace_context(context: &SpanContext) -> Option<TraceContext> {
    let span = SpanId::from_u64(u64::from_be_bytes(context.span_id().to_bytes()))?;
    let flags = TraceFlags::from_u8(context.trace_flags().to_u8());
    Some(TraceContext::new(trace_id(context.trace_id())?, span, flags))
}

fn trace_id(id: opentelemetry::TraceId) -> Option<TraceId> {
    TraceId::from_u128(u128::from_be_bytes(id.to_bytes()))
}

pub(crate) fn attributes(attributes: Vec<KeyValue>) -> Attributes {
    attributes
        .into_iter()
        .map(|KeyValue { key, value, .. }| (Cow::Owned(key.into()), self::value(value)))
        .collect()
}

pub(crate) fn value(value: OtelValue) -> Value {
    match value {
        OtelValue::Bool(value) => value.into(),
        OtelValue::I64(value) => value.into(),
        OtelValue::F64(value) => value.into(),
        OtelValue::String(value) => String::from(value).into(),
        OtelValue::Array(Array::Bool(values)) => Value::List(values.into_iter().map(Into::into).collect()),
        OtelValue::Array(Array::I64(values)) => Value::List(values.into_iter().map(Into::into).collect()),
        OtelValue::Array(Array::F64(values)) => Value::List(values.into_iter().map(Into::into).collect()),
        OtelValue::Array(Array::String(values)) => {
            Value::List(values.into_iter().map(|text| String::from(text).into()).collect())
        }
        // kinds that do not exist yet
        other => other.to_string().into(),
    }
}
