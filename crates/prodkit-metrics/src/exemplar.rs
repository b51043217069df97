//! Exemplars: one recorded value of a bucket, with the trace it was recorded in.

use prodkit_trace::TraceContext;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// One value of a histogram bucket and the sampled trace it came from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Exemplar {
    /// What was recorded.
    pub value: f64,
    /// When it was recorded, by the wall clock.
    pub at: SystemTime,
    /// The trace and span it was recorded in.
    pub context: TraceContext,
}

/// The last exemplar of each bucket.
///
/// A record takes the lock only when it is free, so neither a scrape nor another record ever makes it wait: losing an
/// exemplar to another one costs nothing.
#[derive(Debug)]
pub(crate) struct Exemplars(Box<[Mutex<Option<Exemplar>>]>);

impl Exemplars {
    pub(crate) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Mutex::default()).collect())
    }

    #[cold]
    pub(crate) fn put(&self, bucket: usize, value: f64, context: TraceContext) {
        if let Some(Ok(mut place)) = self.0.get(bucket).map(Mutex::try_lock) {
            *place = Some(Exemplar { value, at: SystemTime::now(), context });
        }
    }

    pub(crate) fn last(&self, bucket: usize) -> Option<Exemplar> {
        self.0.get(bucket).and_then(|place| *place.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
