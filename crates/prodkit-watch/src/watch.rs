use crate::backend::{self, Open};
use crate::bell::Bell;
use crate::eyes::Eyes;
use crate::handle::{Blind, Handle};
use crate::look::Look;
use crate::mounts::Mounts;
use crate::options::Options;
use crate::route::Route;
use crate::signs::{self, Done, LONGEST, Step};
use crate::state::{Reader, State};
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Reading more than this at a stretch is unkind to the tasks of the same thread, in bytes.
const STRETCH: u64 = 256 << 10;

/// A set of paths that is looked at again whenever what they hold has changed.
///
/// It does nothing and says nothing unless [`changed`](Self::changed) is awaited, apart from the thread that `notify` has for
/// the events. Dropping it ends that thread.
pub struct Watch {
    bell: Arc<Bell>,
    eyes: Eyes,
    reader: Reader,
    quiet: Duration,
    poll: Duration,
    paths: Vec<Watched>,
    mounts: Mounts,
    /// The blind spots that have been said.
    told: Vec<(PathBuf, Blind)>,
    done: Done,
    doubt: Option<Doubt>,
}

struct Watched {
    path: PathBuf,
    /// As of the last look, or of when it was set.
    state: State,
}

/// A difference that may pass, such as a file that an editor is just replacing.
struct Doubt {
    states: Vec<State>,
    since: Instant,
    first: Instant,
}

