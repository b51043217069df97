//! Micro benches of prodkit; run them with `cargo bench -p prodkit-benches`.
#![expect(clippy::expect_used, reason = "a bench has nobody to hand errors to")]

use std::fs::{File, OpenOptions};

/// Where lines go that nobody reads.
///
/// # Panics
///
/// When there is no `/dev/null`.
pub fn null() -> File {
    OpenOptions::new().write(true).open("/dev/null").expect("a null device")
}

/// One event with six fields.
#[inline]
pub fn event(n: u64) {
    tracing::info!(
        method = "GET",
        route = "/api/orders/{id}",
        path = "/api/orders/123456",
        status = 200_u64,
        latency_us = n,
        user = "u-12345",
        "request completed"
    );
}

/// The same, with the ids of its trace, which are given by hand where the layer does not know them.
#[inline]
pub fn event_with_ids(n: u64) {
    tracing::info!(
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        span_id = "00f067aa0ba902b7",
        method = "GET",
        route = "/api/orders/{id}",
        path = "/api/orders/123456",
        status = 200_u64,
        latency_us = n,
        user = "u-12345",
        "request completed"
    );
}
