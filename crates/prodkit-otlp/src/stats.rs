//! How much was delivered, and how much was not.

use std::fmt;
use std::time::Duration;

/// What became of everything offered, per signal, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Spans.
    pub traces: Tally,
    /// Data points: each export offers all points there are.
    pub metrics: Tally,
    /// Log records.
    pub logs: Tally,
}

/// What became of the items of one signal. Exact: `offered = exported + dropped + failed + queued` at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Handed to this crate.
    pub offered: u64,
    /// Accepted by the collector.
    pub exported: u64,
    /// Never sent: the queue was full, or the process ended first.
    pub dropped: u64,
    /// Sent in vain: refused by the collector, given up, or cut short by the end. What was cut short may have arrived.
    pub failed: u64,
    /// Waiting or in flight.
    pub queued: u64,
}

impl Tally {
    /// What will never arrive: dropped and failed together.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.dropped + self.failed
    }

    #[cfg(test)]
    pub(crate) fn balances(&self) -> bool {
        let Self { offered, exported, dropped, failed, queued } = *self;
        offered == exported + dropped + failed + queued
    }
}

/// How the end of exporting went. Nothing is queued any more: everything offered is accounted for.
///
/// Shown, it is one line: `traces 12 exported; metrics 40 exported, 2 failed; logs off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The final numbers.
    pub stats: Stats,
    /// How long the flush took.
    pub took: Duration,
    /// Whether the budget ended before the flush did.
    pub cut_short: bool,
    pub(crate) on: [bool; 3],
}

impl Report {
    /// Whether nothing was lost, at the end or before.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Stats { traces, metrics, logs } = self.stats;
        [traces, metrics, logs].iter().all(|tally| tally.lost() == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { traces, metrics, logs } = &self.stats;
        let signals = [("traces", traces), ("metrics", metrics), ("logs", logs)];
        for (at, ((name, tally), on)) in signals.into_iter().zip(self.on).enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            if !on {
                write!(f, "{comma}{name} off")?;
                continue;
            }
            write!(f, "{comma}{name} {} exported", tally.exported)?;
            for (n, what) in [(tally.dropped, "dropped"), (tally.failed, "failed")] {
                if n > 0 {
                    write!(f, ", {n} {what}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_one_line() {
        let traces = Tally { offered: 6, exported: 3, dropped: 1, failed: 2, queued: 0 };
        let stats = Stats { traces, ..Stats::default() };
        let report = Report { stats, on: [true, true, false], ..Report::default() };
        assert_eq!(
            report.to_string(),
            "traces 3 exported, 1 dropped, 2 failed; metrics 0 exported; logs off"
        );
        assert!(!report.is_complete());
    }
}
