use crate::sync::{Arc, AtomicUsize, Mutex, lock};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

/// Counts what is still in flight: requests, connections, jobs.
///
/// Each thing in flight is a [`Hold`]; [`Holds::idle`] waits until none is left. Clones share one count. Taking and
/// releasing are one atomic operation each; a lock is touched only by who waits, and by the release that ends a wait.
#[derive(Clone, Default)]
pub struct Holds {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The count, shifted left by one; the lowest bit says that somebody waits for zero. One word, so that the
    /// release that reaches zero learns in the same step whether it has to wake anyone.
    state: AtomicUsize,
    waiting: Mutex<Waiting>,
}

const WAITED_FOR: usize = 1;
const ONE: usize = 2;

#[derive(Default)]
struct Waiting {
    next_key: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Holds {
    /// Nothing in flight.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks one thing as in flight until the guard is dropped.
    pub fn hold(&self) -> Hold {
        // Relaxed: taking a hold publishes nothing. Its release does.
        self.shared.state.fetch_add(ONE, Ordering::Relaxed);
        Hold { shared: self.shared.clone() }
    }

    /// How many holds are out at this moment.
    pub fn count(&self) -> usize {
        self.shared.state.load(Ordering::Acquire) / ONE
    }

    /// Waits until nothing is in flight, at once when that is already so.
    ///
    /// It does not keep new holds from being taken: close the door first. A hold taken between the moment of zero
    /// and the moment this future is polled makes it wait again.
    ///
    /// What was done under a hold happens before this returns. Cancel safe.
    pub async fn idle(&self) {
        Idle { shared: &self.shared, key: None }.await;
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holds").field("count", &self.count()).finish()
    }
}

/// One thing in flight. Dropping it, also by a panic, releases it.
#[must_use = "what is held is released when the guard is dropped"]
pub struct Hold {
    shared: Arc<Shared>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let before = self.shared.state.fetch_sub(ONE, Ordering::AcqRel);
        if before == ONE | WAITED_FOR {
            self.shared.wake_all();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl Shared {
    fn wake_all(&self) {
        let wakers = {
            let mut waiting = lock(&self.waiting);
            self.state.fetch_and(!WAITED_FOR, Ordering::AcqRel);
            std::mem::take(&mut waiting.wakers)
        };
        // Outside of the lock: a waker may run its task in place.
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

struct Idle<'a> {
    shared: &'a Shared,
    key: Option<u64>,
}

impl Future for Idle<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared;
        if shared.state.load(Ordering::Acquire) < ONE {
            return Poll::Ready(());
        }
        let mut waiting = lock(&shared.waiting);
        let key = *self.key.get_or_insert_with(|| {
            waiting.next_key += 1;
            waiting.next_key
        });
        let old = waiting.put(key, cx.waker().clone());
        // After the waker is in the list: a release that saw no waiter came before this step, and is seen by it.
        let idle = shared.state.fetch_or(WAITED_FOR, Ordering::AcqRel) < ONE;
        drop(waiting);
        // Outside of the lock: with a waker may go the last reference to a task, and with that task a hold.
        drop(old);
        if idle { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let mut waiting = lock(&self.shared.waiting);
        let own = waiting.take(key);
        if waiting.wakers.is_empty() {
            self.shared.state.fetch_and(!WAITED_FOR, Ordering::AcqRel);
        }
        drop(waiting);
        drop(own);
    }
}

impl Waiting {
    /// Returns the waker that was there before.
    fn put(&mut self, key: u64, waker: Waker) -> Option<Waker> {
        if let Some((_, old)) = self.wakers.iter_mut().find(|(other, _)| *other == key) {
            return Some(std::mem::replace(old, waker));
        }
        self.wakers.push((key, waker));
        None
    }

    fn take(&mut self, key: u64) -> Option<Waker> {
        let nth = self.wakers.iter().position(|(other, _)| *other == key)?;
        Some(self.wakers.swap_remove(nth).1)
    }
}

#[cfg(test)]
mod tests;
