//! What `Live` promises, seen from outside.

#![cfg(not(loom))]
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod changes;
mod commit;
mod derive;
mod model;
mod overlap;
mod read;
#[cfg(feature = "serde")]
mod registry;
mod stress;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The outcome of a future that has nothing to wait for.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("had to wait"),
    }
}

/// One look at a future.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
