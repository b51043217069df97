//! A value that only goes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

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

/// A handle to a counter of time, shown in seconds; cloning it gives another handle to the same series.
///
/// Counted in nanoseconds, so that it adds up exactly; it wraps around after 584 years.
#[derive(Clone, Debug)]
#[must_use = "a counter does nothing until it is incremented"]
pub struct TimeCounter(Counter);

impl TimeCounter {
    pub(crate) fn new(counter: Counter) -> Self {
        counter.0.is_time.store(true, Relaxed);
        Self(counter)
    }

    /// Adds `by`.
    #[inline]
    pub fn increment(&self, by: Duration) {
        self.0.increment(nanos(by));
    }

    /// Raises the counter to `value`, read from somewhere that counts by itself; a lower value changes nothing.
    #[inline]
    pub fn absolute(&self, value: Duration) {
        self.0.absolute(nanos(value));
    }

    /// What it stands at.
    pub fn value(&self) -> Duration {
        Duration::from_nanos(self.0.value())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Debug, Default)]
pub(crate) struct Cell {
    count: AtomicU64,
    /// The count is nanoseconds and is shown in seconds.
    is_time: AtomicBool,
}

impl Cell {
    pub(crate) fn load(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// What it stands at, where it counts time.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.is_time.load(Relaxed).then(|| Duration::from_nanos(self.load()))
    }

    #[inline]
    fn increment(&self, by: u64) {
        self.count.fetch_add(by, Relaxed);
    }

    #[inline]
    fn absolute(&self, value: u64) {
        self.count.fetch_max(value, Relaxed);
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
