//! The `tracestate` and the `baggage` that belong to the running trace.
//!
//! Apart from the context, since few requests bring one: those that do not must not pay for it.

use crate::{Baggage, Companion, TraceContext, TraceId, TraceState, current};
use std::cell::RefCell;
use std::sync::Arc;

/// The trace is kept beside them, so that work which enters another trace never sends this one's.
type Belonging = Option<(TraceId, Companion)>;

thread_local! {
    static COMPANION: RefCell<Belonging> = const { RefCell::new(None) };
}

/// The `tracestate` to send along with [`current()`]: the one its trace arrived with on this thread, if any.
///
/// W3C Trace Context has everyone who received one pass it on. It is set by
/// [`InTrace::with_state`](crate::InTrace::with_state) and [`TraceContext::enter_with`](crate::TraceContext::enter_with),
/// and followed by [`in_current_trace`](crate::FutureExt::in_current_trace) and by the spans of
/// [`Layer`](crate::Layer).
pub fn current_state() -> Option<Arc<TraceState>> {
    with(|companion| companion.state.clone()).flatten()
}

/// The `baggage` of the running trace, if it has any. It goes the same ways as [`current_state()`].
pub fn current_baggage() -> Option<Arc<Baggage>> {
    with(|companion| companion.baggage.clone()).flatten()
}

/// Both together.
pub fn current_companion() -> Option<Companion> {
    with(Companion::clone)
}

fn with<R>(read: impl FnOnce(&Companion) -> R) -> Option<R> {
    COMPANION
        .try_with(|belonging| match &*belonging.borrow() {
            Some((trace, companion)) if current()?.trace_id() == *trace => Some(read(companion)),
            _ => None,
        })
        .ok()?
}

/// Restores what was there before when it is dropped.
#[derive(Debug)]
pub(crate) struct Carried {
    previous: Belonging,
}

impl Carried {
    /// Makes `companion` what belongs to the trace of `context`; nothing without either.
    #[inline]
    pub(crate) fn enter(context: Option<TraceContext>, companion: Option<&Companion>) -> Option<Self> {
        let (Some(context), Some(companion)) = (context, companion) else { return None };
        Some(Self { previous: swap(Some((context.trace_id(), companion.clone()))) })
    }

    /// Ends this one without ending `newer`, which then restores what this one would have restored.
    pub(crate) fn end_below(mut self, newer: &mut Self) {
        newer.previous = self.previous.take();
        self.abandon();
    }

    /// Ends this one without restoring anything.
    pub(crate) fn abandon(mut self) {
        self.previous = None;
        std::mem::forget(self);
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        swap(self.previous.take());
    }
}

/// While the thread ends there is none any more, and none is kept.
fn swap(belonging: Belonging) -> Belonging {
    COMPANION.try_with(|slot| slot.replace(belonging)).ok().flatten()
}
