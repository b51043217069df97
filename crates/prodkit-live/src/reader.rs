//! The cached read side.

use crate::{live::Live, version::Version};
use std::{fmt, sync::Arc};

/// The current value, remembered: while nothing changes, [`get`](Self::get) is one load and one compare.
///
/// Made by [`Live::reader`]. It needs `&mut`, so it belongs to one task; clone it for the next. It keeps the value it
/// saw last alive, and drops it in the first `get` after a change if it was the last to hold it: a reader that may
/// sleep for long holds on to an old value for as long.
pub struct Reader<T> {
    live: Live<T>,
    /// That of `live`, one pointer closer.
    version: Arc<Version>,
    seen: u64,
    value: Arc<T>,
}

impl<T> Reader<T> {
    pub(crate) fn new(live: &Live<T>) -> Self {
        let version = Arc::clone(live.cell.version());
        // The version first: a value that is newer than its version is looked up once more, an older one never again.
        let seen = version.current();
        Self { live: live.clone(), version, seen, value: live.load() }
    }

    /// The current value.
    #[inline]
    pub fn get(&mut self) -> &T {
        let current = self.version.current();
        if current != self.seen {
            self.look_again(current);
        }
        &self.value
    }

    /// What this reads from.
    pub fn live(&self) -> &Live<T> {
        &self.live
    }

    #[cold]
    fn look_again(&mut self, current: u64) {
        self.seen = current;
        self.value = self.live.load();
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        let Self { live, version, seen, value } = self;
        Self { live: live.clone(), version: Arc::clone(version), seen: *seen, value: Arc::clone(value) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.value).finish()
    }
}