impl Watch {
    /// Watches nothing yet. Where the operating system has no events to give, it polls: see
    /// [`Handle::health`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        let open: Open = Box::new(backend::native);
        Self::with(options, options.events.then_some(open))
    }

    fn with(options: Options, open: Option<Open>) -> Self {
        let bell = Arc::new(Bell::new());
        let now = Instant::now();
        Self {
            eyes: Eyes::new(bell.clone(), open),
            bell,
            reader: Reader::new(),
            quiet: options.quiet,
            poll: options.poll,
            paths: Vec::new(),
            mounts: Mounts::default(),
            told: Vec::new(),
            done: Done { events: 0, touches: 0, not_before: now, poll_at: now + options.poll },
            doubt: None,
        }
    }

    /// Watches these paths and no others from now on, and returns whether one of them was not watched before.
    ///
    /// Then whatever was read from that path before may be old already: read it again. What a path that stays in the set
    /// was like at the last look is kept, so nothing is missed however often the set changes. Relative paths are taken
    /// from the working directory of this moment. Reads the new paths, on the spot.
    pub fn set<P: Into<PathBuf>>(&mut self, paths: impl IntoIterator<Item = P>) -> bool {
        let mut before: Vec<_> = std::mem::take(&mut self.paths);
        let mut seen = HashSet::new();
        let mut new = Vec::new();
        for path in paths {
            let path: PathBuf = path.into();
            // Only an empty path has no absolute form, and it leads nowhere either way.
            let path = std::path::absolute(&path).unwrap_or(path);
            if !seen.insert(path.clone()) {
                continue;
            }
            let known = before.iter().position(|watched| watched.path == path);
            let state = known.map(|index| before.swap_remove(index).state);
            if state.is_none() {
                new.push(self.paths.len());
            }
            self.paths.push(Watched { path, state: state.unwrap_or(State::Special) });
        }
        if new.is_empty() && before.is_empty() {
            return false;
        }
        self.doubt = None;
        let routes = self.routes();
        self.eyes.follow(&routes, self.bell.news(), false);
        for index in &new {
            if let Some(watched) = self.paths.get_mut(*index) {
                watched.state = self.reader.read(&watched.path).0;
            }
        }
        self.mounts = Mounts::of_this_process();
        self.examine(&routes);
        !new.is_empty()
    }

    /// Waits until the content of the set differs from what it was at the last look, or until a look is forced.
    ///
    /// Any number of changes before it is awaited are one look, and a change back to what was there is none. While it
    /// is not awaited nothing is read and nothing is lost. Cancel safe.
    pub async fn changed(&mut self) -> Look {
        loop {
            self.tell();
            match self.bell.next(&self.done, self.quiet, Instant::now()) {
                Step::Sleep(until) => sleep_until(until).await,
                // To be woken too often is harmless: the next step is asked for anew.
                Step::Listen(until) => drop(timeout_at(until, self.bell.heard()).await),
                Step::Check => {
                    if let Some(look) = self.check().await {
                        return look;
                    }
                }
            }
        }
    }

    /// Forces looks and tells the health, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { bell: self.bell.clone() }
    }

    async fn check(&mut self) -> Option<Look> {
        let start = Instant::now();
        let (events, touches, patient) = self.bell.begin();
        let (announced, forced) = (events != self.done.events, touches != self.done.touches);
        // First watch, then read.
        let routes = self.routes();
        self.eyes.follow(&routes, self.bell.news(), start >= self.done.poll_at);
        let states = self.read().await;
        let end = Instant::now();
        self.done.not_before = end + signs::pause(end - start);
        self.bell.health(|health| health.checks += 1);
        if patient && self.bell.is_held(self.quiet, end) {
            // Somebody began to write meanwhile, and half of it may have been read.
            return None;
        }

        self.done.events = events;
        self.done.poll_at = end + self.poll;
        let pairs = || self.paths.iter().zip(&states);
        let changed = pairs().any(|(watched, state)| watched.state != *state);
        let vanished = pairs().any(|(watched, state)| state.is_lost() && !watched.state.is_lost());
        if !changed {
            self.doubt = None;
        }
        if forced || changed && (announced && !vanished || self.believes(&states, end)) {
            self.done.touches = touches;
            return Some(self.look(states, &routes, forced));
        }
        None
    }

    /// Whether a difference that may pass has stayed for long enough; else checks again soon.
    fn believes(&mut self, states: &[State], now: Instant) -> bool {
        let doubt =
            self.doubt.get_or_insert_with(|| Doubt { states: states.to_vec(), since: now, first: now });
        if doubt.states != states {
            doubt.states = states.to_vec();
            doubt.since = now;
        }
        let until = (doubt.since + self.quiet).min(doubt.first + LONGEST);
        self.done.poll_at = until;
        now >= until
    }

    fn look(&mut self, states: Vec<State>, routes: &[Route], forced: bool) -> Look {
        let mut paths = Vec::new();
        for (watched, state) in self.paths.iter_mut().zip(states) {
            if std::mem::replace(&mut watched.state, state) != state {
                paths.push(watched.path.clone());
            }
        }
        self.doubt = None;
        self.done.poll_at = Instant::now() + self.poll;
        self.examine(routes);
        self.bell.health(|health| health.looks += 1);
        Look { paths, forced }
    }

    fn routes(&self) -> Vec<Route> {
        self.paths.iter().map(|watched| Route::to(&watched.path)).collect()
    }

    async fn read(&mut self) -> Vec<State> {
        let mut states = Vec::with_capacity(self.paths.len());
        let mut stretch = 0;
        for watched in &self.paths {
            let (state, length) = self.reader.read(&watched.path);
            states.push(state);
            stretch += length;
            if stretch > STRETCH {
                stretch = 0;
                tokio::task::yield_now().await;
            }
        }
        states
    }

    /// Finds the paths whose changes cannot be seen.
    fn examine(&self, routes: &[Route]) {
        let blind = |(watched, route): (&Watched, &Route)| {
            let kind = match watched.state {
                _ if route.end.as_deref().is_some_and(|end| self.mounts.freeze(end)) => Blind::Mount,
                state if state.is_cut() => Blind::TooLarge,
                _ => return None,
            };
            Some((watched.path.clone(), kind))
        };
        let blind = self.paths.iter().zip(routes).filter_map(blind).collect();
        self.bell.health(|health| health.blind = blind);
    }

    /// Says what cannot be seen, once. Not before it is awaited: a service watches what its log is made of, and a word
    /// that comes before the log is lost.
    fn tell(&mut self) {
        self.eyes.tell();
        let blind = self.bell.health(|health| health.blind.clone());
        for (path, kind) in blind.iter().filter(|found| !self.told.contains(found)) {
            tracing::warn!(path = %path.display(), "changes cannot be seen: {}", kind.reason());
        }
        self.told = blind;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.paths.iter().map(|watched| &watched.path);
        f.debug_struct("Watch").field("paths", &paths.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
