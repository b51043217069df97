//! Waiting for a value to change.

use crate::{live::Live, version::Waiter};
use std::{fmt, sync::Arc};

/// The values a [`Live`] takes from now on. Made by [`Live::changes`].
///
/// Make it **before** looking at the value to start from, and no change is missed in between:
///
/// ```
/// # use prodkit_live::Live;
/// # async fn follow(level: Live<u32>) {
/// let mut changes = level.changes();
/// let mut current = level.load();
/// loop {
///     println!("level {current}");
///     current = changes.changed().await;      // beside your stop signal, in a `select!`
/// }
/// # }
/// ```
pub struct Changes<T> {
    live: Live<T>,
    waiter: Waiter,
}

impl<T: Send + Sync + 'static> Changes<T> {
    pub(crate) fn new(live: Live<T>) -> Self {
        let waiter = Waiter::new(Arc::clone(live.cell.version()));
        Self { live, waiter }
    }

    /// The value after the next change; at once, if there was a change since the last call.
    ///
    /// Several changes in between count as one: it is always the newest value that comes out, and the last one is
    /// never missed. A change to an equal value is a change.
    ///
    /// It never ends: when the [`Updater`](crate::Updater) is gone the value is frozen, and this stays pending for
    /// ever, as it does for a fixed value. So a task that waits here also waits for its stop signal.
    ///
    /// Cancel-safe: a change is seen only by the call that returns it.
    pub async fn changed(&mut self) -> Arc<T> {
        self.waiter.moved().await;
        self.live.load()
    }

    /// What this follows.
    pub fn live(&self) -> &Live<T> {
        &self.live
    }
}

impl<T: fmt::Debug> fmt::Debug for Changes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Changes").field(&self.live).finish()
    }
}
