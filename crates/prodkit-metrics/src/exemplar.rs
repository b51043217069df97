//! Exemplars: one recorded value of a bucket, with the trace it was recorded in.

use prodkit_trace::TraceContext;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Which recorded values may become exemplars, by the names that OpenTelemetry has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExemplarFilter {
    /// Those that were recorded inside a sampled trace.
    #[default]
    TraceBased,
    /// All of them, with the trace where there is one.
    AlwaysOn,
    /// None.
    AlwaysOff,
}

/// One value of a histogram bucket and the trace it came from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Exemplar {
    /// What was recorded.
    pub value: f64,
    /// When it was recorded, by the wall clock.
    pub at: SystemTime,
    /// The trace and span it was recorded in: a sampled one, unless [`ExemplarFilter::AlwaysOn`] has others as well.
    pub context: Option<TraceContext>,
}

/// The last exemplar of each bucket.
///
/// A record takes the lock only when it is free, so neither a scrape nor another record ever makes it wait: losing an
/// exemplar to another one costs nothing.
#[derive(Debug)]
pub(crate) struct Exemplars {
    last: Box<[Mutex<Option<Exemplar>>]>,
    takes_all: bool,
}

impl Exemplars {
    /// `None` where there will be none.
    pub(crate) fn new(filter: ExemplarFilter, buckets: usize) -> Option<Self> {
        let takes_all = match filter {
            ExemplarFilter::AlwaysOff => return None,
            ExemplarFilter::AlwaysOn => true,
            ExemplarFilter::TraceBased => false,
        };
        Some(Self { last: (0..buckets).map(|_| Mutex::default()).collect(), takes_all })
    }

    #[inline]
    pub(crate) fn takes(&self, context: Option<TraceContext>) -> bool {
        context.is_some_and(|context| context.is_sampled()) || self.takes_all
    }

    #[cold]
    pub(crate) fn put(&self, bucket: usize, value: f64, context: Option<TraceContext>) {
        if let Some(Ok(mut place)) = self.last.get(bucket).map(Mutex::try_lock) {
            *place = Some(Exemplar { value, at: SystemTime::now(), context });
        }
    }

    pub(crate) fn last(&self, bucket: usize) -> Option<Exemplar> {
        self.last.get(bucket).and_then(|place| *place.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
