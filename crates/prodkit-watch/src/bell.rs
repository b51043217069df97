//! What the thread of the events, the handles and the one who waits share.

use crate::handle::{Health, Mode};
use crate::signs::{Done, Signs, Step};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Bell {
    inner: Mutex<Inner>,
    health: Mutex<Health>,
    ring: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    signs: Signs,
    interest: Interest,
    news: News,
    /// A backend delivers.
    alive: bool,
}

/// What events are about something that matters.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    /// Names that decide what a path leads to.
    pub(crate) points: HashSet<PathBuf>,
    /// Directories whose names matter.
    pub(crate) whole: HashSet<PathBuf>,
    /// Directories that are watched.
    pub(crate) directories: HashSet<PathBuf>,
}

/// What happened to the watching itself since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Directories whose watch is gone or points elsewhere.
    pub(crate) lost: Vec<PathBuf>,
    /// The backend is no more.
    pub(crate) dead: bool,
    pub(crate) error: Option<String>,
}

/// The events of one backend, delivered to a bell. Dropping it says that no more will come.
pub(crate) struct Line {
    bell: Arc<Bell>,
}

impl Bell {
    pub(crate) fn new() -> Self {
        let health = Health {
            mode: Mode::Polling,
            last_error: None,
            blind: Vec::new(),
            directories: 0,
            checks: 0,
            looks: 0,
        };
        Self { inner: Mutex::default(), health: Mutex::new(health), ring: Notify::new() }
    }

    pub(crate) fn line(self: &Arc<Self>) -> Line {
        Line { bell: self.clone() }
    }

    /// From here on, the end of the line is the death of a backend rather than a failure to start one.
    pub(crate) fn alive(&self) {
        self.inner().alive = true;
    }

    pub(crate) fn health<T>(&self, with: impl FnOnce(&mut Health) -> T) -> T {
        with(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn touch(&self) {
        let wake = self.inner().signs.touch();
        self.wake(wake);
    }

    pub(crate) fn next(&self, done: &Done, quiet: Duration, now: Instant) -> Step {
        self.inner().signs.next(done, quiet, now)
    }

    /// Waits until something is heard that may make the next step come earlier. Cancel safe.
    pub(crate) async fn heard(&self) {
        self.ring.notified().await;
    }

    /// See [`Signs::begin`].
    pub(crate) fn begin(&self) -> (u64, u64, bool) {
        self.inner().signs.begin()
    }

    /// What has to be repaired before a check.
    pub(crate) fn news(&self) -> News {
        std::mem::take(&mut self.inner().news)
    }

    pub(crate) fn is_held(&self, quiet: Duration, now: Instant) -> bool {
        self.inner().signs.held_until(quiet, now).is_some()
    }

    pub(crate) fn listen_for(&self, interest: Interest) {
        let mut inner = self.inner();
        inner.signs.retain(|path| interest.points.contains(path));
        inner.interest = interest;
    }

    /// Something is not as it was a moment ago: check again soon.
    pub(crate) fn again(&self) {
        let wake = self.inner().signs.settled(None);
        self.wake(wake);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, wake: bool) {
        if wake {
            self.ring.notify_one();
        }
    }
}

impl Line {
    pub(crate) fn event(&self, event: &Event) {
        // Most of all events are files being opened, our own reads among them.
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        if matches!(event.kind, EventKind::Access(_)) && event.kind != close {
            return;
        }
        let mut inner = self.bell.inner();
        let mut wake = false;
        if event.need_rescan() {
            wake |= inner.signs.settled(None);
        }
        for path in &event.paths {
            wake |= inner.hear(event.kind, path);
        }
        drop(inner);
        self.bell.wake(wake);
    }

    pub(crate) fn error(&self, error: &notify::Error) {
        let mut inner = self.bell.inner();
        inner.news.error = Some(error.to_string());
        let wake = inner.signs.settled(None);
        drop(inner);
        self.bell.wake(wake);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut inner = self.bell.inner();
        if !std::mem::take(&mut inner.alive) {
            return;
        }
        inner.news.dead = true;
        let wake = inner.signs.settled(None);
        drop(inner);
        self.bell.wake(wake);
    }
}

impl Inner {
    fn hear(&mut self, kind: EventKind, path: &Path) -> bool {
        let moved = matches!(
            kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let watched = self.interest.directories.contains(path);
        if watched && moved {
            // Gone or moved away: a watch stays with the directory, not with its name, and ends with what is below.
            let below = self.interest.directories.iter().filter(|directory| directory.starts_with(path));
            self.news.lost.extend(below.cloned());
            self.news.lost.sort_unstable();
            self.news.lost.dedup();
        }
        if self.interest.points.contains(path) {
            return match kind {
                EventKind::Modify(ModifyKind::Data(_)) => self.signs.writing(path, Instant::now()),
                // A new file is open and empty; a link is complete.
                EventKind::Create(CreateKind::File | CreateKind::Any) if !path.is_symlink() => {
                    self.signs.writing(path, Instant::now())
                }
                _ => self.signs.settled(Some(path)),
            };
        }
        let named = || path.parent().is_some_and(|parent| self.interest.whole.contains(parent));
        if watched || (moved && named()) { self.signs.settled(None) } else { false }
    }
}
