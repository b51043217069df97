//! Who is asked before somebody reads.

use std::sync::{PoisonError, RwLock};

type Observer = Box<dyn Fn() + Send + Sync>;

/// Called one after the other, in the order in which they came. There are few, and none ever goes.
#[derive(Default)]
pub(crate) struct Observers(RwLock<Vec<Observer>>);

impl Observers {
    pub(crate) fn add(&self, observer: Observer) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    pub(crate) fn call(&self) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|observer| observer());
    }
}
