use crate::costs::Costs;
use crate::{Status, Timing};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a check remembers of its results. No clock, no I/O: time comes in as an argument.
///
/// A check is not good before its first good result. A healthy one needs [`Timing::unhealthy_after`] failures in a row
/// to be failing; any other is failing at the first one. Without any result for [`Timing::staleness`] it is stale,
/// whatever it was before, and what it was is forgotten.
#[derive(Clone, Debug)]
pub struct CheckState {
    timing: Timing,
    /// Its staleness: asked for by every probe, of every check.
    staleness: Duration,
    /// As of the last event; [`CheckState::status`] adds staleness.
    status: Status,
    changed: Option<(Status, Instant)>,
    added: Instant,
    streak: u32,
    last: Option<Last>,
    costs: Costs,
}

#[derive(Clone, Debug)]
struct Last {
    at: Instant,
    took: Duration,
    failure: Option<Arc<str>>,
}

impl CheckState {
    /// A check nothing is known of yet.
    pub fn new(timing: Timing, now: Instant) -> Self {
        Self {
            staleness: timing.staleness(),
            timing,
            status: Status::Unknown,
            changed: None,
            added: now,
            streak: 0,
            last: None,
            costs: Costs::default(),
        }
    }

    /// A run ended: well, or with a reason. Returns where the status was, if it moved.
    pub fn record(&mut self, result: Result<(), String>, took: Duration, now: Instant) -> Option<Status> {
        let before = self.status(now);
        let failure = result.err().map(bounded);
        let good = failure.is_none();
        let continued =
            before != Status::Stale && self.last.as_ref().is_some_and(|last| last.failure.is_none() == good);
        self.streak = if continued { self.streak.saturating_add(1) } else { 1 };
        self.costs.record(took);
        self.last = Some(Last { at: now.max(self.heard()), took, failure });
        let Timing { unhealthy_after, healthy_after, .. } = self.timing;
        let after = match before {
            Status::Healthy if good || self.streak < unhealthy_after => Status::Healthy,
            _ if !good => Status::Failing,
            _ if self.streak >= healthy_after => Status::Healthy,
            Status::Stale => Status::Unknown,
            before => before,
        };
        self.enter(after, now)
    }

    /// Time passed. Returns where the status was, if it moved.
    pub fn advance(&mut self, now: Instant) -> Option<Status> {
        self.enter(self.status(now), now)
    }

    /// What is known at this moment.
    pub fn status(&self, now: Instant) -> Status {
        if now >= self.stale_at() { Status::Stale } else { self.status }
    }

    /// Why it is not, or might soon not be, good.
    pub fn reason(&self, now: Instant) -> Option<Arc<str>> {
        if self.status(now) == Status::Stale {
            let silent = now.saturating_duration_since(self.heard());
            return Some(format!("no result for {}s", silent.as_secs()).into());
        }
        self.last.as_ref().and_then(|last| last.failure.clone())
    }

    /// When to run next: at once if it never ran, else after a period with jitter from `now`, the end of the last run.
    /// `random` is any evenly drawn number.
    pub fn next_run(&self, now: Instant, random: u64) -> Instant {
        if self.last.is_none() { now } else { now + self.timing.wait(random) }
    }

    /// When it will be stale, unless a result comes first.
    pub fn stale_at(&self) -> Instant {
        self.heard() + self.staleness
    }

    /// How many results in a row were equal; zero before the first.
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// How long the last run took.
    pub fn took(&self) -> Option<Duration> {
        self.last.as_ref().map(|last| last.took)
    }

    /// What 99 of 100 of its last 128 runs kept to; `None` before the first.
    pub fn p99(&self) -> Option<Duration> {
        self.costs.p99()
    }

    /// When the last result came.
    pub fn last_result(&self) -> Option<Instant> {
        self.last.as_ref().map(|last| last.at)
    }

    /// The last transition: what the status was before, and when it moved.
    pub fn changed(&self, now: Instant) -> Option<(Status, Instant)> {
        // Staleness comes by itself, whether or not anybody has looked.
        let went_stale = self.status(now) != self.status;
        if went_stale { Some((self.status, self.stale_at())) } else { self.changed }
    }

    /// What it runs by.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    fn heard(&self) -> Instant {
        self.last.as_ref().map_or(self.added, |last| last.at)
    }

    fn enter(&mut self, status: Status, now: Instant) -> Option<Status> {
        let before = std::mem::replace(&mut self.status, status);
        if before == status {
            return None;
        }
        let at = if status == Status::Stale { self.stale_at() } else { now };
        self.changed = Some((before, at));
        Some(before)
    }
}

/// How much of a reason is kept.
const MAX_REASON: usize = 256;

/// A reason of bounded length: a check may fail with a whole page of HTML.
pub(crate) fn bounded(mut reason: String) -> Arc<str> {
    if reason.len() > MAX_REASON {
        let end = (0..=MAX_REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        reason.truncate(end);
        reason.push('…');
    }
    reason.into()
}

#[cfg(test)]
mod tests;
