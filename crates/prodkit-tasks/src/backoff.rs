use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait before trying again: exponential, with full jitter.
///
/// The `n`-th wait is drawn evenly from zero to `first × 2ⁿ`, never above `max`, so that a thousand replicas that lost
/// the same dependency do not come back in step ("full jitter", AWS Architecture Blog, 2015). A run that lasted long
/// enough counts as healthy, and the next wait starts from the beginning.
///
/// It reads no clock and sleeps nowhere: how long the last run lasted is an argument.
///
/// ```
/// # use prodkit_tasks::Backoff;
/// # use std::time::Duration;
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// assert!(backoff.next(Duration::ZERO) <= Duration::from_millis(100));
/// assert!(backoff.next(Duration::ZERO) <= Duration::from_millis(200));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Backoff {
    first: Duration,
    max: Duration,
    healthy_after: Duration,
    attempt: u32,
    /// Drawn at the first use, so that clones of an unused value do not wait in step.
    random: Option<u64>,
}

impl Backoff {
    /// Waits up to `first` at first (at least 1 ms), up to `max` in the end (at least `first`). A run of `max` or
    /// longer is healthy.
    pub fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        let max = max.max(first);
        Self { first, max, healthy_after: max, attempt: 0, random: None }
    }

    /// After how long a run counts as healthy.
    pub fn healthy_after(self, healthy_after: Duration) -> Self {
        Self { healthy_after, ..self }
    }

    /// Fixes the random sequence, for tests.
    pub fn seed(self, seed: u64) -> Self {
        Self { random: Some(seed), ..self }
    }

    /// How long to wait now, after a run that lasted `ran_for`.
    pub fn next(&mut self, ran_for: Duration) -> Duration {
        if ran_for >= self.healthy_after {
            self.attempt = 0;
        }
        let ceiling =
            2_u32.checked_pow(self.attempt).map_or(self.max, |factor| self.first.saturating_mul(factor));
        let ceiling = ceiling.min(self.max);
        self.attempt = self.attempt.saturating_add(1);
        // 53 bits: what a f64 holds exactly, so the share is below one.
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        ceiling.mul_f64(share)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): enough to spread waits, nothing more.
    fn draw(&mut self) -> u64 {
        let state = self.random.get_or_insert_with(|| RandomState::new().hash_one(0));
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Default for Backoff {
    /// 250 ms at first, 60 s in the end.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The largest of many waits shows the ceiling, the smallest that it starts from zero.
    fn check(ran_for: &[u64], ceiling: u64) {
        let waits: Vec<_> = (0..2000)
            .map(|seed| {
                let mut backoff = Backoff::new(100 * MS, 1000 * MS).healthy_after(5000 * MS).seed(seed);
                let mut wait = Duration::ZERO;
                for ran_for in ran_for {
                    wait = backoff.next(*ran_for as u32 * MS);
                }
                wait
            })
            .collect();
        let (least, most) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
        let ceiling = ceiling as u32 * MS;
        assert!(most <= ceiling && most > ceiling.mul_f64(0.98), "{ran_for:?}: {most:?}");
        assert!(least < ceiling.mul_f64(0.02), "{ran_for:?}: {least:?}");
    }

    #[test]
    fn waits_double_up_to_the_most_and_start_over_after_a_healthy_run() {
        check(&[0], 100);
        check(&[0, 0], 200);
        check(&[0, 0, 0], 400);
        check(&[0, 4999, 0], 400);
        check(&[0, 0, 0, 0, 0], 1000);
        check(&[0; 100], 1000);
        check(&[0, 0, 0, 5000], 100);
        check(&[0, 0, 0, 5000, 0], 200);
    }

    #[test]
    fn odd_limits_are_made_even() {
        let mut none = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..100).all(|_| none.next(Duration::ZERO) <= MS));
        let mut long = Backoff::new(Duration::MAX, Duration::ZERO);
        for _ in 0..100 {
            long.next(Duration::ZERO);
        }
    }

    #[test]
    fn clones_do_not_wait_in_step() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.clone().next(Duration::ZERO)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }
}
