use crate::check_state::{CheckState, bounded};
use crate::entry::{Entry, Source, Told};
use crate::error::{MAX_CHECKS, MAX_GROUPS};
use crate::handles::Seat;
use crate::rules::Asked;
use crate::state::{Group, Held, Shared};
use crate::{
    Check, CheckHandle, CheckReport, Error, Event, Importance, InitHold, Lifecycle, Probe, Report, Reporter,
    Settings, Snapshot, Verdict,
};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

/// The health of one process: its life, its checks, and the answers to the three probes.
///
/// Clones share one state. Every method is a short computation under one lock; none waits, none asks a clock. Time is
/// an argument, and a moment before one already seen counts as that one.
#[derive(Clone, Debug)]
pub struct Health {
    shared: Arc<Shared>,
}

impl Health {
    /// A process that is starting.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { shared: Arc::new(Shared::new(settings, now)) }
    }

    /// Where the process is in its life. One atomic load.
    pub fn lifecycle(&self) -> Lifecycle {
        self.shared.lifecycle.load()
    }

    /// The owner has done its part of the start: the application was built, all listeners are bound. The process is
    /// [`Running`](Lifecycle::Running) from now on, or from the release of the last [`hold`](Health::hold).
    pub fn started(&self, now: Instant) {
        self.shared.change(Some(now), |state, _| state.started = true);
    }

    /// The process was told to stop and asks for no more requests.
    pub fn draining(&self, now: Instant) {
        self.shared.change(Some(now), |state, _| state.enter(&self.shared, Lifecycle::Draining));
    }

    /// The process serves nothing any more.
    pub fn stopped(&self, now: Instant) {
        self.shared.change(Some(now), |state, _| state.enter(&self.shared, Lifecycle::Stopped));
    }

    /// Keeps the process [`Starting`](Lifecycle::Starting) until the guard is dropped; the verbose startup report
    /// shows the name. Without effect once the process runs: a start that is over does not come back.
    pub fn hold(&self, name: impl Into<Arc<str>>, now: Instant) -> InitHold {
        let name = name.into();
        let id = self.shared.change(Some(now), |state, since| {
            let id = state.next_id();
            state.holds.push(Held { id, name: name.clone(), since, reason: None });
            id
        });
        InitHold::new(self.shared.clone(), id, name)
    }

    /// Adds a check. Whoever keeps the handle runs it.
    ///
    /// # Errors
    ///
    /// When the name is not kebab-case of at most 63 bytes, when a check or reporter that still has a handle has it,
    /// and when there are 2,048 of them.
    pub fn check(&self, name: impl Into<Arc<str>>, check: Check, now: Instant) -> Result<CheckHandle, Error> {
        let name = name.into();
        let said = self.shared.settings.checks.get(&*name);
        let check = said.map_or(check, |said| check.below(said));
        let timing = check.timing(&self.shared.settings.timing);
        let source = |now| Source::Checked(CheckState::new(timing, now));
        Ok(CheckHandle::new(self.seat(name, check.importance, now, source)?, timing))
    }

    /// Adds a reporter: a part of the process that says itself how it is. Until it does, it is unknown; a critical one
    /// keeps the process from being ready.
    ///
    /// # Errors
    ///
    /// As [`check`](Health::check).
    pub fn reporter(
        &self,
        name: impl Into<Arc<str>>,
        importance: Importance,
        now: Instant,
    ) -> Result<Reporter, Error> {
        let name = name.into();
        let said = self.shared.settings.checks.get(&*name).and_then(|said| said.importance);
        let importance = said.unwrap_or(importance);
        let source = |_| Source::Told(Told::default());
        Ok(Reporter::new(self.seat(name, importance, now, source)?))
    }

    /// Names some checks and reporters together: whether they let the process be ready, apart from all others, is a
    /// question of its own. For a part of a service, or a gRPC service by its full name.
    ///
    /// # Errors
    ///
    /// When a check or reporter is not there, when the name is not one of at most 255 letters, digits, `.`, `-` and `_` or
    /// is that of a probe (`liveness`, `readiness`, `startup`), when another group has it, and when there are 256 groups.
    pub fn group<'a>(
        &self,
        name: impl Into<Arc<str>>,
        members: impl IntoIterator<Item = &'a str>,
        now: Instant,
    ) -> Result<(), Error> {
        let name = name.into();
        Error::check_group(&name)?;
        let members: Vec<Arc<str>> = members.into_iter().map(Arc::from).collect();
        self.shared.change(Some(now), |state, _| {
            let there = |member: &&Arc<str>| state.checks.iter().any(|entry| entry.name == **member);
            if let Some(missing) = members.iter().find(|member| !there(member)) {
                return Err(Error::not_there(missing.clone()));
            }
            if state.groups.iter().any(|group| group.name == name) {
                return Err(Error::group_taken(name));
            }
            if state.groups.len() >= MAX_GROUPS {
                return Err(Error::too_many_groups(name));
            }
            state.groups.push(Group { name, members: members.into() });
            state.moved = true;
            Ok(())
        })
    }

    /// The names in [`Settings::checks`] that no check and no reporter has: mistakes, once all are there.
    pub fn unknown_settings(&self) -> Vec<String> {
        let names = self.check_names();
        let there = |name: &&String| names.iter().any(|check| **check == ***name);
        self.shared.settings.checks.keys().filter(|name| !there(name)).cloned().collect()
    }

    /// The name of every check and reporter, in order of registration.
    pub fn check_names(&self) -> Vec<Arc<str>> {
        self.shared.read(|state| state.checks.iter().map(|entry| entry.name.clone()).collect())
    }

    /// Makes liveness fail until the same source [restores](Health::restore_liveness) it: the orchestrator will
    /// restart the process. Only for what a restart cures, never for a dependency.
    pub fn fail_liveness(&self, source: &'static str, reason: impl Into<String>, now: Instant) {
        let reason = bounded(reason.into());
        self.shared.change(Some(now), |state, _| put(&mut state.not_live, source, reason));
    }

    /// Takes back what this source said about liveness.
    pub fn restore_liveness(&self, source: &'static str, now: Instant) {
        self.shared.change(Some(now), |state, _| state.not_live.retain(|(other, _)| *other != source));
    }

    /// Makes readiness fail until the same source [releases](Health::release_readiness) it: no requests, no restart.
    pub fn hold_readiness(&self, source: &'static str, reason: impl Into<String>, now: Instant) {
        let reason = bounded(reason.into());
        self.shared.change(Some(now), |state, _| put(&mut state.not_ready, source, reason));
    }

    /// Takes back what this source said about readiness.
    pub fn release_readiness(&self, source: &'static str, now: Instant) {
        self.shared.change(Some(now), |state, _| state.not_ready.retain(|(other, _)| *other != source));
    }

    /// The answer alone, without allocating.
    pub fn verdict(&self, probe: Probe, now: Instant) -> Verdict {
        self.shared.look(now, |state, asked| state.verdict(probe, asked))
    }

    /// The answer to the startup probe: whether it has come up. It stays so, also while draining.
    pub fn startup(&self, now: Instant) -> Report {
        self.report(Probe::Startup, &[], now)
    }

    /// The answer to the liveness probe. No check moves it, and draining does not.
    pub fn liveness(&self, now: Instant) -> Report {
        self.report(Probe::Liveness, &[], now)
    }

    /// The answer to the readiness probe: running, alive, not held, and every critical check is good.
    pub fn readiness(&self, now: Instant) -> Report {
        self.report(Probe::Readiness, &[], now)
    }

    /// [`readiness`](Health::readiness) as if some checks were not there. A name that no check has changes nothing,
    /// and is a warning in the report.
    pub fn readiness_without(&self, checks: &[&str], now: Instant) -> Report {
        self.report(Probe::Readiness, checks, now)
    }

    /// [`readiness`](Health::readiness) as if only the checks of this group were there; `None` when no group has this
    /// name. A member that is not there any more counts as failing.
    pub fn group_report(&self, name: &str, now: Instant) -> Option<Report> {
        self.shared.look(now, |state, asked| {
            let only = state.group(name)?;
            Some(state.report(Probe::Readiness, &Asked { only: Some(only), ..*asked }))
        })
    }

    /// The answer of [`group_report`](Health::group_report) alone, without allocating.
    pub fn group_verdict(&self, name: &str, now: Instant) -> Option<Verdict> {
        self.shared.look(now, |state, asked| {
            let only = state.group(name)?;
            Some(state.verdict(Probe::Readiness, &Asked { only: Some(only), ..*asked }))
        })
    }

    /// One check or reporter; `None` when none has this name.
    pub fn check_report(&self, name: &str, now: Instant) -> Option<CheckReport> {
        self.shared.look(now, |state, asked| {
            let entry = state.checks.iter().find(|entry| &*entry.name == name)?;
            Some(entry.report(asked.now, false))
        })
    }

    /// Everything, at one moment.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        self.shared.look(now, |state, asked| Snapshot {
            lifecycle: asked.lifecycle,
            startup: state.report(Probe::Startup, asked),
            liveness: state.report(Probe::Liveness, asked),
            readiness: state.report(Probe::Readiness, asked),
        })
    }

    /// Lets time pass, and takes what has changed since the last call, in order. At most 256 events wait; older ones
    /// are dropped and [counted](Event::Lost).
    ///
    /// Answers do not depend on this being called. Call it after [`changed`](Health::changed), and at
    /// [`next_stale`](Health::next_stale).
    pub fn advance(&self, now: Instant) -> Vec<Event> {
        self.shared.advance(now)
    }

    /// Waits until there is something for [`advance`](Health::advance) to take, which is for one consumer to do.
    ///
    /// Cancel safe.
    pub async fn changed(&self) {
        poll_fn(
            |cx| if self.shared.has_events_or_wakes(cx.waker()) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
    }

    /// When the next check will be stale, if no result comes first.
    pub fn next_stale(&self, now: Instant) -> Option<Instant> {
        self.shared.look(now, |state, asked| {
            let stale_at = |entry: &Entry| match (&entry.gone, &entry.source) {
                (None, Source::Checked(check)) => Some(check.stale_at()).filter(|moment| *moment > asked.now),
                _ => None,
            };
            state.checks.iter().filter_map(stale_at).min()
        })
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn watcher(&self) -> Option<crate::state::Watcher> {
        crate::state::Watcher::new(&self.shared)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn verdict_without(&self, probe: Probe, without: &[&str], now: Instant) -> Verdict {
        self.shared.look(now, |state, asked| state.verdict(probe, &Asked { without, ..*asked }))
    }

    pub(crate) fn report(&self, probe: Probe, without: &[&str], now: Instant) -> Report {
        self.shared.look(now, |state, asked| state.report(probe, &Asked { without, ..*asked }))
    }

    fn seat(
        &self,
        name: Arc<str>,
        importance: Importance,
        now: Instant,
        source: impl FnOnce(Instant) -> Source,
    ) -> Result<Seat, Error> {
        Error::check(&name)?;
        let id = self.shared.change(Some(now), |state, now| {
            let id = state.next_id();
            let entry = Entry { id, name: name.clone(), importance, source: source(now), gone: None };
            match state.checks.iter().position(|other| other.name == name) {
                // Who was restarted takes its own place again.
                Some(nth) if state.checks[nth].gone.is_some() => state.checks[nth] = entry,
                Some(_) => return Err(Error::taken(name.clone())),
                None if state.checks.len() >= MAX_CHECKS => return Err(Error::too_many(name.clone())),
                None => state.checks.push(entry),
            }
            Ok(id)
        })?;
        Ok(Seat { shared: self.shared.clone(), id, name })
    }
}

fn put(list: &mut Vec<(&'static str, Arc<str>)>, source: &'static str, reason: Arc<str>) {
    match list.iter_mut().find(|(other, _)| *other == source) {
        Some((_, old)) => *old = reason,
        None => list.push((source, reason)),
    }
}

#[cfg(test)]
mod tests;
