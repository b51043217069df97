//! Everything a [`Health`](crate::Health) knows, and what follows from a change of it. The rules are in `rules`.

use crate::entry::Entry;
use crate::rules::Asked;
use crate::{Event, Lifecycle, Probe, Settings, Status, Verdict, lifecycle};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Instant;

/// How many events wait for whoever takes them.
const MAX_EVENTS: usize = 256;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) lifecycle: lifecycle::Cell,
    pub(crate) settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    /// The latest moment anybody told us of. Time does not go back, and guards are dropped without one.
    now: Instant,
    next_id: u64,
    /// The owner said that nothing more is to come before the start is over.
    pub(crate) started: bool,
    /// The start was over at some moment.
    pub(crate) has_run: bool,
    pub(crate) holds: Vec<Held>,
    pub(crate) not_live: Vec<(&'static str, Arc<str>)>,
    pub(crate) not_ready: Vec<(&'static str, Arc<str>)>,
    pub(crate) checks: Vec<Entry>,
    pub(crate) groups: Vec<Group>,
    answered: (bool, Verdict),
    events: VecDeque<Event>,
    lost: u64,
    wakers: Vec<Waker>,
    /// Something has moved since the watchers were woken.
    pub(crate) moved: bool,
    /// Who looks again whenever something moves.
    watchers: Vec<(u64, Option<Waker>)>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) members: Box<[Arc<str>]>,
}

#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) since: Instant,
    /// Why it is still held.
    pub(crate) reason: Option<Arc<str>>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let state = State {
            now,
            next_id: 0,
            started: false,
            has_run: false,
            holds: Vec::new(),
            not_live: Vec::new(),
            not_ready: Vec::new(),
            checks: Vec::new(),
            groups: Vec::new(),
            answered: (true, Verdict::Fail),
            events: VecDeque::new(),
            lost: 0,
            wakers: Vec::new(),
            moved: false,
            watchers: Vec::new(),
        };
        Self { lifecycle: lifecycle::Cell::default(), settings, state: Mutex::new(state) }
    }

    /// Looks at what no moment changes.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks, at a moment that is never before one already seen.
    pub(crate) fn look<T>(&self, now: Instant, f: impl FnOnce(&State, &Asked<'_>) -> T) -> T {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that all parts of an answer belong together.
        let lifecycle = self.lifecycle.load();
        f(&state, &Asked::everything(&self.settings, lifecycle, now.max(state.now)))
    }

    /// Lets time pass, and takes the events.
    pub(crate) fn advance(&self, now: Instant) -> Vec<Event> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.max(state.now);
        state.now = now;
        state.let_time_pass(now);
        state.settle(self, now);
        let (events, watchers) = (state.take_events(), state.take_watchers());
        drop(state);
        watchers.into_iter().for_each(Waker::wake);
        events
    }

    /// Whether there are events; if not, the waker is woken when there are.
    pub(crate) fn has_events_or_wakes(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.events.is_empty() && !state.wakers.iter().any(|other| other.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        !state.events.is_empty()
    }

    /// Changes something, then works out what follows from it, and wakes who waits for events.
    pub(crate) fn change<T>(&self, now: Option<Instant>, f: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.map_or(state.now, |now| now.max(state.now));
        state.now = now;
        state.let_time_pass(now);
        let output = f(&mut state, now);
        state.settle(self, now);
        let mut wakers = if state.events.is_empty() { Vec::new() } else { std::mem::take(&mut state.wakers) };
        wakers.extend(state.take_watchers());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        output
    }
}

impl State {
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn event(&mut self, event: Event) {
        self.moved = true;
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.lost += 1;
        }
        self.events.push_back(event);
    }

    fn take_watchers(&mut self) -> Vec<Waker> {
        if std::mem::take(&mut self.moved) {
            self.watchers.iter_mut().filter_map(|(_, waker)| waker.take()).collect()
        } else {
            Vec::new()
        }
    }

    fn take_events(&mut self) -> Vec<Event> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then_some(Event::Lost(lost)).into_iter().chain(self.events.drain(..)).collect()
    }

    pub(crate) fn group(&self, name: &str) -> Option<&[Arc<str>]> {
        self.groups.iter().find(|group| &*group.name == name).map(|group| &*group.members)
    }

    pub(crate) fn check(&mut self, id: u64) -> Option<&mut Entry> {
        self.checks.iter_mut().find(|entry| entry.id == id)
    }

    /// Notes that the check of this id was at `from`.
    pub(crate) fn moved(&mut self, id: u64, from: Status, now: Instant) {
        if let Some(entry) = self.check(id) {
            let (to, reason) = (entry.status(now), entry.reason(now));
            let event =
                Event::Check { name: entry.name.clone(), importance: entry.importance, from, to, reason };
            self.event(event);
        }
    }

    fn let_time_pass(&mut self, now: Instant) {
        for nth in 0..self.checks.len() {
            if let Some(from) = self.checks[nth].advance(now) {
                self.moved(self.checks[nth].id, from, now);
            }
        }
    }

    fn settle(&mut self, shared: &Shared, now: Instant) {
        if self.started && self.holds.is_empty() {
            self.enter(shared, Lifecycle::Running);
        }
        let asked = Asked::everything(&shared.settings, shared.lifecycle.load(), now);
        let live = self.verdict(Probe::Liveness, &asked).is_ok();
        let ready = self.verdict(Probe::Readiness, &asked);
        let (was_live, was_ready) = std::mem::replace(&mut self.answered, (live, ready));
        if live != was_live {
            let reasons = self.reasons(Probe::Liveness, &asked);
            self.event(Event::Liveness { live, reasons });
        }
        if ready != was_ready {
            let reasons = self.reasons(Probe::Readiness, &asked);
            self.event(Event::Readiness { from: was_ready, to: ready, reasons });
        }
    }

    pub(crate) fn enter(&mut self, shared: &Shared, to: Lifecycle) {
        if let Some(from) = shared.lifecycle.advance(to) {
            self.has_run |= to == Lifecycle::Running;
            self.event(Event::Lifecycle { from, to });
        }
    }
}

/// How many watch at a time.
#[cfg(feature = "grpc")]
const MAX_WATCHERS: usize = 1_024;

/// The place of one who looks again whenever something moves.
#[cfg(feature = "grpc")]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    id: u64,
}

#[cfg(feature = "grpc")]
impl Watcher {
    /// `None` when there are too many.
    pub(crate) fn new(shared: &Arc<Shared>) -> Option<Self> {
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.watchers.len() >= MAX_WATCHERS {
            return None;
        }
        let id = state.next_id();
        state.watchers.push((id, None));
        Some(Self { shared: shared.clone(), id })
    }

    /// Has this waker woken when something moves, once.
    pub(crate) fn wake_by(&self, waker: &Waker) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = state.watchers.iter_mut().find(|(id, _)| *id == self.id);
        let old = place.and_then(|(_, place)| place.replace(waker.clone()));
        // A waker may be the last to hold its task, and a task what comes back to this lock.
        drop(state);
        drop(old);
    }
}

#[cfg(feature = "grpc")]
impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = state.watchers.iter().position(|(id, _)| *id == self.id);
        let place = nth.map(|nth| state.watchers.swap_remove(nth));
        // As above.
        drop(state);
        drop(place);
    }
}
