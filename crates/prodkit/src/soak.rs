//! Whether a new configuration made things worse. Time and counts come as arguments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Looks in one window.
const LOOKS: u32 = 60;
/// Fewer requests say nothing.
const REQUESTS: u64 = 50;
/// A share of failures below this is not worth a rollback: 1 %.
const PERCENT: u64 = 1;

/// What was counted up to one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    /// Answers with a status of 500 or more.
    pub(crate) failures: u64,
    /// Critical checks that are good.
    pub(crate) good: Vec<String>,
}

/// Compares the time since a commit with as much time before it.
#[derive(Debug)]
pub(crate) struct Soak {
    window: Duration,
    history: History,
    /// The commit that is looked at, and what was before it.
    trial: Option<Trial>,
}

/// Oldest first.
type History = VecDeque<(Instant, Sample)>;

#[derive(Debug)]
struct Trial {
    since: Instant,
    first: Sample,
    before: History,
}

impl Soak {
    pub(crate) const fn new(window: Duration) -> Self {
        Self { window, history: VecDeque::new(), trial: None }
    }

    /// How often to look.
    pub(crate) fn period(&self) -> Duration {
        (self.window / LOOKS).max(Duration::from_millis(100))
    }

    /// From now on a commit is looked at; one that was before it is judged no more.
    pub(crate) fn committed(&mut self, now: Instant, sample: Sample) {
        self.look(now, sample.clone());
        self.trial = Some(Trial { since: now, first: sample, before: self.history.clone() });
    }

    /// Takes note; the answer is what is worse since the commit, if something is.
    pub(crate) fn look(&mut self, now: Instant, sample: Sample) -> Option<String> {
        let verdict = self.judge(now, &sample);
        self.history.push_back((now, sample));
        while self
            .history
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > self.window + self.period())
        {
            self.history.pop_front();
        }
        if verdict.is_some()
            || self.trial.as_ref().is_some_and(|trial| now.duration_since(trial.since) >= self.window)
        {
            self.trial = None;
        }
        verdict
    }

    fn judge(&self, now: Instant, sample: &Sample) -> Option<String> {
        let Trial { since, first, before } = self.trial.as_ref()?;
        if let Some(check) = first.good.iter().find(|check| !sample.good.contains(check)) {
            return Some(format!("the check {check} turned bad"));
        }
        let elapsed = now.duration_since(*since);
        // The last look that is at least as long before the commit as this one is after it.
        let earliest =
            before.iter().rev().find(|(at, _)| since.duration_since(*at) >= elapsed).or(before.front());
        let before = earliest.map_or(first, |(_, sample)| sample);
        let (requests, failures) = (sample.requests - first.requests, sample.failures - first.failures);
        let (earlier, failed_earlier) = (first.requests - before.requests, first.failures - before.failures);
        let enough = requests >= REQUESTS;
        let many = failures * 100 >= requests * PERCENT && failures > 0;
        // failures/requests ≥ 2 × earlier failures/earlier requests, without a division by nothing
        let more = u128::from(failures) * u128::from(earlier)
            >= 2 * u128::from(failed_earlier) * u128::from(requests);
        (enough && many && more).then(|| {
            format!("{failures} of {requests} requests failed, against {failed_earlier} of {earlier} before")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn sample(requests: u64, failures: u64) -> Sample {
        Sample { requests, failures, good: vec!["db".to_owned()] }
    }

    /// A window of `before`, a commit, then a look half a window later.
    fn judged(before: (u64, u64), after: (u64, u64)) -> bool {
        let (mut soak, start) = (Soak::new(WINDOW), Instant::now());
        assert_eq!(soak.look(start, sample(1_000, 500)), None);
        let half = sample(1_000 + before.0 / 2, 500 + before.1 / 2);
        assert_eq!(soak.look(start + WINDOW / 2, half), None);
        let (requests, failures) = (1_000 + before.0, 500 + before.1);
        soak.committed(start + WINDOW, sample(requests, failures));
        soak.look(start + WINDOW * 3 / 2, sample(requests + after.0, failures + after.1)).is_some()
    }

    #[test]
    fn worse_is_one_percent_and_twice_as_much_of_fifty_requests() {
        for (before, after, worse) in [
            ((200, 0), (100, 1), true),
            ((200, 0), (101, 1), false),
            ((200, 0), (49, 49), false),
            ((200, 0), (50, 50), true),
            // 2 % before: 4 % is worse, 3 % is not
            ((200, 4), (100, 4), true),
            ((200, 4), (100, 3), false),
            // nobody was there before
            ((0, 0), (50, 1), true),
            ((200, 0), (0, 0), false),
            ((200, 200), (100, 100), false),
        ] {
            assert_eq!(judged(before, after), worse, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_check_that_was_good_and_is_not() {
        let (mut soak, start) = (Soak::new(WINDOW), Instant::now());
        let bad = Sample { good: Vec::new(), ..Sample::default() };
        soak.committed(start, bad.clone());
        assert_eq!(soak.look(start, bad.clone()), None, "it was bad before");
        soak.committed(start, sample(0, 0));
        assert_eq!(soak.look(start, bad.clone()).as_deref(), Some("the check db turned bad"));
        assert_eq!(soak.look(start, bad), None, "said once");
    }

    #[test]
    fn after_the_window_it_is_good_for_ever() {
        let (mut soak, start) = (Soak::new(WINDOW), Instant::now());
        soak.committed(start, sample(0, 0));
        assert_eq!(soak.look(start + WINDOW, sample(100, 0)), None);
        assert_eq!(soak.look(start + WINDOW + soak.period(), sample(200, 100)), None);
        assert!(soak.history.len() < 10);
    }
}
