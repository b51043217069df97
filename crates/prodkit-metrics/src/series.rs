//! One series: a label set and the cell that holds its value.

use crate::histogram::Keeps;
use crate::labels::LabelSet;
use crate::{Kind, Value, counter, gauge, histogram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// How many spellings of one series the index remembers; more are looked up the slow way. Bounds the index by the
/// number of series.
const MOST_SPELLINGS: u64 = 16;

#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) set: LabelSet,
    pub(crate) start: SystemTime,
    pub(crate) slot: Slot,
    /// Looked up since the last scrape. Written only where series expire.
    touched: AtomicBool,
    spellings: AtomicU64,
}

impl Series {
    pub(crate) fn new(set: LabelSet, slot: Slot) -> Self {
        Self {
            set,
            start: SystemTime::now(),
            slot,
            touched: AtomicBool::new(true),
            spellings: AtomicU64::new(0),
        }
    }

    pub(crate) fn touch(&self) {
        // Reading first keeps the cache line shared among the threads that look the series up.
        if !self.touched.load(Relaxed) {
            self.touched.store(true, Relaxed);
        }
    }

    pub(crate) fn untouch(&self) -> bool {
        self.touched.swap(false, Relaxed)
    }

    /// Whether the index may remember one more spelling.
    pub(crate) fn spell(&self) -> bool {
        self.spellings.fetch_add(1, Relaxed) < MOST_SPELLINGS
    }

    pub(crate) fn unspell(&self) {
        self.spellings.store(0, Relaxed);
    }
}

/// A typed cell. Handles share exactly this `Arc`, so its count tells whether there are any.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Counter(Arc<counter::Cell>),
    Gauge(Arc<gauge::Cell>),
    Histogram(Arc<histogram::Cell>),
}

impl Slot {
    pub(crate) fn counter() -> Self {
        Self::Counter(Arc::default())
    }

    pub(crate) fn gauge() -> Self {
        Self::Gauge(Arc::default())
    }

    pub(crate) fn histogram(bounds: Arc<[f64]>, keeps: Keeps, rejected: &Arc<AtomicU64>) -> Self {
        Self::Histogram(Arc::new(histogram::Cell::new(bounds, keeps, Arc::clone(rejected))))
    }

    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Counter(cell) => cell.time().map_or_else(|| Value::Counter(cell.load()), Value::Time),
            Self::Gauge(cell) => Value::Gauge(cell.load()),
            Self::Histogram(cell) => Value::Histogram(cell.read()),
        }
    }

    /// [`value`](Self::value), in the memory of an older one.
    pub(crate) fn value_into(&self, value: &mut Value) {
        match (self, value) {
            (Self::Histogram(cell), Value::Histogram(value)) => cell.read_into(value),
            (_, value) => *value = self.value(),
        }
    }

    /// How many share the cell.
    pub(crate) fn shares(&self) -> usize {
        match self {
            Self::Counter(cell) => Arc::strong_count(cell),
            Self::Gauge(cell) => Arc::strong_count(cell),
            Self::Histogram(cell) => Arc::strong_count(cell),
        }
    }
}

/// What a handle needs of a slot: the cell, if the slot is of its kind.
pub(crate) trait Cell: Sized {
    const KIND: Kind;
    fn of(slot: &Slot) -> Option<&Arc<Self>>;
}

impl Cell for counter::Cell {
    const KIND: Kind = Kind::Counter;
    fn of(slot: &Slot) -> Option<&Arc<Self>> {
        if let Slot::Counter(cell) = slot { Some(cell) } else { None }
    }
}

impl Cell for gauge::Cell {
    const KIND: Kind = Kind::Gauge;
    fn of(slot: &Slot) -> Option<&Arc<Self>> {
        if let Slot::Gauge(cell) = slot { Some(cell) } else { None }
    }
}

impl Cell for histogram::Cell {
    const KIND: Kind = Kind::Histogram;
    fn of(slot: &Slot) -> Option<&Arc<Self>> {
        if let Slot::Histogram(cell) = slot { Some(cell) } else { None }
    }
}
