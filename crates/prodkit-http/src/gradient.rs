//! How many requests may be in flight, found out from how long they take: a state machine without clock or I/O.
//!
//! Of Netflix's concurrency-limits 0.5 it is `Gradient2Limit` behind `WindowedLimit`: the time that requests take now,
//! against what they take in the long run, says whether they wait for each other. It differs in what the comments at the
//! constants say.

use std::time::Duration;
use tokio::time::Instant;

/// The limit is looked at again after so long, and not before this many requests (`WindowedLimit`'s own numbers).
const WINDOW: Duration = Duration::from_secs(1);
const SAMPLES: u32 = 10;
/// What a window counts for in the long run: one of 600, after the first ten in which nothing waited.
const LONG: f64 = 2.0 / 601.0;
const WARM_UP: u32 = 10;
/// A window in which the limit was reached counts for a hundredth of it: under a load that does not end, waiting would
/// become the rule otherwise, and the limit would grow with it.
const REACHED: f64 = 0.01;
/// At the lower bound nothing waits for anything else: what requests take there is what they take now, soon.
const LOWEST: f64 = 10.0;
/// Requests may take so much longer than in the long run before they count as waiting: those of a server that is busy do.
const TOLERANCE: f64 = 1.25;
/// A window changes the limit by a half at most, however long its requests took.
const STEEPEST: f64 = 0.5;
/// Of a lower limit a fifth is taken over at once. A higher one is taken over as it is: it is at most the root of the
/// limit away.
const SMOOTHING: f64 = 0.2;

/// A limit between two bounds, which follows how long requests take: see
/// [`Observe::adaptive_in_flight`](crate::Observe::adaptive_in_flight), which counts by it.
///
/// ```
/// use prodkit_http::Gradient;
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let start = Instant::now();
/// let mut gradient = Gradient::new(20, 200, start);
/// let second = start + Duration::from_secs(1);
/// let limits: Vec<_> = (0..10).map(|_| gradient.sample(second, Duration::from_millis(5), 20)).collect();
/// assert_eq!(limits[8..], [None, Some(24)]);
/// ```
#[derive(Clone, Debug)]
pub struct Gradient {
    least: f64,
    most: f64,
    limit: f64,
    /// What a request takes in the long run, in seconds, and after how many windows.
    long: f64,
    windows: u32,
    window: Window,
}

/// What has been seen since the limit was looked at.
#[derive(Clone, Debug)]
struct Window {
    end: Instant,
    seconds: f64,
    count: u32,
    most_in_flight: usize,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { end: now + WINDOW, seconds: 0.0, count: 0, most_in_flight: 0 }
    }
}

impl Gradient {
    /// Begins with the lower bound, which is what the service can do for certain. `most` is not below `least`, nor either
    /// below 1: they are raised.
    pub fn new(least: usize, most: usize, now: Instant) -> Self {
        let least = least.max(1);
        let most = most.max(least);
        Self {
            least: least as f64,
            most: most as f64,
            limit: least as f64,
            long: 0.0,
            windows: 0,
            window: Window::new(now),
        }
    }

    /// How many requests may be in flight.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// A request was answered after `took`, as one of `in_flight`. The limit, if that was the last of a window: the first
    /// after a second, and not before the tenth.
    pub fn sample(&mut self, now: Instant, took: Duration, in_flight: usize) -> Option<usize> {
        let Self { window, .. } = self;
        window.seconds += took.as_secs_f64();
        window.count += 1;
        window.most_in_flight = window.most_in_flight.max(in_flight);
        if now < window.end || window.count < SAMPLES {
            return None;
        }
        let Window { seconds, count, most_in_flight, .. } = std::mem::replace(window, Window::new(now));
        self.step(seconds / f64::from(count), most_in_flight);
        Some(self.limit())
    }

    fn step(&mut self, short: f64, most_in_flight: usize) {
        let in_flight = most_in_flight as f64;
        let weight = match () {
            () if in_flight < self.limit.floor() => 1.0,
            () if self.limit <= self.least => LOWEST,
            () => REACHED,
        };
        self.remember(short, weight);
        // a limit that nobody comes near says nothing
        if in_flight < self.limit / 2.0 {
            return;
        }
        let gradient = if short > 0.0 { (TOLERANCE * self.long / short).clamp(STEEPEST, 1.0) } else { 1.0 };
        // at the lower bound they wait for nothing that would pass with a lower limit: that is to be learnt first
        if gradient < 1.0 && self.limit <= self.least {
            return;
        }
        let next = self.limit * gradient + self.limit.sqrt();
        let next = if next < self.limit { self.limit + SMOOTHING * (next - self.limit) } else { next };
        self.limit = next.clamp(self.least, self.most);
    }

    fn remember(&mut self, short: f64, weight: f64) {
        if self.windows < WARM_UP && weight >= 1.0 {
            self.windows += 1;
            self.long += (short - self.long) / f64::from(self.windows);
            return;
        }
        self.long += weight * LONG * (short - self.long);
        // it was high because of a load that is over
        if self.long > 2.0 * short {
            self.long *= 0.9;
        }
    }
}

#[cfg(test)]
mod tests;
