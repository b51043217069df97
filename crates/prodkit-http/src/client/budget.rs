//! How much may be tried again: a share of what is tried at all.

use std::time::Duration;
use tokio::time::Instant;

/// A bucket of tokens, in thousandths. Each call adds a share of one, each retry takes a whole one: a target that fails for
/// good sees that share more of calls, not a multiple.
#[derive(Debug)]
pub(super) struct Budget {
    /// What one call adds.
    share: u64,
    /// What time adds, in a second: a client with few calls may try again too.
    rate: u64,
    most: u64,
    tokens: u64,
    seen: Instant,
}

const TOKEN: u64 = 1_000;

impl Budget {
    /// `share` of the calls, and `rate` retries a second on top.
    pub(super) fn new(share: f64, rate: u32, now: Instant) -> Self {
        let rate = u64::from(rate) * TOKEN;
        // what ten seconds give may be saved up
        let most = (rate * 10).max(10 * TOKEN);
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "between 0 and 1,000")]
        let share = (share.clamp(0.0, 1.0) * TOKEN as f64) as u64;
        Self { share, rate, most, tokens: most, seen: now }
    }

    pub(super) fn called(&mut self) {
        self.tokens = (self.tokens + self.share).min(self.most);
    }

    /// Whether one call may be repeated.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.grow(now);
        match self.tokens.checked_sub(TOKEN) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Takes what time has given. What is less than a thousandth is left for the next time, however soon that is.
    fn grow(&mut self, now: Instant) {
        const SECOND: u64 = 1_000_000_000;
        let elapsed = now.saturating_duration_since(self.seen).as_nanos();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let grown = elapsed.saturating_mul(self.rate) / SECOND;
        if self.tokens.saturating_add(grown) >= self.most {
            (self.tokens, self.seen) = (self.most, now);
        } else if grown > 0 {
            self.tokens += grown;
            self.seen += Duration::from_nanos(grown * SECOND / self.rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_fails_for_good_sees_its_share_more_and_no_multiple() {
        let now = Instant::now();
        let mut budget = Budget::new(0.1, 0, now);
        let retried = (0..10_000)
            .filter(|_| {
                budget.called();
                budget.take(now)
            })
            .count();
        // ten that were saved up, and a tenth of the calls but the first, whose share found the bucket full
        assert_eq!(retried, 10 + 999);
    }

    #[test]
    fn time_gives_some_back_and_no_more_than_ten_seconds_of_it() {
        let now = Instant::now();
        let mut budget = Budget::new(0.0, 2, now);
        let drain = |budget: &mut Budget, now| {
            std::iter::repeat_with(|| budget.take(now)).take_while(|took| *took).count()
        };
        assert_eq!(drain(&mut budget, now), 20);
        assert_eq!(drain(&mut budget, now + Duration::from_secs(3)), 6);
        assert_eq!(drain(&mut budget, now + Duration::from_secs(3_600)), 20);
    }

    #[test]
    fn who_asks_all_the_time_gets_no_less() {
        let now = Instant::now();
        let mut budget = Budget::new(0.0, 7, now);
        while budget.take(now) {}
        let asked = (1..=30_000).filter(|n| budget.take(now + Duration::from_micros(n * 70)));
        // seven a second, for 2.1 s
        assert_eq!(asked.count(), 14);
    }
}
