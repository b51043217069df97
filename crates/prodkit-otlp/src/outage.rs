//! When to say something about deliveries that fail: once per outage, and once when it is over.

use crate::signal::Kind;
use std::time::{Duration, Instant};

/// Other troubles are told this often, at most; and a signal that is quiet for so long is failing no more.
const PAUSE: Duration = Duration::from_secs(60);

/// Follows the deliveries of all signals. An outage begins with the first signal that fails twice in a row or loses a
/// batch, and ends with a delivery when none is failing any more: a collector that takes one signal and not another is one
/// outage. A signal that has given up and has had nothing to send for a minute holds no outage open.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// Failed attempts in a row, per signal.
    failing: [u32; 3],
    /// The last of them, per signal.
    last: [Option<Instant>; 3],
    /// The first failure of those, and what had been lost by then.
    since: Option<(Instant, u64)>,
    warned: bool,
    rejected: Throttle,
    overflow: Throttle,
    /// Drops of full queues that need no mention any more.
    overflow_known: u64,
}

/// Something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Began { lost: u64 },
    Ended { lasted: Duration, lost: u64 },
    Rejected { count: u64 },
    Overflowed { count: u64 },
}

/// Counts until it may speak again.
#[derive(Debug, Default)]
struct Throttle {
    spoke: Option<Instant>,
    pending: u64,
}

impl Outage {
    /// An attempt failed, and `given_up` items are lost with it. `lost` is what all signals had lost before, since the
    /// start.
    pub(crate) fn failed(&mut self, kind: Kind, given_up: u64, lost: u64, now: Instant) -> Option<Line> {
        let failing = &mut self.failing[kind as usize];
        *failing = failing.saturating_add(1);
        self.last[kind as usize] = Some(now);
        let certain = given_up > 0 || *failing > 1;
        let (_, before) = *self.since.get_or_insert((now, lost));
        if self.warned || !certain {
            return None;
        }
        self.warned = true;
        Some(Line::Began { lost: given_up + lost.saturating_sub(before) })
    }

    /// A delivery succeeded.
    pub(crate) fn succeeded(&mut self, kind: Kind, lost: u64, now: Instant) -> Option<Line> {
        self.failing[kind as usize] = 0;
        for (failing, last) in self.failing.iter_mut().zip(self.last) {
            if last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE) {
                *failing = 0;
            }
        }
        if self.failing != [0; 3] {
            return None;
        }
        let (since, before) = self.since.take()?;
        std::mem::take(&mut self.warned).then(|| Line::Ended {
            lasted: now.saturating_duration_since(since),
            lost: lost.saturating_sub(before),
        })
    }

    /// The collector took a request but not all that was in it.
    pub(crate) fn rejected(&mut self, count: u64, now: Instant) -> Option<Line> {
        self.rejected.add(count, now).map(|count| Line::Rejected { count })
    }

    /// So much has been dropped by full queues since the start. Those of an outage are part of its own lines.
    pub(crate) fn dropped(&mut self, total: u64, now: Instant) -> Option<Line> {
        let new = total.saturating_sub(self.overflow_known);
        self.overflow_known = total;
        if self.since.is_some() {
            return None;
        }
        self.overflow.add(new, now).map(|count| Line::Overflowed { count })
    }
}

impl Throttle {
    fn add(&mut self, count: u64, now: Instant) -> Option<u64> {
        self.pending += count;
        let quiet = self.spoke.is_some_and(|spoke| now.saturating_duration_since(spoke) < PAUSE);
        if self.pending == 0 || quiet {
            return None;
        }
        self.spoke = Some(now);
        Some(std::mem::take(&mut self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Logs, Metrics, Traces};

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn one_line_when_it_begins_and_one_when_it_ends() {
        let (mut outage, t) = (Outage::default(), Instant::now());
        assert_eq!(outage.succeeded(Traces, 0, t), None);
        assert_eq!(outage.failed(Traces, 0, 0, t), None);
        assert_eq!(outage.failed(Traces, 0, 3, t + S), Some(Line::Began { lost: 3 }));
        for n in 2..100 {
            assert_eq!(outage.failed(Traces, u64::from(n % 7), 3, t + S * n), None);
            assert_eq!(outage.failed(Metrics, 1, 4, t + S * n), None);
            assert_eq!(outage.failed(Logs, 0, 4, t + S * n), None);
        }
        assert_eq!(outage.succeeded(Logs, 50, t + S * 100), None);
        assert_eq!(outage.succeeded(Metrics, 50, t + S * 100), None);
        let end = Line::Ended { lasted: S * 101, lost: 51 };
        assert_eq!(outage.succeeded(Traces, 51, t + S * 101), Some(end));
        assert_eq!(outage.succeeded(Traces, 51, t + S * 102), None);
        // the next one is another one
        assert_eq!(outage.failed(Metrics, 9, 60, t + S * 103), Some(Line::Began { lost: 9 }));
    }

    #[test]
    fn a_single_failure_that_passes_is_not_worth_a_line() {
        let (mut outage, t) = (Outage::default(), Instant::now());
        for n in 0..10 {
            assert_eq!(outage.failed(Traces, 0, 0, t + S * n), None);
            assert_eq!(outage.succeeded(Traces, 0, t + S * n), None);
        }
    }

    #[test]
    fn a_collector_that_takes_one_signal_only_is_one_outage() {
        let (mut outage, t) = (Outage::default(), Instant::now());
        let mut lines = Vec::new();
        for n in 0..50 {
            lines.extend(outage.failed(Traces, 2, n, t + S * 10));
            lines.extend(outage.succeeded(Metrics, n, t + S * 10));
        }
        assert_eq!(lines, [Line::Began { lost: 2 }]);
    }

    #[test]
    fn a_signal_with_nothing_more_to_send_does_not_keep_it_from_ending() {
        let (mut outage, t) = (Outage::default(), Instant::now());
        assert_eq!(outage.failed(Logs, 1, 0, t), Some(Line::Began { lost: 1 }));
        assert_eq!(outage.failed(Traces, 1, 1, t + S), None);
        assert_eq!(outage.succeeded(Traces, 2, t + S * 59), None, "a log record may still come and fail");
        assert_eq!(outage.succeeded(Traces, 2, t + S * 60), Some(Line::Ended { lasted: S * 60, lost: 2 }));
        // and the next failure is the first of another
        assert_eq!(outage.failed(Logs, 0, 2, t + S * 61), None);
        assert_eq!(outage.failed(Logs, 0, 2, t + S * 62), Some(Line::Began { lost: 0 }));
    }

    #[test]
    fn rejections_and_overflows_once_a_minute() {
        let (mut outage, t) = (Outage::default(), Instant::now());
        assert_eq!(outage.rejected(0, t), None);
        assert_eq!(outage.rejected(2, t), Some(Line::Rejected { count: 2 }));
        assert_eq!(outage.rejected(3, t + S), None);
        assert_eq!(outage.rejected(4, t + PAUSE), Some(Line::Rejected { count: 7 }));

        assert_eq!(outage.dropped(5, t), Some(Line::Overflowed { count: 5 }));
        assert_eq!(outage.dropped(9, t + S), None);
        assert_eq!(outage.dropped(9, t + PAUSE), Some(Line::Overflowed { count: 4 }));
        // an outage speaks for its own drops
        outage.failed(Traces, 1, 0, t);
        assert_eq!(outage.dropped(1000, t + PAUSE * 3), None);
        outage.succeeded(Traces, 0, t);
        assert_eq!(outage.dropped(1000, t + PAUSE * 3), None);
    }
}
