//! Records are used again.
//!
//! A record goes with the request's future and with its response's body, each of which moves several times before it
//! lies where it is polled. So only a pointer to it moves, and what it points to is kept by the thread that is done with
//! it, for the next request there.

use super::exchange::Record;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// What a thread keeps at most: as many as it nearly always has in flight, a few dozen KiB.
const MOST: usize = 128;

thread_local! {
    #[expect(clippy::vec_box, reason = "the place in memory is what is kept")]
    static SPARE: RefCell<Vec<Box<Option<Record>>>> = const { RefCell::new(Vec::new()) };
}

/// The record of a request. When this is dropped, so is the record.
pub(super) struct Held(Option<Box<Option<Record>>>);

impl Held {
    /// Made where it will lie: it is large enough for its moves to be felt.
    #[inline]
    pub(super) fn new(make: impl FnOnce() -> Record) -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        let mut place = spare.unwrap_or_default();
        *place = Some(make());
        Self(Some(place))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut place) = self.0.take() else { return };
        // outside of the pool's borrow: it may end the request, which is foreign code
        *place = None;
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(place);
            }
        });
    }
}

impl Deref for Held {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match self.0.as_deref() {
            Some(Some(record)) => record,
            _ => unreachable!("filled by `new`, emptied by `drop`"),
        }
    }
}

impl DerefMut for Held {
    #[inline]
    fn deref_mut(&mut self) -> &mut Record {
        match self.0.as_deref_mut() {
            Some(Some(record)) => record,
            _ => unreachable!("filled by `new`, emptied by `drop`"),
        }
    }
}
