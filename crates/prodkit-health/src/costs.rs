//! What the last runs of a check took.

use std::time::Duration;

/// How many runs are remembered: at one each ten seconds a good twenty minutes.
const RUNS: usize = 128;

/// The durations of the last runs, in no order that matters, to the microsecond and up to 71 minutes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Costs {
    micros: Vec<u32>,
    next: usize,
}

impl Costs {
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match self.micros.get_mut(self.next) {
            Some(oldest) => *oldest = micros,
            None => self.micros.push(micros),
        }
        self.next = (self.next + 1) % RUNS;
    }

    /// The 99th percentile by nearest rank.
    pub(crate) fn p99(&self) -> Option<Duration> {
        let mut micros = self.micros.clone();
        let rank = (micros.len() * 99).div_ceil(100).checked_sub(1)?;
        let (_, p99, _) = micros.select_nth_unstable(rank);
        Some(Duration::from_micros(u64::from(*p99)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The p99 after runs of these many milliseconds.
    fn check(runs: impl IntoIterator<Item = u64>, expect: Option<u64>) {
        let mut costs = Costs::default();
        runs.into_iter().for_each(|run| costs.record(Duration::from_millis(run)));
        assert_eq!(costs.p99(), expect.map(Duration::from_millis));
    }

    #[test]
    fn one_slow_run_in_a_hundred_is_left_out_and_two_are_not() {
        check([], None);
        check([7], Some(7));
        check((0..100).rev(), Some(98));
        check([[1; 99].as_slice(), &[50]].concat(), Some(1));
        check([[1; 98].as_slice(), &[50, 60]].concat(), Some(50));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        check([[500; 128].as_slice(), &[3; 126]].concat(), Some(500));
        check([[500; 128].as_slice(), &[3; 127]].concat(), Some(3));
    }
}
