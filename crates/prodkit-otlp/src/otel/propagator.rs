//! The formats of this process, as the `opentelemetry` API asks for them.

use super::{trace_context, under};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;
use prodkit_trace::Propagators;
use std::sync::LazyLock;

/// A propagator for `opentelemetry::global::set_text_map_propagator`: libraries that inject and extract through it speak
/// what the process speaks.
///
/// Where no `opentelemetry` span is active, what is injected is [`prodkit_trace::current`]. `tracestate` and `baggage` are
/// those of the running trace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagator(Propagators);

impl Propagator {
    /// One that speaks these formats.
    #[must_use]
    pub fn new(propagators: Propagators) -> Self {
        Self(propagators)
    }
}

impl TextMapPropagator for Propagator {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let active = cx.has_active_span().then(|| trace_context(cx.span().span_context())).flatten();
        let companion = prodkit_trace::current_companion();
        let _scope = active.map(|active| active.enter_along(companion.as_ref()));
        self.0.inject(|name, value| injector.set(name, value.to_owned()));
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let arrival = self.0.extract(|name| extractor.get(name).map(str::as_bytes));
        arrival.context.map_or_else(|| cx.clone(), |caller| under(cx, caller))
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<Vec<String>> =
            LazyLock::new(|| ["traceparent", "tracestate", "baggage"].map(str::to_owned).into());
        FieldIter::new(&FIELDS)
    }
}
