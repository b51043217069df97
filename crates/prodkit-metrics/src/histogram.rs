//! How values are distributed over fixed buckets.

use crate::exemplar::Exemplars;
use crate::{Distribution, ExemplarFilter, Exponential, exponential, gauge};
use prodkit_trace::TraceContext;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A handle to one histogram series; cloning it gives another handle to the same series.
///
/// It works for as long as anybody keeps it, whatever becomes of the [`Recorder`](crate::Recorder). What is not a
/// finite number cannot be put in a sum without spoiling it for good: it is left out and counted in
/// [`Stats::rejected`](crate::Stats::rejected).
#[derive(Clone, Debug)]
#[must_use = "a histogram does nothing until something is recorded"]
pub struct Histogram(pub(crate) Arc<Cell>);

impl Histogram {
    /// Records `value`, with the current trace as its exemplar if that is sampled, or
    /// [`Options::exemplars`](crate::Options::exemplars) takes others too.
    #[inline]
    pub fn record(&self, value: f64) {
        self.0.record(value, 1);
    }

    /// Records `value` as often as `times` says, at the cost of one record.
    #[inline]
    pub fn record_many(&self, value: f64, times: u64) {
        self.0.record(value, times);
    }

    /// Records `value` for work that ran in `context`, where that is not the current one any more.
    #[inline]
    pub fn record_in(&self, value: f64, context: TraceContext) {
        if let Some(bucket) = self.0.add(value, 1) {
            self.0.remember(bucket, value, || Some(context));
        }
    }

    /// What was recorded so far.
    pub fn value(&self) -> Distribution {
        self.0.read()
    }
}

impl From<Histogram> for metrics::Histogram {
    fn from(histogram: Histogram) -> Self {
        Self::from_arc(histogram.0)
    }
}

/// What a histogram keeps besides its explicit buckets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keeps {
    pub(crate) exponential: bool,
    pub(crate) exemplars: ExemplarFilter,
}

/// Bounded memory, whatever is recorded and whoever scrapes. Handles know nothing of its shape.
#[derive(Debug)]
pub(crate) struct Cell {
    bounds: Arc<[f64]>,
    /// One per bound, not cumulative, and one for all above. Their sum is the count, so a scrape in the middle of a
    /// record never shows a count that differs from its `+Inf` bucket.
    counts: Box<[AtomicU64]>,
    sum: gauge::Cell,
    /// The same values once more, where those are wanted.
    exponential: Option<Box<exponential::Cell>>,
    exemplars: Option<Exemplars>,
    rejected: Arc<AtomicU64>,
}

impl Cell {
    pub(crate) fn new(bounds: Arc<[f64]>, keeps: Keeps, rejected: Arc<AtomicU64>) -> Self {
        let Keeps { exponential, exemplars } = keeps;
        let buckets = bounds.len() + 1;
        Self {
            bounds,
            counts: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            sum: gauge::Cell::default(),
            exponential: exponential.then(Box::default),
            exemplars: Exemplars::new(exemplars, buckets),
            rejected,
        }
    }

    #[inline]
    fn record(&self, value: f64, times: u64) {
        if let Some(bucket) = self.add(value, times) {
            self.remember(bucket, value, prodkit_trace::current);
        }
    }

    /// The bucket it went to.
    #[inline]
    fn add(&self, value: f64, times: u64) -> Option<usize> {
        let total = if times == 1 { value } else { value * times as f64 };
        if !total.is_finite() {
            self.rejected.fetch_add(times, Relaxed);
            return None;
        }
        // Counting all bounds below without a branch is faster than looking for the first one above.
        let bucket: usize = self.bounds.iter().map(|bound| usize::from(value > *bound)).sum();
        self.counts.get(bucket)?.fetch_add(times, Relaxed);
        self.sum.add(total);
        if let Some(exponential) = &self.exponential {
            exponential.add(value, times);
        }
        Some(bucket)
    }

    #[inline]
    fn remember(&self, bucket: usize, value: f64, context: impl FnOnce() -> Option<TraceContext>) {
        if let Some(exemplars) = &self.exemplars {
            let context = context();
            if exemplars.takes(context) {
                exemplars.put(bucket, value, context);
            }
        }
    }

    pub(crate) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    pub(crate) fn count(&self, bucket: usize) -> u64 {
        self.counts.get(bucket).map_or(0, |count| count.load(Relaxed))
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().map(|count| count.load(Relaxed))
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum.load()
    }

    pub(crate) fn exponential(&self) -> Option<Exponential> {
        self.exponential.as_ref().map(|cell| cell.read())
    }

    pub(crate) fn exemplars(&self) -> Option<&Exemplars> {
        self.exemplars.as_ref()
    }

    pub(crate) fn read(&self) -> Distribution {
        let mut read = Distribution {
            bounds: Arc::clone(&self.bounds),
            count: 0,
            counts: Vec::with_capacity(self.counts.len()),
            sum: 0.0,
            exponential: None,
            exemplars: Vec::new(),
        };
        self.read_into(&mut read);
        read
    }

    /// [`read`](Self::read), in the memory of an older one, of whatever histogram.
    pub(crate) fn read_into(&self, read: &mut Distribution) {
        let Distribution { bounds, count, counts, sum, exponential, exemplars } = read;
        bounds.clone_from(&self.bounds);
        counts.clear();
        counts.extend(self.counts());
        *count = counts.iter().sum();
        *sum = self.sum();
        match &self.exponential {
            Some(cell) => cell.read_into(exponential),
            None => *exponential = None,
        }
        exemplars.clear();
        let last = self.exemplars.as_ref();
        exemplars.extend((0..counts.len()).filter_map(|bucket| last?.last(bucket)));
    }
}

impl metrics::HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.record(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.record(value, count as u64);
    }
}
