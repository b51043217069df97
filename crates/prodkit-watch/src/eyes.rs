//! Keeps the directories watched that matter, as far as the operating system lets it.

use crate::backend::{Backend, Open, Refused};
use crate::bell::{Bell, Interest, News};
use crate::handle::Mode;
use crate::route::Route;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) struct Eyes {
    bell: Arc<Bell>,
    /// `None`: no events are wanted.
    open: Option<Open>,
    backend: Option<Box<dyn Backend>>,
    watched: BTreeMap<PathBuf, Identity>,
    /// What the operating system refused. Tried again with the next poll, not with the next event.
    refused: HashSet<PathBuf>,
    /// Why there is no full sight.
    trouble: Option<String>,
    /// There is something to be seen.
    watching: bool,
    /// It has been said.
    warned: bool,
}

/// Whether a directory is the one it was: names come back, and inode numbers too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl Identity {
    fn of(directory: &Path) -> Option<Self> {
        let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
        Some(Self { device: meta.dev(), inode: meta.ino(), born: meta.created().ok() })
    }
}

impl Eyes {
    pub(crate) fn new(bell: Arc<Bell>, open: Option<Open>) -> Self {
        let mut eyes = Self {
            bell,
            open,
            backend: None,
            watched: BTreeMap::new(),
            refused: HashSet::new(),
            trouble: None,
            watching: false,
            warned: false,
        };
        eyes.reopen();
        eyes.show();
        eyes
    }

    /// Watches what the routes depend on and nothing else; with `retry`, also what was refused before.
    pub(crate) fn follow(&mut self, routes: &[Route], news: News, retry: bool) {
        if news.dead {
            self.abandon("the source of events has ended");
        } else if retry {
            self.refused.clear();
            self.reopen();
        }
        let (wanted, interest) = plan(routes);
        // Before the watches, so that the first event already finds it.
        self.bell.listen_for(interest);
        self.unwatch(&wanted, &news.lost);
        self.watch(wanted);
        if self.backend.is_some() && self.refused.is_empty() {
            self.trouble = None;
        }
        if let Some(error) = news.error {
            tracing::debug!(error, "an event of the file system was lost");
        }
        self.watching = !routes.is_empty();
        self.show();
    }

    fn unwatch(&mut self, wanted: &BTreeMap<PathBuf, Identity>, lost: &[PathBuf]) {
        let stale =
            |(path, was): &(&PathBuf, &Identity)| wanted.get(*path) != Some(*was) || lost.contains(path);
        let stale: Vec<_> = self.watched.iter().filter(stale).map(|(path, _)| path.clone()).collect();
        for path in stale {
            self.watched.remove(&path);
            if let Some(backend) = &mut self.backend {
                backend.unwatch(&path);
            }
        }
        self.refused.retain(|path| wanted.contains_key(path));
    }

    fn watch(&mut self, wanted: BTreeMap<PathBuf, Identity>) {
        for (path, identity) in wanted {
            if self.watched.contains_key(&path) || self.refused.contains(&path) {
                continue;
            }
            let Some(backend) = &mut self.backend else { return };
            match backend.watch(&path) {
                Ok(()) => drop(self.watched.insert(path, identity)),
                Err(Refused::Missing) => self.bell.again(),
                Err(Refused::Dead) => self.abandon("the source of events has ended"),
                Err(Refused::Because(reason)) => {
                    self.trouble = Some(format!("{}: {reason}", path.display()));
                    self.refused.insert(path);
                }
            }
        }
    }

    fn reopen(&mut self) {
        let Some(open) = self.open.as_ref().filter(|_| self.backend.is_none()) else { return };
        match open(&self.bell) {
            Ok(backend) => {
                self.bell.alive();
                self.backend = Some(backend);
            }
            Err(error) => self.trouble = Some(error),
        }
    }

    fn abandon(&mut self, why: &str) {
        if let Some(backend) = self.backend.take() {
            backend.abandon();
        }
        self.watched.clear();
        self.refused.clear();
        self.trouble = Some(why.to_owned());
    }

    fn mode(&self) -> Mode {
        if self.backend.is_some() && self.trouble.is_none() { Mode::Events } else { Mode::Polling }
    }

    fn show(&self) {
        self.bell.health(|health| {
            health.directories = self.watched.len();
            health.last_error.clone_from(&self.trouble);
            health.mode = self.mode();
        });
    }

    /// One line when sight is lost and one when it is back, however often both were tried, and none where there is nothing
    /// to be seen.
    pub(crate) fn tell(&mut self) {
        if !self.watching {
            return;
        }
        let blinded = self.mode() == Mode::Polling && self.open.is_some();
        if blinded && !self.warned {
            let reason = self.trouble.as_deref().unwrap_or_default();
            tracing::warn!(reason, "files are polled: no events of the file system");
        } else if self.warned && !blinded {
            tracing::info!("files are watched by events again");
        }
        self.warned = blinded;
    }
}

/// The directories to watch, each under one name, and what to listen for in them.
fn plan(routes: &[Route]) -> (BTreeMap<PathBuf, Identity>, Interest) {
    let mut names: HashMap<Identity, PathBuf> = HashMap::new();
    let mut wanted = BTreeMap::new();
    let mut interest = Interest::default();
    // Through a bind mount one directory has two names, and the operating system reports events under one of them.
    let mut name = |directory: &Path| {
        let identity = Identity::of(directory)?;
        let name = names.entry(identity).or_insert_with(|| directory.to_owned()).clone();
        wanted.insert(name.clone(), identity);
        Some(name)
    };
    for route in routes {
        for (directory, last) in &route.hops {
            if let Some(directory) = name(directory) {
                interest.points.insert(directory.join(last));
            }
        }
        let end = route.end.as_deref().filter(|_| !route.sealed);
        if let Some(directory) = end.and_then(&mut name) {
            interest.whole.insert(directory);
        }
    }
    interest.directories = wanted.keys().cloned().collect();
    (wanted, interest)
}
