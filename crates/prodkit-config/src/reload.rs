//! A configuration that moves: look again, read, type, prepare, commit, all or nothing.

mod cells;
mod compare;
mod error;
mod resolve;
mod stamp;
mod status;

pub(crate) use cells::Spot;
pub use error::ReloadError;
pub use resolve::Resolve;
pub use status::{Commit, Outcome, Snapshot, Status};

use crate::error::{Errors, Warning};
use crate::layers::Layers;
use crate::load::Loaded;
use crate::tree::Tree;
use cells::{Cells, Planned};
use prodkit_live::Prepared;
use prodkit_watch::{Handle, Options, Watch};
use serde::de::DeserializeOwned;
use status::Current;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until, timeout};

/// How often a set of files that changes while it is read is read again before it is taken as it is.
const ROUNDS: usize = 8;
/// The first and the longest pause before a configuration that something refused is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// Keeps the [`Live`](prodkit_live::Live) fields of a loaded configuration up to date with its sources.
///
/// ```
/// use prodkit_config::{Layers, Outcome, Reload, WatchOptions};
/// use prodkit_live::Live;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Config {
///     threads: usize,      // fixed: a change is pending until the next start
///     limits: Live<Limits> // moves
/// }
///
/// #[derive(Deserialize)]
/// struct Limits {
///     per_second: u32,
/// }
///
/// # #[derive(Deserialize)] struct Settings {}
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("config.yaml");
/// # let write = |text: &str| { std::fs::write(directory.path().join("new"), text)?; std::fs::rename(directory.path().join("new"), &path) };
/// write("threads: 4\nlimits: {per_second: 100}\n")?;
/// let layers = Layers::new().file(&path);
/// let (loaded, mut reload) = Reload::<Settings, Config>::start(layers, &[], WatchOptions::default())?;
/// let limits = loaded.config.limits.clone();
///
/// write("threads: 8\nlimits: {per_second: 200}\n")?;
/// let Outcome::Committed(commit) = reload.next().await else { panic!("it is fine") };
/// assert_eq!(limits.get().per_second, 200);
/// assert_eq!((commit.moved, commit.pending), (vec!["limits".to_owned()], vec!["threads".to_owned()]));
///
/// write("threads: 8\nlimits: {per_second: many}\n")?;
/// let Outcome::Refused(error) = reload.next().await else { panic!("it is not") };
/// assert!(error.to_string().contains(":2:22: limits.per_second: expected a whole number"));
/// assert_eq!((limits.get().per_second, reload.status().generation), (200, 1));
/// # Ok(()) }
/// ```
///
/// # What moves
///
/// Every handle of a `Live` whose value in the sources has changed, and no other: what is derived from a section is
/// built anew only when that section changes. A `Live` inside a `Live` moves by itself, and handles taken from inside
/// one keep moving after it has been replaced.
///
/// A `Live` inside a list or map moves as long as the list has the same elements: of the same number, with the same fixed
/// values; or the map the same keys. Otherwise nothing inside moves, since no one could say which element is which, and
/// the list or map is pending, unless it is itself inside a `Live`.
///
/// A `Live` whose key is absent, and which serde makes from a default, moves once the key appears, and back to
/// the default once it goes. Where a section has several of the same type without a key, nobody can tell
/// which of them it is, and the key is pending.
///
/// Everything else that changes is **pending**: it takes a restart.
pub struct Reload<S, C> {
    layers: Layers,
    reserved: &'static [&'static str],
    prepare_timeout: Duration,
    watch: Watch,
    files: Vec<PathBuf>,
    /// What the fixed values were read from.
    start: Arc<Tree>,
    current: Current,
    previous: Option<Current>,
    /// What was before that. A large tree takes a while to let go of, and nobody waits for it after the commit.
    old: Option<Current>,
    /// What was taken back: not to be taken again before the sources say something else.
    taken_back: Option<Arc<Tree>>,
    cells: Cells,
    status: Status,
    dirty: bool,
    /// Nobody asked for the next look: it is only told if it finds something.
    quiet: bool,
    retry: Option<Retry>,
    resolve: Option<Box<dyn Resolve>>,
    types: PhantomData<fn() -> (S, C)>,
}

struct Retry {
    at: Instant,
    pause: Duration,
}

/// A candidate that everybody has agreed to.
struct Ready {
    current: Current,
    prepared: Prepared,
    planned: Planned,
    warnings: Vec<Warning>,
}

