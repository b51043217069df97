//! What is handed out by a [`Health`](crate::Health), and reports back to it.

use crate::check_state::bounded;
use crate::entry::Source;
use crate::state::Shared;
use crate::{Lifecycle, Status, Timing};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the runner of one check puts its results.
///
/// Keep it as long as the check runs: when the last clone is dropped the check is stale, because nothing is left that
/// could find out. Clones share one check.
#[derive(Clone)]
pub struct CheckHandle {
    seat: Arc<Seat>,
    timing: Timing,
}

impl CheckHandle {
    /// A run ended: well, or with a reason. A run that hung or panicked ended badly, and says so. Of a reason the
    /// first 256 bytes are kept.
    pub fn record(&self, result: Result<(), String>, took: Duration, now: Instant) {
        self.seat.change(now, |source, now| match source {
            Source::Checked(check) => check.record(result, took, now),
            Source::Told(_) => None,
        });
    }

    /// When to run next: at once if it never ran, else a period with jitter from `now`, the end of the last run.
    /// `random` is any evenly drawn number.
    pub fn next_run(&self, now: Instant, random: u64) -> Instant {
        let shared = &self.seat.shared;
        shared.look(now, |state, asked| {
            let entry = state.checks.iter().find(|entry| entry.id == self.seat.id);
            match entry.map(|entry| &entry.source) {
                Some(Source::Checked(check)) => check.next_run(asked.now, random),
                _ => asked.now + self.timing.wait(random),
            }
        })
    }

    /// What the runner keeps to.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// The check's name.
    pub fn name(&self) -> &str {
        &self.seat.name
    }

    /// Takes the check off the list: it means nothing to readiness any more.
    pub fn remove(self) {
        self.seat.remove();
    }

    pub(crate) fn new(seat: Seat, timing: Timing) -> Self {
        Self { seat: Arc::new(seat), timing }
    }
}

impl fmt::Debug for CheckHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckHandle").field("name", &self.seat.name).finish_non_exhaustive()
    }
}

/// Where a part of the process says itself how it is.
///
/// What it said last holds until it says something else. Keep it as long as that part lives: when the last clone is
/// dropped it counts as stale.
#[derive(Clone)]
pub struct Reporter {
    seat: Arc<Seat>,
}

impl Reporter {
    /// It works.
    pub fn ok(&self, now: Instant) {
        self.tell(Status::Healthy, None, now);
    }

    /// It works, with a restriction. Of a reason the first 256 bytes are kept.
    pub fn degraded(&self, reason: impl Into<String>, now: Instant) {
        self.tell(Status::Degraded, Some(reason.into()), now);
    }

    /// It does not work. Of a reason the first 256 bytes are kept.
    pub fn failing(&self, reason: impl Into<String>, now: Instant) {
        self.tell(Status::Failing, Some(reason.into()), now);
    }

    /// The reporter's name.
    pub fn name(&self) -> &str {
        &self.seat.name
    }

    /// Takes the reporter off the list: it means nothing to readiness any more.
    pub fn remove(self) {
        self.seat.remove();
    }

    pub(crate) fn new(seat: Seat) -> Self {
        Self { seat: Arc::new(seat) }
    }

    fn tell(&self, status: Status, reason: Option<String>, now: Instant) {
        self.seat.change(now, |source, now| match source {
            Source::Told(told) => told.record(status, reason.map(bounded), now),
            Source::Checked(_) => None,
        });
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("name", &self.seat.name).finish_non_exhaustive()
    }
}

/// The claim to one entry of the list.
pub(crate) struct Seat {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
}

impl Seat {
    fn change(&self, now: Instant, f: impl FnOnce(&mut Source, Instant) -> Option<Status>) {
        self.shared.change(Some(now), |state, now| {
            if let Some(from) = state.check(self.id).and_then(|entry| f(&mut entry.source, now)) {
                state.moved(self.id, from, now);
            }
        });
    }

    fn remove(&self) {
        self.shared.change(None, |state, _| {
            state.checks.retain(|entry| entry.id != self.id);
            state.moved = true;
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // At the end everything goes, and that is no news.
        let is_news = self.shared.lifecycle.load() < Lifecycle::Draining;
        self.shared.change(None, |state, now| {
            let Some(entry) = state.check(self.id) else { return };
            let from = entry.status(now);
            entry.gone = Some((from, now));
            state.moved = true;
            if is_news && from != Status::Stale {
                state.moved(self.id, from, now);
            }
        });
    }
}

/// Something the start waits for. Dropping it, also by a panic, releases it.
#[must_use = "the start waits for it until it is dropped"]
pub struct InitHold {
    shared: Arc<Shared>,
    id: u64,
    name: Arc<str>,
}

impl InitHold {
    /// The name that the startup probe shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it still waits, for the startup report: the last attempt's error. Of a reason the first 256 bytes are kept.
    pub fn because(&self, reason: impl Into<String>) {
        let reason = bounded(reason.into());
        self.shared.change(None, |state, _| {
            if let Some(held) = state.holds.iter_mut().find(|held| held.id == self.id) {
                held.reason = Some(reason);
            }
        });
    }

    pub(crate) fn new(shared: Arc<Shared>, id: u64, name: Arc<str>) -> Self {
        Self { shared, id, name }
    }
}

impl Drop for InitHold {
    fn drop(&mut self) {
        self.shared.change(None, |state, _| state.holds.retain(|held| held.id != self.id));
    }
}

impl fmt::Debug for InitHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitHold").field("name", &self.name).finish_non_exhaustive()
    }
}
