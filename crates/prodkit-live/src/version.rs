//! A counter that only goes up, and the tasks that wait for it to do so.

use crate::sync::{AtomicU64, Mutex, lock};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    mem,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

/// How often something has moved.
pub(crate) struct Version {
    count: AtomicU64,
    waiting: Mutex<Waiting>,
}

/// One task waiting for a [`Version`] to pass what it has seen.
pub(crate) struct Waiter {
    version: Arc<Version>,
    seen: u64,
    ticket: Option<u64>,
}

/// At most one waker per [`Waiter`], so a task that polls a thousand times is woken once.
#[derive(Default)]
struct Waiting {
    tickets: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Version {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { count: AtomicU64::new(0), waiting: Mutex::new(Waiting::default()) })
    }

    /// Whoever sees a count sees everything that was written before it was reached.
    #[inline]
    pub(crate) fn current(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Moves on. The caller wakes what comes back, once it holds no lock.
    #[must_use]
    pub(crate) fn advance(&self) -> Vec<Waker> {
        self.count.fetch_add(1, Ordering::Release);
        let woken = mem::take(&mut lock(&self.waiting).wakers);
        woken.into_values().collect()
    }

    fn enlist(&self, ticket: &mut Option<u64>, waker: &Waker) {
        // Cloning and dropping a waker is the executor's code: neither happens under the lock.
        let waker = waker.clone();
        let replaced = {
            let mut waiting = lock(&self.waiting);
            let ticket = *ticket.get_or_insert_with(|| {
                waiting.tickets += 1;
                waiting.tickets
            });
            waiting.wakers.insert(ticket, waker)
        };
        drop(replaced);
    }
}

impl Waiter {
    /// Waits for anything that happens from now on.
    pub(crate) fn new(version: Arc<Version>) -> Self {
        let seen = version.current();
        Self::after(version, seen)
    }

    /// Waits for `version` to pass `seen`.
    pub(crate) fn after(version: Arc<Version>, seen: u64) -> Self {
        Self { version, seen, ticket: None }
    }

    /// Completes once the version has passed what this waiter had seen, which it then has seen. Cancel-safe.
    pub(crate) async fn moved(&mut self) {
        poll_fn(|cx| self.poll_moved(cx)).await;
    }

    fn poll_moved(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.catch_up() {
            return Poll::Ready(());
        }
        self.version.enlist(&mut self.ticket, cx.waker());
        // A move between the look above and the enlisting found nobody to wake.
        if self.catch_up() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn catch_up(&mut self) -> bool {
        let current = self.version.current();
        mem::replace(&mut self.seen, current) != current
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = lock(&self.version.waiting).wakers.remove(&ticket);
            drop(waker);
        }
    }
}
