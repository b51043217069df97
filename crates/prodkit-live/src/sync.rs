//! The standard library's primitives, or loom's in the model tests.
//!
//! Everything of this crate that two threads touch at once is built from what is named here, and from [`Slot`]
//! (`slot.rs`), so that `--cfg loom` explores the code that ships.
//!
//! [`Slot`]: crate::slot::Slot

use std::sync::PoisonError;

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicU64};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU64};

/// Locks, whatever happened before.
///
/// No code of the user's runs under a lock of this crate, and each critical section leaves its data whole at every
/// step, so a poisoned mutex has nothing to warn about.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
