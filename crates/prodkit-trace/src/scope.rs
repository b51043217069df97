//! The thread's current context, and the guard that sets it.

use crate::TraceContext;
use crate::carried::Carried;
use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    // Nothing in it has a destructor: it costs no registration, and works while the thread's other locals are dropped.
    static SLOT: Slot = const { Slot { context: Cell::new(None), depth: Cell::new(0) } };
}

struct Slot {
    context: Cell<Option<TraceContext>>,
    /// The depth of the newest open scope, 0 for none.
    depth: Cell<u64>,
}

/// The context in which this thread is working now, if any.
///
/// Costs a read of a thread-local and never allocates; may be called from anywhere, destructors of thread-locals
/// included.
#[inline]
pub fn current() -> Option<TraceContext> {
    SLOT.with(|slot| slot.context.get())
}

#[inline]
pub(crate) fn enter(context: Option<TraceContext>) -> Scope {
    SLOT.with(|slot| {
        let below = slot.depth.get();
        let depth = below + 1;
        slot.depth.set(depth);
        Scope { previous: slot.context.replace(context), depth, below, carried: None, not_send: PhantomData }
    })
}

/// While it lives, the context it was made from is [`current()`]; dropping it restores the one before, also when a
/// panic unwinds.
///
/// Scopes nest, and should be dropped in the reverse order. One that is dropped while newer ones are still open on the
/// thread ends those too: what was current before it is restored at once, and their own drop, if it follows, does
/// nothing. An ended scope should not be kept: dropped among scopes entered later, it may end those. Whatever the
/// order, once all are dropped no context is left behind.
#[must_use = "dropping the scope at once ends it"]
#[derive(Debug)]
pub struct Scope {
    previous: Option<TraceContext>,
    depth: u64,
    /// The depth to return to: that of the scope under this one.
    below: u64,
    /// Boxed, since nearly no scope has one.
    carried: Option<Box<Carried>>,
    not_send: PhantomData<*mut ()>,
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if slot.depth.get() >= self.depth {
                slot.context.set(self.previous);
                slot.depth.set(self.below);
            } else if let Some(carried) = self.carried.take() {
                // an older scope ended this one, and restored what was before both
                carried.abandon();
            }
        });
    }
}

impl Scope {
    /// Restores what `carried` replaced together with the context.
    #[inline]
    pub(crate) fn with(mut self, carried: Option<Carried>) -> Self {
        if let Some(carried) = carried {
            self.carried = Some(Box::new(carried));
        }
        self
    }

    /// Ends this scope but not `newer`, if that was entered right after it: `newer` will restore what this one would
    /// have restored. Otherwise this is a drop.
    pub(crate) fn end_below(mut self, newer: &mut Self) {
        if newer.below != self.depth {
            return;
        }
        newer.previous = self.previous;
        newer.below = self.below;
        match (&mut newer.carried, self.carried.take()) {
            (Some(newer), Some(own)) => own.end_below(newer),
            (newer @ None, own) => *newer = own,
            (Some(_), None) => {}
        }
        // its drop would end `newer` as well
        std::mem::forget(self);
    }
}
