//! How many lines each call site may write in a period.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::sites::spread;

/// Call sites that write; one beyond that is not limited, since it could not be counted. A power of two.
const SLOTS: usize = 1024;
/// How far a call site is looked for.
const PROBES: usize = 16;

#[derive(Debug)]
pub(crate) struct Limit {
    lines: u32,
    period: u64,
    slots: Box<[Slot]>,
    suppressed: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Whose slot it is; 0 for nobody's.
    site: AtomicUsize,
    /// The number of the period, cut to 32 bits, and how many lines were asked for in it.
    count: AtomicU64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Suppress,
    /// Written; that many from the same call site were not, since its last line.
    Write(u64),
}

impl Limit {
    pub(crate) fn new(lines: u32, per: Duration) -> Self {
        let period = u64::try_from(per.as_millis()).unwrap_or(u64::MAX).max(1);
        let slots = std::iter::repeat_with(Slot::default).take(SLOTS).collect();
        Self { lines, period, slots, suppressed: AtomicU64::new(0) }
    }

    /// Asks for one line of `site`, which is not 0.
    pub(crate) fn ask(&self, site: usize, since_1970: Duration) -> Verdict {
        let Some(slot) = self.slot(site) else { return Verdict::Write(0) };
        let millis = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        let period = (millis / self.period) as u32;
        let mut known = slot.count.load(Relaxed);
        loop {
            let (of, asked) = unpack(known);
            let (next, held_back) = if of == period {
                (asked.saturating_add(1), 0)
            } else {
                (1, asked.saturating_sub(self.lines))
            };
            match slot.count.compare_exchange_weak(known, pack(period, next), Relaxed, Relaxed) {
                Ok(_) if next > self.lines => {
                    self.suppressed.fetch_add(1, Relaxed);
                    return Verdict::Suppress;
                }
                Ok(_) => return Verdict::Write(u64::from(held_back)),
                Err(now) => known = now,
            }
        }
    }

    /// All lines ever held back.
    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed.load(Relaxed)
    }

    /// Those that no line has told of yet, which from now on count as told.
    pub(crate) fn untold(&self) -> u64 {
        let told = |slot: &Slot| {
            let (_, asked) = unpack(slot.count.swap(0, Relaxed));
            u64::from(asked.saturating_sub(self.lines))
        };
        self.slots.iter().map(told).sum()
    }

    fn slot(&self, site: usize) -> Option<&Slot> {
        let start = spread(site);
        (0..PROBES).map(|step| &self.slots[(start + step) % SLOTS]).find(|slot| {
            let owner = slot.site.load(Relaxed);
            owner == site
                || (owner == 0
                    && slot
                        .site
                        .compare_exchange(0, site, Relaxed, Relaxed)
                        .map_or_else(|now| now == site, |_| true))
        })
    }
}

fn pack(period: u32, asked: u32) -> u64 {
    u64::from(period) << 32 | u64::from(asked)
}

fn unpack(count: u64) -> (u32, u32) {
    ((count >> 32) as u32, count as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_told_by_the_next_line() {
        use Verdict::{Suppress, Write};
        let limit = Limit::new(2, Duration::from_secs(1));
        let ask = |site, millis| limit.ask(site, Duration::from_millis(millis));
        assert_eq!(
            [ask(8, 1000), ask(8, 1001), ask(8, 1002), ask(8, 1999)],
            [Write(0), Write(0), Suppress, Suppress]
        );
        assert_eq!(ask(16, 1999), Write(0), "another call site");
        assert_eq!([ask(8, 2000), ask(8, 2000), ask(8, 2000)], [Write(2), Write(0), Suppress]);
        assert_eq!(ask(8, 9000), Write(1));
        assert_eq!(limit.suppressed(), 3);
        assert_eq!(limit.untold(), 0);
        assert_eq!([ask(8, 9000), ask(8, 9000), ask(8, 9000)], [Write(0), Write(0), Suppress]);
        assert_eq!((limit.untold(), limit.untold()), (1, 0));
    }

    #[test]
    fn a_full_table_limits_nobody_more() {
        let limit = Limit::new(1, Duration::from_secs(1));
        for site in 1..=4 * SLOTS {
            assert_eq!(limit.ask(site, Duration::ZERO), Verdict::Write(0));
        }
    }

    #[test]
    fn threads_lose_no_count() {
        let limit = Limit::new(10, Duration::from_secs(3600));
        let written = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if limit.ask(7, Duration::ZERO) == Verdict::Write(0) {
                            written.fetch_add(1, Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!((written.load(Relaxed), limit.suppressed()), (10, 3990));
    }
}
