//! How often a Vault that does not answer is asked: no I/O, no clock.

use std::collections::VecDeque;
use std::time::Duration;

/// The first wait is up to this long.
const FIRST: Duration = Duration::from_millis(250);
/// No wait of ours is longer.
const LONGEST: Duration = Duration::from_secs(60);
/// No more attempts than this in one [`WINDOW`], whatever the jitter says.
const ATTEMPTS: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// What a server may ask for with `Retry-After`.
const ASKED: Duration = Duration::from_secs(300);

/// Whether Vault answers, and when it may be asked again if not.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    failures: u32,
    since: Duration,
    opens: Duration,
    /// When the last attempts that failed were made, oldest first.
    attempts: VecDeque<Duration>,
}

impl Outage {
    /// Vault answered.
    pub(crate) fn over(&mut self) {
        self.failures = 0;
    }

    /// What was asked at `sent` was not answered, as is known at `now`. `share`, from 0 to 1, spreads replicas.
    ///
    /// A request that was under way already when the last one failed tells nothing new.
    pub(crate) fn failed(&mut self, sent: Duration, now: Duration, share: f64, asked: Option<Duration>) {
        if self.failures > 0 && sent < self.opens {
            return;
        }
        if self.failures == 0 {
            self.since = now;
        }
        // full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015
        let ceiling = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut wait = ceiling.mul_f64(share);
        if let Some(asked) = asked {
            wait = wait.max(asked.min(ASKED));
        }
        if self.attempts.len() == ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(sent);
        self.opens = now + wait;
        if let Some(oldest) = self.attempts.front().filter(|_| self.attempts.len() == ATTEMPTS) {
            self.opens = self.opens.max(*oldest + WINDOW);
        }
    }

    /// Until when nothing may be asked.
    pub(crate) fn closed(&self, now: Duration) -> Option<Duration> {
        (self.failures > 0 && self.opens > now).then_some(self.opens)
    }

    /// Since when it does not answer, if it was asked more than once.
    pub(crate) fn since(&self) -> Option<Duration> {
        (self.failures > 1).then_some(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_grow_to_a_minute_and_start_over_after_an_answer() {
        let mut outage = Outage::default();
        let mut waits = Vec::new();
        let mut now = Duration::from_secs(1_000);
        for _ in 0..12 {
            outage.failed(now, now, 1.0, None);
            let next = outage.closed(now).unwrap();
            waits.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(
            waits,
            [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]
        );
        outage.over();
        assert_eq!((outage.closed(now), outage.since()), (None, None));
        outage.failed(now, now, 1.0, None);
        assert_eq!(outage.closed(now), Some(now + FIRST));
    }

    #[test]
    fn what_was_under_way_already_counts_once() {
        let mut outage = Outage::default();
        let now = Duration::from_secs(5);
        for sent in 0..32 {
            outage.failed(Duration::from_millis(sent), now, 1.0, None);
        }
        assert_eq!(outage.closed(now), Some(now + FIRST));
    }

    #[test]
    fn a_server_may_ask_for_a_longer_wait_but_not_for_ever() {
        for (asked, wait) in [(0, 250), (7, 7_000), (100_000, 300_000)] {
            let mut outage = Outage::default();
            outage.failed(Duration::ZERO, Duration::ZERO, 1.0, Some(Duration::from_secs(asked)));
            assert_eq!(outage.closed(Duration::ZERO), Some(Duration::from_millis(wait)));
        }
    }

    proptest! {
        /// However the jitter falls, and however fast a failure comes: ten attempts in any minute.
        #[test]
        fn ten_attempts_a_minute(tries in prop::collection::vec((0.0..=1.0_f64, 0_u64..5_000), 12..200)) {
            let mut outage = Outage::default();
            let (mut now, mut sent) = (Duration::ZERO, Vec::new());
            for (share, took) in tries {
                sent.push(now);
                let at = now;
                now += Duration::from_millis(took);
                outage.failed(at, now, share, None);
                now = outage.closed(now).unwrap_or(now);
            }
            for eleven in sent.windows(ATTEMPTS + 1) {
                prop_assert!(eleven[ATTEMPTS] - eleven[0] >= WINDOW, "{eleven:?}");
            }
        }
    }
}
