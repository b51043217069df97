//! The thread's current context, and the guard that sets it.

use crate::TraceContext;
use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    // Nothing in it has a destructor: it costs no registration, and works while the thread's other locals are dropped.
    static SLOT: Slot = const {
        Slot { context: Cell::new(None), newest: Cell::new(0), issued: Cell::new(0), void: Cell::new((0, 0)) }
    };
}

struct Slot {
    context: Cell<Option<TraceContext>>,
    /// The number of the newest open scope, 0 for none.
    newest: Cell<u64>,
    /// How many scopes this thread has entered; the last one got this number.
    issued: Cell<u64>,
    /// Scopes numbered above the first and up to the second were ended from below, by one older than them.
    void: Cell<(u64, u64)>,
}

/// The context in which this thread is working now, if any.
///
/// Costs a read of a thread-local and never allocates; may be called from anywhere, destructors of thread-locals
/// included.
pub fn current() -> Option<TraceContext> {
    SLOT.with(|slot| slot.context.get())
}

pub(crate) fn enter(context: Option<TraceContext>) -> Scope {
    SLOT.with(|slot| {
        let number = slot.issued.get() + 1;
        slot.issued.set(number);
        Scope {
            previous: slot.context.replace(context),
            number,
            below: slot.newest.replace(number),
            not_send: PhantomData,
        }
    })
}

/// While it lives, the context it was made from is [`current()`]; dropping it restores the one before, also when a
/// panic unwinds.
///
/// Scopes nest. One that is dropped while newer ones are still open on the thread ends those too: what was current
/// before it is restored at once, and their own drop does nothing. So whatever order the scopes are dropped in, no
/// context outlives them all.
#[must_use = "dropping the scope at once ends it"]
#[derive(Debug)]
pub struct Scope {
    previous: Option<TraceContext>,
    number: u64,
    /// The number of the scope that was newest before.
    below: u64,
    not_send: PhantomData<*mut ()>,
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if slot.newest.get() == self.number {
                slot.context.set(self.previous);
                slot.newest.set(self.below);
            } else {
                self.end_out_of_order(slot);
            }
        });
    }
}

impl Scope {
    #[cold]
    fn end_out_of_order(&self, slot: &Slot) {
        let (low, high) = slot.void.get();
        let ended = self.number > slot.newest.get() || (low < self.number && self.number <= high);
        if ended {
            return;
        }
        slot.context.set(self.previous);
        slot.newest.set(self.below);
        // One interval is remembered, the hull of all: it can only grow to hold scopes that are still open, and those
        // lose no more than the right to be dropped out of order.
        let low = if high == 0 { self.below } else { low.min(self.below) };
        slot.void.set((low, slot.issued.get()));
    }
}
