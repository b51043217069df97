//! What events have told, and when it is worth a check: no I/O, and time is an argument.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The longest that a file which never comes to rest is waited for.
pub(crate) const LONGEST: Duration = Duration::from_secs(1);
/// The least time between two checks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// A pause is this many times as long as the check before it, so checks take at most a twentieth of a core.
const PAUSE_PER_CHECK: u32 = 19;

/// Everything heard since the beginning. A check compares the counts with those it began with, so that nothing is lost
/// when it is cancelled half way.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Events that concern a path.
    pub(crate) events: u64,
    /// Looks that somebody asked for.
    pub(crate) touches: u64,
    /// Files that are being written.
    writers: HashMap<PathBuf, Writing>,
    /// One of them was waited for as long as can be, and then no longer.
    out_of_patience: bool,
    /// What it takes to wake the one who waits.
    wake: Wake,
}

#[derive(Clone, Copy, Debug)]
struct Writing {
    first: Instant,
    last: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wake {
    /// Nobody waits, or who waits will wake by the clock anyway.
    #[default]
    Never,
    /// Held back by open writers: more of the same changes nothing.
    Rest,
    Anything,
}

/// What has been dealt with so far, and when the clock alone is a reason to check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) events: u64,
    pub(crate) touches: u64,
    pub(crate) not_before: Instant,
    pub(crate) poll_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Check,
    /// Nothing that is heard could make it earlier.
    Sleep(Instant),
    /// Until then, or until woken.
    Listen(Instant),
}

impl Signs {
    /// Something is as it will stay: a file was closed by its writer, a name was moved, made or removed. Returns whether
    /// to wake the one who waits; so do the others.
    pub(crate) fn settled(&mut self, path: Option<&Path>) -> bool {
        if let Some(path) = path {
            self.writers.remove(path);
        }
        self.events += 1;
        std::mem::take(&mut self.wake) != Wake::Never
    }

    /// Somebody is at it.
    pub(crate) fn writing(&mut self, path: &Path, now: Instant) -> bool {
        self.events += 1;
        match self.writers.get_mut(path) {
            Some(writing) => writing.last = now,
            None => drop(self.writers.insert(path.to_owned(), Writing { first: now, last: now })),
        }
        self.wake == Wake::Anything && std::mem::take(&mut self.wake) != Wake::Never
    }

    pub(crate) fn touch(&mut self) -> bool {
        self.touches += 1;
        std::mem::take(&mut self.wake) != Wake::Never
    }

    /// What to do now.
    pub(crate) fn next(&mut self, done: &Done, quiet: Duration, now: Instant) -> Step {
        self.wake = Wake::Never;
        let heard = self.events != done.events || self.touches != done.touches;
        if !heard && now < done.poll_at {
            self.wake = Wake::Anything;
            return Step::Listen(done.poll_at);
        }
        if now < done.not_before {
            return Step::Sleep(done.not_before);
        }
        match self.held_until(quiet, now) {
            Some(until) => {
                self.wake = Wake::Rest;
                Step::Listen(until)
            }
            None => Step::Check,
        }
    }

    /// Until when open writers ask to wait; those that have been waited for long enough are forgotten.
    pub(crate) fn held_until(&mut self, quiet: Duration, now: Instant) -> Option<Instant> {
        self.out_of_patience |= self.writers.values().any(|writing| writing.first + LONGEST <= now);
        self.writers.retain(|_, writing| writing.until(quiet) > now);
        self.writers.values().map(|writing| writing.until(quiet)).max()
    }

    /// The counts at which a check begins, and whether it may give way to a file that is being written meanwhile.
    pub(crate) fn begin(&mut self) -> (u64, u64, bool) {
        (self.events, self.touches, !std::mem::take(&mut self.out_of_patience))
    }

    /// Forgets the writers of what is no longer watched, so that their number stays that of the paths.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Path) -> bool) {
        self.writers.retain(|path, _| keep(path));
    }
}

impl Writing {
    fn until(&self, quiet: Duration) -> Instant {
        (self.last + quiet).min(self.first + LONGEST)
    }
}

/// How long to leave the files alone after a check that took `took`.
pub(crate) fn pause(took: Duration) -> Duration {
    (took * PAUSE_PER_CHECK).clamp(SHORTEST_PAUSE, LONGEST)
}

#[cfg(test)]
mod tests;
