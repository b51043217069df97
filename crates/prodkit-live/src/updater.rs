//! The write side.

use crate::{
    cell::Cell,
    change::{Change, Prepared},
    live::Live,
    rejected::Rejected,
};
use std::{
    fmt,
    sync::{Arc, Weak},
};

/// The one who may change a [`Live`]; the other half of [`Live::channel`].
///
/// Dropping it freezes the value (a change that already stands prepared can still be committed).
pub struct Updater<T> {
    live: Live<T>,
}

/// An [`Updater`] that does not keep its value: for a list of values that others hold, and that may be let go.
pub struct WeakUpdater<T> {
    cell: Weak<Cell<T>>,
}

impl<T: Send + Sync + 'static> Updater<T> {
    pub(crate) fn new(live: Live<T>) -> Self {
        Self { live }
    }

    /// The read side.
    pub fn live(&self) -> Live<T> {
        self.live.clone()
    }

    /// The same right, which ends when nobody holds the value any more, nor anything derived from it.
    pub fn downgrade(self) -> WeakUpdater<T> {
        WeakUpdater { cell: Arc::downgrade(&self.live.cell) }
    }

    /// A change to `value`, to be [joined](Change::join) with others that must happen at the same instant.
    pub fn stage(&self, value: T) -> Change {
        Change::new(Arc::clone(&self.live.cell), Arc::new(value))
    }

    /// Has everything derived from this value get ready for a new one; [`Prepared::commit`] then moves it all at once.
    ///
    /// The same as `self.stage(value).prepare()`: see [`Change::prepare`] for what happens when two of these overlap
    /// (the later waits for the earlier to be committed or dropped), for errors and for cancellation.
    pub fn prepare(&self, value: T) -> impl Future<Output = Result<Prepared, Rejected>> + Send + use<T> {
        self.stage(value).prepare()
    }

    /// Changes the value, and everything computed from it, here and now.
    ///
    /// It is `prepare` and `commit` for those who cannot wait, and it never waits: not for another change, and not for
    /// a [`try_map`](Live::try_map), which must have verified its resource for the new value before anyone sees it.
    ///
    /// # Errors
    ///
    /// Nothing has changed if a `try_map` derives from this value (use [`prepare`](Self::prepare)), if the closure of a
    /// [`map`](Live::map) panicked, or if another change of the same cells stands prepared
    /// ([`Rejected::is_busy`]).
    pub fn set(&self, value: T) -> Result<(), Rejected> {
        self.stage(value).apply()
    }
}

impl<T: Send + Sync + 'static> WeakUpdater<T> {
    /// The right itself, for as long as it is held; `None` when the value is gone.
    pub fn upgrade(&self) -> Option<Updater<T>> {
        Some(Updater::new(Live { cell: self.cell.upgrade()? }))
    }
}

impl<T> Clone for WeakUpdater<T> {
    fn clone(&self) -> Self {
        Self { cell: Weak::clone(&self.cell) }
    }
}

impl<T> fmt::Debug for WeakUpdater<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUpdater").field("is_alive", &(self.cell.strong_count() > 0)).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Updater<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Updater").field(&self.live.load()).finish()
    }
}
