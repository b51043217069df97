//! A value that goes up and down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A handle to one gauge series; cloning it gives another handle to the same series.
///
/// It works for as long as anybody keeps it, whatever becomes of the [`Recorder`](crate::Recorder).
#[derive(Clone, Debug)]
#[must_use = "a gauge does nothing until it is set"]
pub struct Gauge(pub(crate) Arc<Cell>);

impl Gauge {
    /// Makes it `value`.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds `by`, losing nothing when several threads do so.
    #[inline]
    pub fn increment(&self, by: f64) {
        self.0.add(by);
    }

    /// Subtracts `by`, losing nothing when several threads do so.
    #[inline]
    pub fn decrement(&self, by: f64) {
        self.0.add(-by);
    }

    /// What it stands at.
    pub fn value(&self) -> f64 {
        self.0.load()
    }
}

impl From<Gauge> for metrics::Gauge {
    fn from(gauge: Gauge) -> Self {
        Self::from_arc(gauge.0)
    }
}

/// The bits of an `f64`.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    #[inline]
    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, by: f64) {
        let mut bits = self.0.load(Relaxed);
        while let Err(now) =
            self.0.compare_exchange_weak(bits, (f64::from_bits(bits) + by).to_bits(), Relaxed, Relaxed)
        {
            bits = now;
        }
    }
}

impl metrics::GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.set(value);
    }
}