impl<S: DeserializeOwned, C: DeserializeOwned> Reload<S, C> {
    /// Reads and types the sources, as [`Layers::read`] and [`Tree::load`] do, and watches them from then on.
    ///
    /// Keep the returned values, or what is needed of them: the handles of `Live` fields are what moves.
    ///
    /// # Errors
    ///
    /// Those of [`Layers::read`] and [`Tree::load`].
    pub fn start(
        layers: Layers,
        reserved: &'static [&'static str],
        options: Options,
    ) -> Result<(Loaded<S, C>, Self), Errors> {
        let mut watch = Watch::new(options);
        let mut files = Vec::new();
        let tree = Arc::new(read(&layers, &mut watch, &mut files)?);
        let mut loaded = tree.load::<S, C>(reserved)?;
        let cells = Cells::new(std::mem::take(&mut loaded.live), &tree);
        let current = Current { tree: Arc::clone(&tree), secrets: loaded.secrets.as_slice().into() };
        let status = Status {
            generation: 0,
            hash: current.hash(),
            loaded_at: SystemTime::now(),
            last_error: None,
            pending: Vec::new(),
        };
        let reload = Self {
            layers,
            reserved,
            prepare_timeout: Duration::from_secs(10),
            watch,
            files,
            start: tree,
            current,
            previous: None,
            old: None,
            taken_back: None,
            cells,
            status,
            dirty: false,
            quiet: false,
            retry: None,
            resolve: None,
            types: PhantomData,
        };
        Ok((loaded, reload))
    }

    /// Waits until the sources may have changed, and takes what they say then, if it holds.
    ///
    /// In this order: all files and variables are read and typed; what they [name](Self::resolving) is found; what derives from the changed values is built
    /// and verified; then all of it is committed at once. The first that fails ends it, and nothing has changed. When
    /// the sources change meanwhile, what is being built is dropped, and it begins anew.
    ///
    /// Cancel safe: a look that was cut short is taken again by the next call. Call it in a loop; between calls nothing is
    /// looked at, and nothing is missed.
    pub async fn next(&mut self) -> Outcome {
        self.old = None;
        loop {
            if !self.dirty {
                self.look().await;
                self.dirty = true;
            }
            let (tree, loaded) = match self.candidate() {
                Ok(Some(candidate)) => candidate,
                Ok(None) if self.quiet => {
                    (self.dirty, self.quiet) = (false, false);
                    continue;
                }
                Ok(None) => return self.nothing_new(),
                Err(error) => return self.refuse(error),
            };
            let Self { resolve, watch, cells, start, prepare_timeout, .. } = self;
            let ready = tokio::select! {
                biased;
                ready = timeout(*prepare_timeout, ready(resolve, cells, start, &tree, loaded)) => ready,
                _ = watch.changed() => continue,
            };
            return match ready {
                Err(_) => self.refuse(ReloadError::TimedOut(self.prepare_timeout)),
                Ok(Err(error)) => self.refuse(error),
                Ok(Ok(ready)) => {
                    self.taken_back = None;
                    self.commit(ready)
                }
            };
        }
    }

    /// Takes the last commit back: what was loaded before is loaded again, the way any configuration is. What the
    /// sources say now is not taken again before they say something else.
    ///
    /// Cancel safe: then nothing was taken back. `Unchanged` when there is nothing to go back to.
    pub async fn take_back(&mut self) -> Outcome {
        let Some(previous) = self.previous.clone() else { return Outcome::Unchanged };
        let loaded = match self.typed(&previous.tree) {
            Ok(loaded) => loaded,
            Err(error) => return Outcome::Refused(error),
        };
        let Self { resolve, cells, start, prepare_timeout, .. } = self;
        match timeout(*prepare_timeout, ready(resolve, cells, start, &previous.tree, loaded)).await {
            Err(_) => Outcome::Refused(ReloadError::TimedOut(self.prepare_timeout)),
            Ok(Err(error)) => Outcome::Refused(error),
            Ok(Ok(ready)) => {
                self.taken_back = Some(Arc::clone(&self.current.tree));
                self.commit(ready)
            }
        }
    }

    async fn look(&mut self) {
        let Self { watch, retry, .. } = self;
        let again = async {
            match retry {
                Some(retry) => sleep_until(retry.at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = watch.changed() => self.retry = None,
            () = again => {}
        }
    }

    /// What the sources say; `None` when that is what is loaded, or what was taken back.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn candidate(&mut self) -> Result<Option<(Arc<Tree>, Loaded<S, C>)>, ReloadError> {
        let tree = read(&self.layers, &mut self.watch, &mut self.files).map_err(ReloadError::Invalid)?;
        if tree == *self.current.tree || self.taken_back.as_deref() == Some(&tree) {
            return Ok(None);
        }
        let tree = Arc::new(tree);
        let loaded = self.typed(&tree)?;
        Ok(Some((tree, loaded)))
    }

    fn typed(&mut self, tree: &Tree) -> Result<Loaded<S, C>, ReloadError> {
        let mut typed = None;
        let mut load = || typed = Some(catch_unwind(AssertUnwindSafe(|| tree.load::<S, C>(self.reserved))));
        match &mut self.resolve {
            Some(resolve) => resolve.note(tree, &mut load),
            None => load(),
        }
        let typed = typed.ok_or(ReloadError::Panicked)?;
        typed.map_err(|_| ReloadError::Panicked)?.map_err(ReloadError::Invalid)
    }

    fn commit(&mut self, ready: Ready) -> Outcome {
        let Ready { current, prepared, planned, warnings } = ready;
        prepared.commit();
        if let Some(resolve) = &mut self.resolve {
            resolve.taken();
        }
        self.settle(current, planned, warnings)
    }

    fn settle(&mut self, current: Current, planned: Planned, warnings: Vec<Warning>) -> Outcome {
        let Planned { moved, pending, .. } = &planned;
        let (moved, pending) = (moved.clone(), pending.clone());
        let generation = self.status.generation + 1;
        let hash = current.hash();
        let hashes = (self.status.hash, hash);
        self.cells.commit(planned, &current.tree, generation);
        self.old = self.previous.replace(std::mem::replace(&mut self.current, current));
        let (loaded_at, last_error) = (SystemTime::now(), None);
        self.status = Status { generation, hash, loaded_at, last_error, pending: pending.clone() };
        (self.dirty, self.quiet, self.retry) = (false, false, None);
        Outcome::Committed(Commit { moved, pending, warnings, hashes })
    }

    fn nothing_new(&mut self) -> Outcome {
        (self.dirty, self.retry) = (false, None);
        self.status.last_error = None;
        Outcome::Unchanged
    }

    fn refuse(&mut self, error: ReloadError) -> Outcome {
        (self.dirty, self.quiet) = (false, false);
        self.status.last_error = Some(error.to_string());
        self.retry = error.is_transient().then(|| {
            let pause = self.retry.as_ref().map_or(RETRY.0, |retry| (retry.pause * 2).min(RETRY.1));
            Retry { at: Instant::now() + pause, pause }
        });
        Outcome::Refused(error)
    }
}

