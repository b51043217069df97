//! Series that are shown as one: those that differ in a label that is not shown, and nearly always just one.

use crate::histogram::Cell;
use crate::scrape::Row;
use crate::series::Slot;
use crate::{Exemplar, Exponential};
use std::time::{Duration, SystemTime};

/// What the formats of Prometheus show as one series, by the series that it is the sum of. They are of one kind.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a>(pub(crate) &'a [Row]);

/// What counters or gauges stand at together.
pub(crate) enum Total {
    Whole(u64),
    Float(f64),
}

impl<'a> Shown<'a> {
    /// [`Row::prefix`], which they share.
    pub(crate) fn prefix(self) -> &'a [u8] {
        self.0.first().map_or(&[], |row| &row.prefix)
    }

    /// The text of the labels, which they share.
    pub(crate) fn labels(self) -> &'a str {
        self.0.first().map_or("", |row| &row.series.set.shown)
    }

    pub(crate) fn each_label(self, each: impl FnMut(&str, &str)) {
        if let Some(row) = self.0.first() {
            row.series.set.each_shown(each);
        }
    }

    /// Since when the first of them counts.
    pub(crate) fn start(self) -> SystemTime {
        self.0.iter().map(|row| row.series.start).min().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The sum of counters, in seconds where they count time, or of gauges; `None` of histograms.
    pub(crate) fn total(self) -> Option<Total> {
        match &self.0.first()?.slot {
            Slot::Counter(first) => {
                let cells = self.0.iter().filter_map(|row| match &row.slot {
                    Slot::Counter(cell) => Some(cell.load()),
                    _ => None,
                });
                let sum = cells.fold(0, u64::wrapping_add);
                Some(match first.time() {
                    Some(_) => Total::Float(Duration::from_nanos(sum).as_secs_f64()),
                    None => Total::Whole(sum),
                })
            }
            Slot::Gauge(first) if self.0.len() == 1 => Some(Total::Float(first.load())),
            Slot::Gauge(_) => {
                let cells = self.0.iter().filter_map(|row| match &row.slot {
                    Slot::Gauge(cell) => Some(cell.load()),
                    _ => None,
                });
                Some(Total::Float(cells.sum()))
            }
            Slot::Histogram(_) => None,
        }
    }

    /// As a histogram, where it is one.
    pub(crate) fn histogram(self) -> Option<Histogram<'a>> {
        matches!(self.0.first()?.slot, Slot::Histogram(_)).then_some(Histogram(self.0))
    }
}

/// Histograms as one. They have the same bounds, since those depend on the name of the metric only.
#[derive(Clone, Copy)]
pub(crate) struct Histogram<'a>(&'a [Row]);

impl<'a> Histogram<'a> {
    fn cells(self) -> impl Iterator<Item = &'a Cell> {
        self.0.iter().filter_map(|row| match &row.slot {
            Slot::Histogram(cell) => Some(&**cell),
            _ => None,
        })
    }

    pub(crate) fn bounds(self) -> &'a [f64] {
        self.cells().next().map_or(&[], Cell::bounds)
    }

    pub(crate) fn counts(self) -> impl Iterator<Item = u64> {
        (0..=self.bounds().len())
            .map(move |bucket| self.cells().map(|cell| cell.count(bucket)).fold(0, u64::wrapping_add))
    }

    pub(crate) fn sum(self) -> f64 {
        // `Iterator::sum` begins at -0.0
        self.cells().fold(0.0, |sum, cell| sum + cell.sum())
    }

    pub(crate) fn exponential(self) -> Option<Exponential> {
        self.cells().filter_map(Cell::exponential).reduce(Exponential::plus)
    }

    /// The latest of them.
    pub(crate) fn exemplar(self, bucket: usize) -> Option<Exemplar> {
        self.cells().filter_map(|cell| cell.exemplars()?.last(bucket)).max_by_key(|exemplar| exemplar.at)
    }
}
