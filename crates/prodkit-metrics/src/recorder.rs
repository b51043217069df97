//! The store and its ways in and out.

use crate::catalogue::{Catalogue, Outcome};
use crate::histogram::Keeps;
use crate::index::Index;
use crate::observers::Observers;
use crate::scrape::Scrape;
use crate::series::{Cell, Series};
use crate::{
    Counter, Format, Gauge, Histogram, Labelled, Options, Snapshot, Stats, TimeCounter, counter, encode,
    gauge, histogram,
};
use metrics::{Key, KeyName, Metadata, SharedString, Unit};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// One metric store. Clones are the same store.
///
/// Use it as the recorder of the [`metrics`] facade, take concrete handles for hot paths, and read everything with
/// [`encode`](Self::encode) and [`snapshot`](Self::snapshot). Recording through a handle never waits for anything;
/// looking a known series up takes a shared lock for the time of the lookup; a new series takes a lock that readers
/// hold only to learn what is new.
///
/// A name that is already some other metric's, by kind or because Prometheus would show both alike, is a conflict:
/// the caller gets a handle that works but is shown nowhere, [`Stats::conflicts`] counts it, and one `tracing`
/// warning says so.
#[derive(Clone)]
pub struct Recorder(Arc<Store>);

struct Store {
    options: Options,
    index: Index,
    observers: Observers,
    // Locks are taken in this order: scrape, catalogue, a shard of the index.
    scrape: Mutex<Scrape>,
    catalogue: Mutex<Catalogue>,
    expired: AtomicU64,
    overflowed: AtomicU64,
    conflicts: AtomicU64,
    rejected: Arc<AtomicU64>,
}

impl Recorder {
    /// An empty store.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Store {
            options,
            index: Index::new(),
            observers: Observers::default(),
            scrape: Mutex::default(),
            catalogue: Mutex::new(Catalogue::new()),
            expired: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            rejected: Arc::default(),
        }))
    }

    /// The counter of this name and these labels, in any order; it starts at zero. A known spelling allocates
    /// nothing.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        self.find_counter(name, labels).0
    }

    /// A counter of time, shown in seconds. A name is either always asked for here or never.
    pub fn time_counter(&self, name: &str, labels: &[(&str, &str)]) -> TimeCounter {
        TimeCounter::new(self.counter(name, labels))
    }

    /// The gauge of this name and these labels, in any order; it starts at zero. A known spelling allocates nothing.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        self.find_gauge(name, labels).0
    }

    /// The histogram of this name and these labels, in any order, with the buckets the options choose by the name.
    /// A known spelling allocates nothing.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        self.find_histogram(name, labels).0
    }

    /// A counter with these label names, for values that are only known when something is counted.
    pub fn counters<const N: usize>(&self, name: &str, labels: [&str; N]) -> Labelled<Counter, N> {
        Labelled::new(self, name, labels, Self::find_counter)
    }

    /// A gauge with these label names, for values that are only known when something is set.
    pub fn gauges<const N: usize>(&self, name: &str, labels: [&str; N]) -> Labelled<Gauge, N> {
        Labelled::new(self, name, labels, Self::find_gauge)
    }

    /// A histogram with these label names, for values that are only known when something is recorded.
    pub fn histograms<const N: usize>(&self, name: &str, labels: [&str; N]) -> Labelled<Histogram, N> {
        Labelled::new(self, name, labels, Self::find_histogram)
    }

    /// Says what a metric is about, before or after it exists. The first unit and the first help that are not empty
    /// stay.
    pub fn describe(&self, name: &str, unit: Option<Unit>, help: &str) {
        let report = self.0.catalogue().describe(name, unit, help, &self.0.options);
        if let Some(report) = report {
            self.0.conflicts.fetch_add(1, Relaxed);
            report.send();
        }
    }

    /// Calls `observer` whenever somebody is about to read everything, by [`encode`](Self::encode) or
    /// [`snapshot`](Self::snapshot): for metrics that have to be read from somewhere themselves.
    ///
    /// It runs on the thread of whoever reads, may record and register, and should not block. It must not read the store or add
    /// an observer. It is kept as long as the store: one that holds a [`Recorder`] of the same store keeps it for ever.
    pub fn observe(&self, observer: impl Fn() + Send + Sync + 'static) {
        self.0.observers.add(Box::new(observer));
    }

    /// Appends every metric to `out`, sorted by name and then by labels. A metric without series is left out.
    ///
    /// Concurrent calls wait for each other, recording does not.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        let mut scrape = self.0.refreshed(Instant::now());
        let before = out.len();
        out.reserve(scrape.size + scrape.size / 8);
        encode::encode(&scrape, format, out);
        scrape.size = out.len() - before;
    }

    /// Every metric as values, for an exporter that does not speak Prometheus.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(&mut snapshot);
        snapshot
    }

    /// Makes `snapshot`, an older one, one of now. It keeps its memory: where no series has come since, nothing is
    /// allocated.
    pub fn snapshot_into(&self, snapshot: &mut Snapshot) {
        let scrape = self.0.refreshed(Instant::now());
        snapshot.taken = SystemTime::now();
        scrape.export(&mut snapshot.families);
    }

    /// How much there is, and what was turned away.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let store = &*self.0;
        let (metrics, series) = store.catalogue().size();
        Stats {
            metrics,
            series,
            expired: store.expired.load(Relaxed),
            overflowed: store.overflowed.load(Relaxed),
            conflicts: store.conflicts.load(Relaxed),
            rejected: store.rejected.load(Relaxed),
        }
    }

    pub(crate) fn max_series(&self) -> usize {
        self.0.options.max_series
    }

    // Each with whether it is the series asked for, and not the overflow series or a handle shown nowhere.

    fn find_counter(&self, name: &str, labels: &[(&str, &str)]) -> (Counter, bool) {
        let (cell, own) = self.0.by_name(name, labels).unwrap_or_default();
        (Counter(cell), own)
    }

    fn find_gauge(&self, name: &str, labels: &[(&str, &str)]) -> (Gauge, bool) {
        let (cell, own) = self.0.by_name(name, labels).unwrap_or_default();
        (Gauge(cell), own)
    }

    fn find_histogram(&self, name: &str, labels: &[(&str, &str)]) -> (Histogram, bool) {
        let detached = || {
            let Store { options, rejected, .. } = &*self.0;
            let bounds = options.buckets_of(name, name).share();
            (Arc::new(histogram::Cell::new(bounds, Keeps::default(), Arc::clone(rejected))), false)
        };
        let (cell, own) = self.0.by_name(name, labels).unwrap_or_else(detached);
        (Histogram(cell), own)
    }
}

