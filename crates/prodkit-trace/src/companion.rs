//! What a trace has with it besides its ids.

use crate::{Baggage, TraceState};
use std::sync::Arc;

/// What travels with a trace besides its ids: `tracestate`, which other tracing systems wrote, and `baggage`, which the
/// services themselves did. Cheap to clone.
///
/// It belongs to the trace it was entered with: work that begins another trace does not take it along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Companion {
    pub(crate) state: Option<Arc<TraceState>>,
    pub(crate) baggage: Option<Arc<Baggage>>,
}

impl Companion {
    /// Both; `None` where both are empty.
    pub fn new(state: TraceState, baggage: Baggage) -> Option<Self> {
        let state = (!state.is_empty()).then(|| Arc::new(state));
        let baggage = (!baggage.is_empty()).then(|| Arc::new(baggage));
        (state.is_some() || baggage.is_some()).then_some(Self { state, baggage })
    }

    /// The `tracestate`, unless it is empty.
    pub fn state(&self) -> Option<&TraceState> {
        self.state.as_deref()
    }

    /// The `baggage`, unless it is empty.
    pub fn baggage(&self) -> Option<&Baggage> {
        self.baggage.as_deref()
    }
}
