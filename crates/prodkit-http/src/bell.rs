//! Waking one task.

use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Wakes the one task that listens. It goes on listening after a ring.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    /// From now on `waker` is woken. Whoever waits for a condition listens first and looks after.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    pub(crate) fn ring(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // a waker is foreign code: never under the lock
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
