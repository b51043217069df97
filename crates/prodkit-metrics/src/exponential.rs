//! Exponential buckets: any value within 4.5 % of itself, without bounds to choose beforehand.
//!
//! Sources: the OpenTelemetry metrics data model ("ExponentialHistogram") and Prometheus' native histograms. Both have
//! buckets that end at powers of `2^(2^-scale)`, upper ends inclusive; they number them differently by one.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Eight buckets from one power of two to the next.
const SCALE: i32 = 3;
const STEPS: usize = 1 << SCALE;
/// The lower ends of those buckets: 2^(k/8).
const LOWER: [f64; STEPS] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_4,
];
/// Up to 2^-32 a value counts as zero.
const LOWEST: i32 = -32;
const THRESHOLD: f64 = 1.0 / (1_u64 << -LOWEST) as f64;
/// Octaves that are counted apart; what is above 2^64 counts in the last bucket.
const OCTAVES: usize = 96;
/// Counters come in pages, since the values of one metric are seldom far apart.
const OCTAVES_OF_PAGE: usize = 8;
const PAGE: usize = OCTAVES_OF_PAGE * STEPS;
const PAGES: usize = OCTAVES / OCTAVES_OF_PAGE;
/// How many buckets of either sign are shown, as the OpenTelemetry SDK specification has it by default.
const MOST_SHOWN: usize = 160;

/// Values by size in exponential buckets: the one below zero, around zero, and above.
///
/// A value lies in bucket *i* when it is above `base^i` and at most `base^(i + 1)`, where `base` is `2^(2^-scale)`: so
/// OpenTelemetry numbers them. Prometheus calls the same bucket *i* + 1.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exponential {
    /// How fine the buckets are: 3, or less where more than 160 of either sign would be needed.
    pub scale: i32,
    /// What is no further than this from zero counts as zero: 2^-32.
    pub zero_threshold: f64,
    /// How many values count as zero.
    pub zero_count: u64,
    /// The values above zero.
    pub positive: Side,
    /// The values below zero, by their distance from it.
    pub negative: Side,
}

impl Exponential {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let all = self.positive.counts.iter().chain(&self.negative.counts);
        all.fold(self.zero_count, |sum, count| sum.wrapping_add(*count))
    }

    /// What was counted after `earlier`, an older state of the same buckets.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        // They only ever become coarser.
        let coarser = (earlier.scale > self.scale).then(|| earlier.clone().coarsened(self.scale));
        let earlier = coarser.as_ref().unwrap_or(earlier);
        Self {
            zero_count: self.zero_count.saturating_sub(earlier.zero_count),
            positive: self.positive.since(&earlier.positive),
            negative: self.negative.since(&earlier.negative),
            ..*self
        }
    }

    /// What both counted.
    pub(crate) fn plus(self, other: Self) -> Self {
        let scale = self.scale.min(other.scale);
        let (mine, other) = (self.coarsened(scale), other.coarsened(scale));
        let sum = Self {
            zero_count: mine.zero_count.wrapping_add(other.zero_count),
            positive: mine.positive.plus(&other.positive),
            negative: mine.negative.plus(&other.negative),
            ..mine
        };
        sum.bounded()
    }

    /// As fine as no more buckets than are shown of either sign allow.
    fn bounded(mut self) -> Self {
        while self.positive.counts.len().max(self.negative.counts.len()) > MOST_SHOWN {
            let coarser = self.scale - 1;
            self = self.coarsened(coarser);
        }
        self
    }

    /// Brings the buckets to `scale`, which is coarser or the one they have.
    #[must_use]
    pub(crate) fn coarsened(mut self, scale: i32) -> Self {
        while self.scale > scale {
            self.scale -= 1;
            self.positive.halve();
            self.negative.halve();
        }
        self
    }
}

/// The buckets of one sign.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Side {
    /// The number of the first bucket.
    pub offset: i32,
    /// How many values fell into each bucket from `offset` on, without a gap. The first and the last are never 0.
    pub counts: Vec<u64>,
}

impl Side {
    fn since(&self, earlier: &Self) -> Self {
        let more = (self.offset..).zip(&self.counts);
        Self::trimmed(
            self.offset,
            more.map(|(bucket, count)| count.saturating_sub(earlier.at(bucket))).collect(),
        )
    }

    fn plus(&self, other: &Self) -> Self {
        if self.counts.is_empty() {
            return other.clone();
        }
        if other.counts.is_empty() {
            return self.clone();
        }
        let (offset, end) = (self.offset.min(other.offset), self.end().max(other.end()));
        let counts = (offset..end).map(|bucket| self.at(bucket).wrapping_add(other.at(bucket))).collect();
        Self { offset, counts }
    }

