//! A metric whose label names are known beforehand and whose values are not.

use crate::{Counter, Gauge, Histogram, Recorder};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

/// One metric with `N` label names, of which each call brings the values.
///
/// For hot paths that cannot keep one handle because a label value comes with the work: a known set of values is
/// found by hashing the values only, without allocating. It keeps the handles it gave out, so its series never
/// expire; it keeps no more than the metric may have series.
///
/// ```
/// use prodkit_metrics::{Options, Recorder};
///
/// let recorder = Recorder::new(Options::new());
/// let requests = recorder.counters("http_requests_total", ["method", "endpoint", "status"]);
/// requests.increment(["GET", "/orders/{id}", "200"], 1);
/// assert_eq!(requests.at(["GET", "/orders/{id}", "200"]).value(), 1);
/// ```
pub struct Labelled<H, const N: usize>(Arc<Inner<H, N>>);

struct Inner<H, const N: usize> {
    recorder: Recorder,
    name: Box<str>,
    labels: [Box<str>; N],
    find: Find<H>,
    hasher: DefaultHashBuilder,
    known: RwLock<HashTable<Known<H, N>>>,
}

/// Finds or makes a series, and says whether it is the asked one or stands in for it.
type Find<H> = fn(&Recorder, &str, &[(&str, &str)]) -> (H, bool);

struct Known<H, const N: usize> {
    hash: u64,
    values: [Box<str>; N],
    handle: H,
}

impl<H, const N: usize> Known<H, N> {
    #[inline]
    fn is(&self, values: &[&str; N]) -> bool {
        self.values.iter().zip(values).all(|(mine, value)| **mine == **value)
    }
}

impl<H: Clone, const N: usize> Labelled<H, N> {
    pub(crate) fn new(recorder: &Recorder, name: &str, labels: [&str; N], find: Find<H>) -> Self {
        Self(Arc::new(Inner {
            recorder: recorder.clone(),
            name: name.into(),
            labels: labels.map(Into::into),
            find,
            hasher: DefaultHashBuilder::default(),
            known: RwLock::new(HashTable::new()),
        }))
    }

    /// The handle for these label values, in the order of the names.
    pub fn at(&self, values: [&str; N]) -> H {
        self.with(values, H::clone)
    }

    /// `work` runs under a lock, so it is ours and does nothing but record.
    #[inline]
    fn with<R>(&self, values: [&str; N], work: impl Fn(&H) -> R) -> R {
        let Inner { hasher, known, .. } = &*self.0;
        let mut hash = hasher.build_hasher();
        values.iter().for_each(|value| value.hash(&mut hash));
        let hash = hash.finish();
        {
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.find(hash, |known| known.is(&values)) {
                return work(&known.handle);
            }
        }
        work(&self.learn(hash, values))
    }

    #[cold]
    fn learn(&self, hash: u64, values: [&str; N]) -> H {
        let Inner { recorder, name, labels, find, known, .. } = &*self.0;
        let pairs: [(&str, &str); N] = std::array::from_fn(|place| (&*labels[place], values[place]));
        let (handle, own) = find(recorder, name, &pairs);
        if own {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() < recorder.max_series() && known.find(hash, |known| known.is(&values)).is_none() {
                let entry = Known { hash, values: values.map(Into::into), handle: handle.clone() };
                known.insert_unique(hash, entry, |known| known.hash);
            }
        }
        handle
    }
}

impl<const N: usize> Labelled<Counter, N> {
    /// Adds `by` to the counter of these label values.
    #[inline]
    pub fn increment(&self, values: [&str; N], by: u64) {
        self.with(values, |counter| counter.increment(by));
    }
}

impl<const N: usize> Labelled<Gauge, N> {
    /// Makes the gauge of these label values `value`.
    #[inline]
    pub fn set(&self, values: [&str; N], value: f64) {
        self.with(values, |gauge| gauge.set(value));
    }

    /// Adds `by` to the gauge of these label values.
    #[inline]
    pub fn increment(&self, values: [&str; N], by: f64) {
        self.with(values, |gauge| gauge.increment(by));
    }

    /// Subtracts `by` from the gauge of these label values.
    #[inline]
    pub fn decrement(&self, values: [&str; N], by: f64) {
        self.with(values, |gauge| gauge.decrement(by));
    }
}

impl<const N: usize> Labelled<Histogram, N> {
    /// Records `value` in the histogram of these label values.
    #[inline]
    pub fn record(&self, values: [&str; N], value: f64) {
        self.with(values, |histogram| histogram.record(value));
    }
}

impl<H, const N: usize> Clone for Labelled<H, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H, const N: usize> fmt::Debug for Labelled<H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, labels, .. } = &*self.0;
        f.debug_struct("Labelled").field("name", name).field("labels", labels).finish_non_exhaustive()
    }
}
