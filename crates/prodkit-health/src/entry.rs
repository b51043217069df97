//! One registered check or reporter.

use crate::check_state::CheckState;
use crate::{CheckReport, Importance, Settings, Status};
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) importance: Importance,
    pub(crate) source: Source,
    /// What it was, and since when nothing is left that could report on it.
    pub(crate) gone: Option<(Status, Instant)>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Checked(CheckState),
    Told(Told),
}

/// What a reporter said last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    said: Option<(Status, Option<Arc<str>>)>,
    at: Option<Instant>,
    changed: Option<(Status, Instant)>,
    streak: u32,
}

impl Told {
    /// Returns where the status was, if it moved.
    pub(crate) fn record(
        &mut self,
        status: Status,
        reason: Option<Arc<str>>,
        now: Instant,
    ) -> Option<Status> {
        let before = self.status();
        self.streak = if before == status { self.streak.saturating_add(1) } else { 1 };
        self.said = Some((status, reason));
        self.at = Some(now);
        if before == status {
            return None;
        }
        self.changed = Some((before, now));
        Some(before)
    }

    fn status(&self) -> Status {
        self.said.as_ref().map_or(Status::Unknown, |(status, _)| *status)
    }
}

impl Entry {
    pub(crate) fn status(&self, now: Instant) -> Status {
        match (&self.gone, &self.source) {
            (Some(_), _) => Status::Stale,
            (None, Source::Checked(check)) => check.status(now),
            (None, Source::Told(told)) => told.status(),
        }
    }

    pub(crate) fn reason(&self, now: Instant) -> Option<Arc<str>> {
        match (&self.gone, &self.source) {
            (Some(_), _) => Some("nothing reports on it any more".into()),
            (None, Source::Checked(check)) => check.reason(now),
            (None, Source::Told(told)) => told.said.as_ref().and_then(|(_, reason)| reason.clone()),
        }
    }

    pub(crate) fn is_critical(&self, settings: &Settings) -> bool {
        match self.importance {
            Importance::Critical => true,
            Importance::Optional => false,
            Importance::Shared => settings.shared_is_critical,
        }
    }

    /// Returns where the status was, if time alone moved it.
    pub(crate) fn advance(&mut self, now: Instant) -> Option<Status> {
        match (&self.gone, &mut self.source) {
            (None, Source::Checked(check)) => check.advance(now),
            _ => None,
        }
    }

    pub(crate) fn report(&self, now: Instant, excluded: bool) -> CheckReport {
        let (streak, cost, at, changed) = match &self.source {
            Source::Checked(check) => {
                let cost = (check.took(), check.p99());
                (check.streak(), cost, check.last_result(), check.changed(now))
            }
            Source::Told(told) => (told.streak, (None, None), told.at, told.changed),
        };
        let ago = |moment: Instant| now.saturating_duration_since(moment);
        let (took, p99) = cost;
        let changed = self.gone.or(changed);
        CheckReport {
            name: self.name.clone(),
            status: self.status(now),
            importance: self.importance,
            excluded,
            reason: self.reason(now),
            streak,
            took,
            p99,
            age: at.map(ago),
            was: changed.map(|(was, _)| was),
            since: changed.map(|(_, moment)| ago(moment)),
        }
    }
}
