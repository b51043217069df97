//! The read side.

use crate::{
    cell::{Cell, Rule},
    changes::Changes,
    reader::Reader,
    slot::Borrowed,
    updater::Updater,
};
use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

/// A value that may change while the program runs.
///
/// Cloning is cheap (one reference count) and every clone shows the same value. There are four ways to read it:
///
/// | | cost | for |
/// |---|---|---|
/// | [`get`](Self::get) | that of `ArcSwap::load` | a look in passing |
/// | [`reader`](Self::reader) | a load and a compare while nothing changes | a loop or a connection that can own it |
/// | [`load`](Self::load) | two contended reference counts | keeping one value across an `await` |
/// | [`changes`](Self::changes) | sleeps | a task that has to act on a change |
///
/// Nothing here needs a runtime, and no reader ever waits for a writer.
pub struct Live<T> {
    pub(crate) cell: Arc<Cell<T>>,
}

/// A short look at the current value, from [`Live::get`].
///
/// It keeps showing the value it was made with. A thread has a handful of cheap guards; while it holds more than that,
/// further ones cost as much as [`Live::load`]. A value whose guard is held is not released, and may then be dropped by
/// whoever holds the last guard: keep it for an expression or two, and [`Live::load`] for anything longer.
#[must_use = "a guard is for reading through"]
pub struct Guard<'a, T> {
    value: Borrowed<T>,
    /// Ties the guard to the handle, which is what keeps it from being stored for long.
    handle: PhantomData<&'a Live<T>>,
}

impl<T: Send + Sync + 'static> Live<T> {
    /// A value that has no [`Updater`], for tests and for code that is handed a plain value.
    ///
    /// It never changes; only a cell that a configuration was deserialized into may be moved by the deserializer that
    /// made it (see `registry`, feature `serde`).
    pub fn fixed(value: T) -> Self {
        let live = Self::new(value);
        #[cfg(feature = "serde")]
        crate::registry::add_default(&live);
        live
    }

    pub(crate) fn new(value: T) -> Self {
        Self { cell: Cell::new(Arc::new(value), Rule::Given) }
    }

    /// A value, and the one who may change it.
    pub fn channel(value: T) -> (Updater<T>, Self) {
        let live = Self::new(value);
        (Updater::new(live.clone()), live)
    }

    /// The values to come; see [`Changes`].
    pub fn changes(&self) -> Changes<T> {
        Changes::new(self.clone())
    }
}

impl<T> Live<T> {
    /// The current value, for a moment. No lock, and no write to memory that other threads use.
    #[inline]
    pub fn get(&self) -> Guard<'_, T> {
        Guard { value: self.cell.borrow(), handle: PhantomData }
    }

    /// The current value, for as long as you like: it does not change under you.
    pub fn load(&self) -> Arc<T> {
        self.cell.load()
    }

    /// A view that remembers the value and looks again only when it has changed. One per task or connection.
    pub fn reader(&self) -> Reader<T> {
        Reader::new(self)
    }

    /// How often the value has been replaced, by an equal one or not. Starts at 0 for each `Live`, derived or not.
    ///
    /// A [`load`](Self::load) after this sees the value of at least this generation.
    pub fn generation(&self) -> u64 {
        self.cell.version().current()
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { cell: Arc::clone(&self.cell) }
    }
}

impl<T: Default + Send + Sync + 'static> Default for Live<T> {
    /// [`fixed`](Self::fixed) at the default of `T`.
    fn default() -> Self {
        Self::fixed(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.load()).finish()
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