    /// The number behind the last bucket's.
    fn end(&self) -> i32 {
        self.offset.saturating_add(i32::try_from(self.counts.len()).unwrap_or(i32::MAX))
    }

    fn at(&self, bucket: i32) -> u64 {
        let place = usize::try_from(i64::from(bucket) - i64::from(self.offset)).ok();
        place.and_then(|place| self.counts.get(place)).copied().unwrap_or_default()
    }

    /// Without empty buckets at either end.
    fn trimmed(offset: i32, mut counts: Vec<u64>) -> Self {
        let last = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        counts.truncate(last);
        let first = counts.iter().position(|count| *count > 0).unwrap_or_default();
        counts.drain(..first);
        let offset = if counts.is_empty() { 0 } else { offset + i32::try_from(first).unwrap_or_default() };
        Self { offset, counts }
    }

    /// Two neighbours become one, in place.
    fn halve(&mut self) {
        let offset = self.offset >> 1;
        let mut len = 0;
        for (place, bucket) in (0..self.counts.len()).zip(self.offset..) {
            let count = self.counts[place];
            let half = usize::try_from((bucket >> 1) - offset).unwrap_or_default();
            if half == len {
                self.counts[half] = count;
                len += 1;
            } else {
                self.counts[half] += count;
            }
        }
        self.counts.truncate(len);
        self.offset = offset;
    }
}

/// The counters. Memory grows by half a KiB for every eight powers of two that values fall into, to 12 KiB at most.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    zero: AtomicU64,
    positive: Pages,
    /// Seldom needed.
    negative: OnceLock<Box<Pages>>,
}

type Page = [AtomicU64; PAGE];

#[derive(Debug, Default)]
struct Pages([OnceLock<Box<Page>>; PAGES]);

impl Cell {
    /// Counts a finite value.
    #[inline]
    pub(crate) fn add(&self, value: f64, times: u64) {
        let size = value.abs();
        if size <= THRESHOLD {
            self.zero.fetch_add(times, Relaxed);
        } else if value > 0.0 {
            self.positive.add(size, times);
        } else {
            self.negative.get_or_init(Box::default).add(size, times);
        }
    }

    pub(crate) fn read(&self) -> Exponential {
        self.read_in(Vec::new(), Vec::new())
    }

    /// [`read`](Self::read), in the memory of an older one.
    pub(crate) fn read_into(&self, read: &mut Option<Exponential>) {
        let memory = read.take().map(|read| (read.positive.counts, read.negative.counts));
        let (positive, negative) = memory.unwrap_or_default();
        *read = Some(self.read_in(positive, negative));
    }

    fn read_in(&self, positive: Vec<u64>, negative: Vec<u64>) -> Exponential {
        let read = Exponential {
            scale: SCALE,
            zero_threshold: THRESHOLD,
            zero_count: self.zero.load(Relaxed),
            positive: self.positive.read(positive),
            negative: match self.negative.get() {
                Some(pages) => pages.read(negative),
                None => Side::default(),
            },
        };
        read.bounded()
    }
}

impl Pages {
    #[inline]
    fn add(&self, size: f64, times: u64) {
        let place = place(size);
        let Some(page) = self.0.get(place / PAGE) else { return };
        let page = page.get_or_init(|| Box::new(array::from_fn(|_| AtomicU64::new(0))));
        page[place % PAGE].fetch_add(times, Relaxed);
    }

    fn read(&self, mut counts: Vec<u64>) -> Side {
        counts.clear();
        let mut offset = LOWEST << SCALE;
        for page in &self.0 {
            match page.get() {
                Some(page) => counts.extend(page.iter().map(|count| count.load(Relaxed))),
                None if counts.is_empty() => offset += PAGE as i32,
                None => counts.resize(counts.len() + PAGE, 0),
            }
        }
        Side::trimmed(offset, counts)
    }
}

/// The counter for a size above the threshold, from 0 on.
#[inline]
fn place(size: f64) -> usize {
    const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;
    const ONE: u64 = 1.0_f64.to_bits();
    const BIAS: i64 = 1023;
    let bits = size.to_bits();
    let octave = (bits >> MANTISSA) as i64 - BIAS - i64::from(LOWEST);
    let significand = f64::from_bits(bits & ((1 << MANTISSA) - 1) | ONE);
    // Counting the lower ends that are below, without a branch. A power of two ends the bucket before it.
    let step: i64 = LOWER.iter().map(|lower| i64::from(significand > *lower)).sum();
    let place = octave * STEPS as i64 + step - 1;
    usize::try_from(place).unwrap_or_default().min(OCTAVES * STEPS - 1)
}

#[cfg(test)]
mod tests;
