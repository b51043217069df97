//! The context: three numbers.

use crate::carried::Carried;
use crate::{
    Companion, ParseError, Scope, SpanId, TraceFlags, TraceId, TraceState, Traceparent, scope, traceparent,
};
use std::sync::Arc;

/// Where work stands in a distributed trace: the trace, the span that is running, and the flags.
///
/// 32 bytes, copied freely; nothing is recorded by making one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl TraceContext {
    /// The context of this span of this trace.
    pub const fn new(trace: TraceId, span: SpanId, flags: TraceFlags) -> Self {
        Self { trace, span, flags }
    }

    /// The first span of a new trace, with random ids and therefore with [`TraceFlags::RANDOM`].
    pub fn root(sampled: bool) -> Self {
        Self::root_with(|_| sampled)
    }

    /// Like [`root`](Self::root), for a sampling decision that depends on the new trace id.
    pub fn root_with(sampled: impl FnOnce(TraceId) -> bool) -> Self {
        let trace = TraceId::random();
        Self::new(trace, SpanId::random(), TraceFlags::RANDOM.with_sampled(sampled(trace)))
    }

    /// A new span below this one: same trace, same flags, new random span id.
    #[must_use = "a child is a new context, the parent is unchanged"]
    pub fn child(&self) -> Self {
        Self { span: SpanId::random(), ..*self }
    }

    /// The trace.
    pub const fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// The span.
    pub const fn span_id(&self) -> SpanId {
        self.span
    }

    /// The flags.
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Whether this trace is recorded, as far as whoever decided it can tell.
    pub const fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    /// The same context with the sampled flag set or cleared.
    ///
    /// For a context nobody has seen yet: once its `traceparent` has been sent, the specification allows the flag to
    /// change only together with the span id, as in `context.child().with_sampled(true)`.
    #[must_use = "returns the changed context"]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self { flags: self.flags.with_sampled(sampled), ..self }
    }

    /// The value of the `traceparent` header that makes the receiver's span a child of this one.
    pub fn traceparent(&self) -> Traceparent {
        Traceparent::new(self)
    }

    /// Reads the value of a `traceparent` header (W3C Trace Context Level 2, section 3.2.2).
    ///
    /// What comes back is the *caller's* span; take its [`child`](Self::child) for the work that answers it. Version 00
    /// must be exact. A later version is read by its first 55 bytes, as the specification prescribes, if they end the
    /// value or a dash follows. Flags not defined by level 2 are dropped. Surrounding white space is not part of a
    /// header's value and is refused here; every HTTP parser removes it.
    ///
    /// # Errors
    ///
    /// Anything else, upper case digits, all-zero ids and version `ff` included. The specification then has the
    /// receiver start a new trace and ignore `tracestate`; the same holds where the header comes more than once.
    pub fn from_traceparent(value: &[u8]) -> Result<Self, ParseError> {
        traceparent::parse(value)
    }

    /// Makes this context [`current()`](crate::current) on this thread until the returned scope is dropped.
    ///
    /// For synchronous code. A scope must not be held across an `.await`: the thread would keep the context while it
    /// runs other tasks. Use [`FutureExt::in_trace`](crate::FutureExt::in_trace) there; since a scope is not `Send`,
    /// a runtime with several threads refuses such a future at compile time.
    #[inline]
    pub fn enter(self) -> Scope {
        scope::enter(Some(self))
    }

    /// Like [`enter`](Self::enter), with the `tracestate` the trace arrived with, which then is
    /// [`current_state()`](crate::current_state).
    pub fn enter_with(self, state: &Arc<TraceState>) -> Scope {
        let companion = Companion { state: Some(state.clone()), baggage: None };
        self.enter().with(Carried::enter(Some(self), Some(&companion)))
    }

    /// Like [`enter`](Self::enter), with all that travels with the trace; without anything it costs no more than that.
    #[inline]
    pub fn enter_along(self, companion: Option<&Companion>) -> Scope {
        match companion {
            None => self.enter(),
            companion => self.enter().with(Carried::enter(Some(self), companion)),
        }
    }
}
