//! The place readers read from: `arc_swap::ArcSwap`, or a stand-in that loom can explore.

#[cfg(not(loom))]
pub(crate) use real::{Borrowed, Slot};

#[cfg(loom)]
pub(crate) use model::{Borrowed, Slot};

#[cfg(not(loom))]
mod real {
    use arc_swap::{ArcSwap, Guard};
    use std::sync::Arc;

    pub(crate) type Borrowed<T> = Guard<Arc<T>>;

    pub(crate) struct Slot<T>(ArcSwap<T>);

    impl<T> Slot<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self(ArcSwap::new(value))
        }

        #[inline]
        pub(crate) fn borrow(&self) -> Borrowed<T> {
            self.0.load()
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.0.load_full()
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            self.0.swap(value)
        }
    }
}

/// arc-swap knows nothing of loom, so here a slot is its bare contract: an acquire load and a release swap of *which*
/// value is current. The index is loom's, so a reader may still see a stale one unless our own ordering forbids it; the
/// list of values is the standard library's, so that looking a value up adds no ordering that arc-swap would not give.
#[cfg(loom)]
mod model {
    use loom::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

    pub(crate) type Borrowed<T> = Arc<T>;

    pub(crate) struct Slot<T> {
        current: AtomicUsize,
        values: Mutex<Vec<Arc<T>>>,
    }

    impl<T> Slot<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self { current: AtomicUsize::new(0), values: Mutex::new(vec![value]) }
        }

        pub(crate) fn borrow(&self) -> Borrowed<T> {
            self.load()
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.value(self.current.load(Ordering::Acquire))
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            let index = {
                let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
                values.push(value);
                values.len() - 1
            };
            self.value(self.current.swap(index, Ordering::AcqRel))
        }

        fn value(&self, index: usize) -> Arc<T> {
            Arc::clone(&self.values.lock().unwrap_or_else(PoisonError::into_inner)[index])
        }
    }
}