impl<S, C> Reload<S, C> {
    /// How long what derives from a new configuration may take to be built and verified: 10 seconds by default.
    #[must_use]
    pub fn prepare_timeout(mut self, timeout: Duration) -> Self {
        self.prepare_timeout = timeout;
        self
    }

    /// Has `resolve` find what a new configuration names, between typing it and asking what follows from it. What was
    /// loaded at the start is the caller's to resolve.
    #[must_use]
    pub fn resolving(mut self, resolve: impl Resolve + 'static) -> Self {
        self.resolve = Some(Box::new(resolve));
        self
    }

    /// Watches in another way, from now on: the settings that say how are often themselves in the sources. Handles given
    /// out before are of no more use.
    #[must_use]
    pub fn watching(mut self, options: Options) -> Self {
        self.watch = Watch::new(options);
        self.files.clear();
        // What changed before this watch began.
        (self.dirty, self.quiet) = (true, true);
        self
    }

    /// Asks for a look from anywhere, and tells how well the sources can be watched.
    pub fn handle(&self) -> Handle {
        self.watch.handle()
    }

    /// What is loaded, and how the last attempt went.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What is loaded.
    pub fn tree(&self) -> &Arc<Tree> {
        &self.current.tree
    }

    /// What is loaded, to be kept and shown elsewhere.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { status: self.status.clone(), current: self.current.clone() }
    }
}

impl<S, C> fmt::Debug for Reload<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Finds what is named, compares, and has everything that follows built and verified.
async fn ready<S, C>(
    resolve: &mut Option<Box<dyn Resolve>>,
    cells: &Cells,
    start: &Tree,
    tree: &Arc<Tree>,
    loaded: Loaded<S, C>,
) -> Result<Ready, ReloadError> {
    if let Some(resolve) = resolve {
        resolve.resolve().await.map_err(ReloadError::Unresolved)?;
    }
    let (change, planned, current, warnings) = {
        let Loaded { settings, config, warnings, live, secrets } = loaded;
        let planned = cells.plan(start, tree, live);
        // Only now: a cell has to be there to give its value on.
        drop((settings, config));
        let (change, planned) = planned.map_err(ReloadError::Refused)?;
        (change, planned, Current { tree: Arc::clone(tree), secrets: secrets.into() }, warnings)
    };
    let prepared = change.prepare().await.map_err(ReloadError::Refused)?;
    Ok(Ready { current, prepared, planned, warnings })
}

/// Watches everything before it is read, and reads again what changed under the reader: a set of files is one text, and
/// half of an old one with half of a new one was never written by anybody.
fn read(layers: &Layers, watch: &mut Watch, files: &mut Vec<PathBuf>) -> Result<Tree, Errors> {
    let mut round = 0;
    loop {
        let before = stamp::of(files);
        let (read, tree) = layers.attempt();
        let settled = !watch.set(&read) && *files == read && before == stamp::of(&read);
        *files = read;
        round += 1;
        if settled || round == ROUNDS {
            return tree;
        }
    }
}