impl Store {
    fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refreshed(&self, now: Instant) -> MutexGuard<'_, Scrape> {
        self.observers.call();
        let mut scrape = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        scrape.refresh(&self.catalogue, &self.options, now);
        if let Some(idle) = self.options.idle {
            let gone = scrape.expire(idle, now, &self.catalogue, &self.index);
            self.expired.fetch_add(gone, Relaxed);
        }
        scrape
    }

    /// `None` if refused.
    #[inline]
    fn by_key<C: Cell>(&self, key: &Key) -> Option<Arc<C>> {
        self.index.find_key(key, |series| self.cell(series)).flatten().or_else(|| {
            let labels = key.labels().map(|label| (label.key(), label.value()));
            Some(self.register(key.name(), labels, |series| self.index.insert_key(key, series))?.0)
        })
    }

    /// `None` if refused; with whether it is the series' own cell.
    #[inline]
    fn by_name<C: Cell>(&self, name: &str, labels: &[(&str, &str)]) -> Option<(Arc<C>, bool)> {
        let known = self.index.find(name, labels, |series| self.cell(series)).flatten();
        known.map(|cell| (cell, true)).or_else(|| {
            self.register(name, labels.iter().copied(), |series| self.index.insert(name, labels, series))
        })
    }

    #[inline]
    fn cell<C: Cell>(&self, series: &Series) -> Option<Arc<C>> {
        if self.options.idle.is_some() {
            series.touch();
        }
        C::of(&series.slot).cloned()
    }

    #[cold]
    fn register<'a, C: Cell>(
        &self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        remember: impl FnOnce(Arc<Series>),
    ) -> Option<(Arc<C>, bool)> {
        // listed, so that what follows is compiled once for all that labels come from
        let labels: Vec<_> = labels.into_iter().collect();
        let mut catalogue = self.catalogue();
        let (outcome, report) = catalogue.register(C::KIND, name, &labels, &self.options, &self.rejected);
        let found = match outcome {
            Outcome::Own(series) => {
                let cell = self.cell(&series);
                // Still under the lock, so that an expiry cannot come between.
                remember(series);
                cell.map(|cell| (cell, true))
            }
            Outcome::Overflow(series) => {
                self.overflowed.fetch_add(1, Relaxed);
                self.cell(&series).map(|cell| (cell, false))
            }
            Outcome::Refused => {
                self.conflicts.fetch_add(1, Relaxed);
                None
            }
        };
        drop(catalogue);
        if let Some(report) = report {
            report.send();
        }
        found
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        self.0.by_key::<counter::Cell>(key).map_or_else(metrics::Counter::noop, metrics::Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        self.0.by_key::<gauge::Cell>(key).map_or_else(metrics::Gauge::noop, metrics::Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        self.0
            .by_key::<histogram::Cell>(key)
            .map_or_else(metrics::Histogram::noop, metrics::Histogram::from_arc)
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(Options::new())
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.stats()).finish()
    }
}

#[cfg(test)]
mod tests;
