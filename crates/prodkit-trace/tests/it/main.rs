//! What the crate promises, through its public face.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod allocations;
mod future;
mod ids;
mod layer;
mod propagation;
mod scope;
mod traceparent;
mod tracestate;

use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};

/// A context that is told apart by its number, in a trace of the same number.
fn context(number: u64) -> TraceContext {
    TraceContext::new(
        TraceId::from_u128(number.into()).expect("not zero"),
        SpanId::from_u64(number).expect("not zero"),
        TraceFlags::NONE,
    )
}
