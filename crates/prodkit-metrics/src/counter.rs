//! A value that only goes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A handle to one counter series; cloning it gives another handle to the same series.
///
/// It works for as long as anybody keeps it, whatever becomes of the [`Recorder`](crate::Recorder).
#[derive(Clone, Debug)]
#[must_use = "a counter does nothing until it is incremented"]
pub struct Counter(pub(crate) Arc<Cell>);

impl Counter {
    /// Adds `by`: one relaxed atomic addition. Wraps around past `u64::MAX`.
    #[inline]
    pub fn increment(&self, by: u64) {
        self.0.increment(by);
    }

    /// Raises the counter to `value`, read from somewhere that counts by itself; a lower value changes nothing.
    #[inline]
    pub fn absolute(&self, value: u64) {
        self.0.absolute(value);
    }

    /// What it stands at.
    pub fn value(&self) -> u64 {
        self.0.load()
    }
}

impl From<Counter> for metrics::Counter {
    fn from(counter: Counter) -> Self {
        Self::from_arc(counter.0)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn load(&self) -> u64 {
        self.0.load(Relaxed)
    }

    #[inline]
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Relaxed);
    }

    #[inline]
    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }
}

impl metrics::CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.absolute(value);
    }
}
