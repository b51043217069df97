//! What a [`State`] means to each probe.

use crate::state::{Held, State};
use crate::{Lifecycle, Pending, Probe, Report, Settings, Status, Verdict};
use std::sync::Arc;
use std::time::Instant;

/// What an answer depends on besides the state.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) now: Instant,
    /// The checks to leave out of readiness.
    pub(crate) without: &'a [&'a str],
    /// The checks of the group that is asked for.
    pub(crate) only: Option<&'a [Arc<str>]>,
}

impl<'a> Asked<'a> {
    pub(crate) fn everything(settings: &'a Settings, lifecycle: Lifecycle, now: Instant) -> Self {
        Self { settings, lifecycle, now, without: &[], only: None }
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.without.contains(&name) || !self.concerns(name)
    }

    fn concerns(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only.iter().any(|member| **member == *name))
    }
}

impl State {
    pub(crate) fn verdict(&self, probe: Probe, asked: &Asked<'_>) -> Verdict {
        let yes = match probe {
            Probe::Liveness => self.not_live.is_empty(),
            Probe::Readiness => return self.readiness(asked),
            Probe::Startup => self.has_run,
        };
        if yes { Verdict::Pass } else { Verdict::Fail }
    }

    fn readiness(&self, asked: &Asked<'_>) -> Verdict {
        if asked.lifecycle != Lifecycle::Running || !self.not_live.is_empty() || !self.not_ready.is_empty() {
            return Verdict::Fail;
        }
        if self.vanished(asked).next().is_some() {
            return Verdict::Fail;
        }
        let mut verdict = Verdict::Pass;
        for entry in self.checks.iter().filter(|entry| !asked.leaves_out(&entry.name)) {
            match entry.status(asked.now) {
                Status::Healthy => {}
                Status::Degraded => verdict = Verdict::Degraded,
                _ if entry.is_critical(asked.settings) => return Verdict::Fail,
                // What never failed yet is no restriction.
                Status::Unknown => {}
                Status::Failing | Status::Stale => verdict = Verdict::Degraded,
            }
        }
        verdict
    }

    /// Why the answer is not a plain yes.
    pub(crate) fn reasons(&self, probe: Probe, asked: &Asked<'_>) -> Vec<String> {
        let not_live = self.not_live.iter().map(|(source, reason)| format!("{source}: {reason}"));
        match probe {
            Probe::Liveness => not_live.collect(),
            Probe::Readiness => {
                let life = Some(asked.lifecycle).filter(|life| *life != Lifecycle::Running);
                let held = self.not_ready.iter().map(|(source, reason)| format!("held: {source}: {reason}"));
                not_live
                    .map(|reason| format!("not alive: {reason}"))
                    .chain(life.map(|life| life.to_string()))
                    .chain(held)
                    .chain(self.vanished(asked).map(|name| format!("check {name} is gone")))
                    .chain(self.restrictions(asked))
                    .collect()
            }
            Probe::Startup if self.has_run => Vec::new(),
            Probe::Startup => {
                let life = match asked.lifecycle {
                    Lifecycle::Draining | Lifecycle::Stopped => Some("told to stop before it had started"),
                    Lifecycle::Starting | Lifecycle::Running if self.started => None,
                    Lifecycle::Starting | Lifecycle::Running => Some("still starting"),
                };
                let holds = self.holds.iter().map(|Held { name, reason, .. }| match reason {
                    Some(reason) => format!("waits for {name}: {reason}"),
                    None => format!("waits for {name}"),
                });
                life.map(str::to_owned).into_iter().chain(holds).collect()
            }
        }
    }

    /// The members of the group that is asked for that are not there any more: nobody knows how they are.
    fn vanished<'a>(&self, asked: &Asked<'a>) -> impl Iterator<Item = &'a Arc<str>> {
        let there = |member: &&Arc<str>| self.checks.iter().any(|entry| entry.name == **member);
        asked.only.unwrap_or_default().iter().filter(move |member| !there(member))
    }

    /// The checks that keep readiness from a plain yes.
    fn restrictions(&self, asked: &Asked<'_>) -> impl Iterator<Item = String> {
        self.checks.iter().filter(|entry| !asked.leaves_out(&entry.name)).filter_map(|entry| {
            let status = entry.status(asked.now);
            let matters = match status {
                Status::Healthy => false,
                Status::Unknown => entry.is_critical(asked.settings),
                Status::Degraded | Status::Failing | Status::Stale => true,
            };
            let reason = entry.reason(asked.now).map_or_else(String::new, |reason| format!(": {reason}"));
            matters.then(|| format!("{} check {} is {status}{reason}", entry.importance, entry.name))
        })
    }

    pub(crate) fn report(&self, probe: Probe, asked: &Asked<'_>) -> Report {
        let verdict = self.verdict(probe, asked);
        let mut report = Report {
            status: verdict.word(probe),
            probe,
            verdict,
            lifecycle: asked.lifecycle,
            reasons: self.reasons(probe, asked),
            pending: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
        };
        match probe {
            Probe::Liveness => {}
            Probe::Readiness => {
                let checks = self.checks.iter().filter(|entry| asked.concerns(&entry.name));
                report.checks =
                    checks.map(|entry| entry.report(asked.now, asked.leaves_out(&entry.name))).collect();
                let unknown = asked
                    .without
                    .iter()
                    .filter(|name| !self.checks.iter().any(|entry| *entry.name == ***name));
                let warning = |name: &&str| format!("no check is called {name:?}, so none was left out");
                report.warnings = unknown.map(warning).collect();
            }
            Probe::Startup if self.has_run => {}
            Probe::Startup => {
                let pending = |held: &Held| Pending {
                    name: held.name.clone(),
                    reason: held.reason.clone(),
                    age: asked.now.saturating_duration_since(held.since),
                };
                report.pending = self.holds.iter().map(pending).collect();
            }
        }
        report
    }
}
