//! What waits for its export, and the books about what became of everything offered.

use crate::Tally;
use crate::books::{Books, Settled};
use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A bounded queue that any thread may push to without waiting, and one consumer empties.
///
/// It keeps the [`Tally`] under its own lock, so that the books balance at every moment: what was offered is exported,
/// dropped, failed, in flight or still here.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    limits: Bounds,
    state: Mutex<State<T>>,
    /// Told when there is a first item, and when there is a batch.
    wake: Notify,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    /// Items that make the consumer start at once.
    pub(crate) batch: usize,
}

/// The memory an item takes, roughly.
pub(crate) trait Weigh {
    fn weigh(&self) -> usize;

    /// It may use only a part of the queue.
    fn is_extra(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    /// Those that may use only a part.
    extras: usize,
    books: Books,
}

/// The part that extras may use: one in this many places.
const EXTRAS: usize = 4;

impl<T: Weigh> Queue<T> {
    pub(crate) fn new(limits: Bounds) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, extras: 0, books: Books::default() };
        Self { limits, state: Mutex::new(state), wake: Notify::new() }
    }

    /// Takes the item or, when there is no room, drops and counts it.
    pub(crate) fn push(&self, item: T) {
        let (weight, extra) = (item.weigh(), usize::from(item.is_extra()));
        let mut state = self.state();
        state.books.offer(1);
        let full =
            state.items.len() >= self.limits.items || state.bytes.saturating_add(weight) > self.limits.bytes;
        let too_many = extra > 0 && state.extras >= self.limits.items.div_ceil(EXTRAS);
        if state.books.is_closed() || full || too_many {
            state.books.drop(1);
            drop(state);
            // `item` is freed here, after the lock
            return;
        }
        state.bytes += weight;
        state.extras += extra;
        state.items.push_back(item);
        let len = state.items.len();
        drop(state);
        if len == 1 || len == self.limits.batch {
            self.wake.notify_one();
        }
    }

    /// Takes a batch; it is in flight until settled. Empty when nothing waits.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut state = self.state();
        let n = state.items.len().min(self.limits.batch);
        let batch: Vec<T> = state.items.drain(..n).collect();
        state.books.send(n as u64);
        if state.extras > 0 {
            state.extras -= batch.iter().filter(|item| item.is_extra()).count();
        }
        state.bytes = match state.items.is_empty() {
            true => 0,
            false => state.bytes.saturating_sub(batch.iter().map(Weigh::weigh).sum()),
        };
        batch
    }
}

impl<T> Queue<T> {
    /// Writes down what became of the batch in flight. Without effect once closed: [`close`](Self::close) did it.
    pub(crate) fn settle(&self, settled: Settled) {
        self.state().books.settle(settled);
    }

    /// Ends the books: what waits counts as dropped, what is in flight as failed, what comes later as dropped.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        let waiting = state.items.len() as u64;
        state.books.drop(waiting);
        state.books.close();
        (state.bytes, state.extras) = (0, 0);
        let items = mem::take(&mut state.items);
        drop(state);
        drop(items);
    }

    pub(crate) fn len(&self) -> usize {
        self.state().items.len()
    }

    pub(crate) fn tally(&self) -> Tally {
        let state = self.state();
        state.books.tally(state.items.len() as u64)
    }

    /// Waits until there is an item. Cancel safe.
    pub(crate) async fn some(&self) {
        self.at_least(1).await;
    }

    /// Waits until there is a whole batch. Cancel safe.
    pub(crate) async fn full(&self) {
        self.at_least(self.limits.batch).await;
    }

    async fn at_least(&self, n: usize) {
        // a permit is stored when nobody waits: no wake-up is lost between the look and the wait
        while self.len() < n {
            self.wake.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // nothing in here panics half way
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
