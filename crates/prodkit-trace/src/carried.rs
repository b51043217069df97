//! The `tracestate` that belongs to the running trace.
//!
//! Apart from the context, since few requests bring one: those that do not must not pay for it.

use crate::{TraceContext, TraceId, TraceState, current};
use std::cell::RefCell;
use std::sync::Arc;

/// The trace is kept beside its list, so that work which enters another trace never sends this one's.
type Belonging = Option<(TraceId, Arc<TraceState>)>;

thread_local! {
    static STATE: RefCell<Belonging> = const { RefCell::new(None) };
}

/// The `tracestate` to send along with [`current()`]: the one its trace arrived with on this thread, if any.
///
/// W3C Trace Context has everyone who received one pass it on. It is set by
/// [`InTrace::with_state`](crate::InTrace::with_state) and [`TraceContext::enter_with`](crate::TraceContext::enter_with),
/// and followed by [`in_current_trace`](crate::FutureExt::in_current_trace) and by the spans of
/// [`Layer`](crate::Layer).
pub fn current_state() -> Option<Arc<TraceState>> {
    STATE
        .try_with(|state| match &*state.borrow() {
            Some((trace, state)) if current()?.trace_id() == *trace => Some(state.clone()),
            _ => None,
        })
        .ok()?
}

/// Restores the list that was there before when it is dropped.
#[derive(Debug)]
pub(crate) struct Carried {
    previous: Belonging,
}

impl Carried {
    /// Makes `state` the list that belongs to the trace of `context`; nothing without either.
    #[inline]
    pub(crate) fn enter(context: Option<TraceContext>, state: Option<&Arc<TraceState>>) -> Option<Self> {
        let (Some(context), Some(state)) = (context, state) else { return None };
        Some(Self { previous: swap(Some((context.trace_id(), state.clone()))) })
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

/// While the thread ends there is no list any more, and none is kept.
fn swap(state: Belonging) -> Belonging {
    STATE.try_with(|slot| slot.replace(state)).ok().flatten()
}
