//! All secrets of a process: resolved together, moved together, told apart by name.

mod answer;
mod driver;
mod moving;
mod status;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use prodkit_live::{Updater, WeakUpdater};
use prodkit_watch::Options;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::document::{Document, Key};
use crate::error::{Error, Errors, Failure};
use crate::files::Files;
use crate::provider::Provider;
use crate::reference::SecretRef;
use crate::secret::Found;
use crate::value::{Bytes, SecretValue, WeakBytes};
use answer::{Answer, answer};

pub use driver::{Driver, Event};
pub use status::Standing;

/// How variables are looked up.
type Variable = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// Paths fetched at a time.
const AT_ONCE: usize = 64;

/// All secrets of a process. Cheap to clone.
///
/// ```
/// use prodkit_secrets::{Secret, Secrets, collect};
/// use prodkit_watch::Options;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Config {
///     password: Secret,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("password");
/// # std::fs::write(&path, "hunter2\n")?;
/// # let text = serde_json::json!({ "password": format!("file:{}", path.display()) }).to_string();
/// let secrets = Secrets::new(|name| std::env::var_os(name), Options::default());
/// let (config, found) = collect(|| serde_json::from_str::<Config>(&text));
/// let config = config?;
///
/// let resolved = secrets.resolve(&found).await?; // all of them at once, and all failures at once
/// secrets.keep(resolved);
/// assert!(config.password.get().is(b"hunter2"));
///
/// let mut driver = secrets.driver(); // from now on they follow their sources
/// std::fs::write(&path, "hunter3\n")?;
/// driver.next().await;
/// assert!(config.password.get().is(b"hunter3"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    providers: Vec<Arc<dyn Provider>>,
    variable: Box<Variable>,
    prepare_timeout: Duration,
    state: Mutex<State>,
    /// One change at a time.
    turn: tokio::sync::Mutex<()>,
    /// For each provider, and for us: the set of secrets has changed.
    news: Vec<Notify>,
    /// Few, and read by the one who has the work done that makes them.
    events: mpsc::UnboundedSender<Event>,
    heard: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
}

#[derive(Default)]
struct State {
    cells: Vec<Cell>,
    documents: HashMap<Key, Entry>,
    /// Resolved, and not kept: whoever refuses one may quote it.
    candidates: Vec<WeakBytes>,
}

/// A secret that somebody holds, or from which something is derived that somebody holds.
struct Cell {
    path: Option<Arc<str>>,
    updater: WeakUpdater<SecretValue>,
}

/// What is known of one path of a provider.
struct Entry {
    /// The last that was good, or why there was none.
    document: Result<Document, Error>,
    /// Why it cannot be kept current.
    trouble: Option<String>,
    since: SystemTime,
    moves: u64,
}

/// Secrets that have been found, and are not [kept](Secrets::keep) yet. Dropped, it gives back what was leased for it.
#[must_use = "what is not kept does not move"]
pub struct Resolved {
    found: Vec<Found>,
    fetched: HashMap<Key, Result<Document, Error>>,
    given: Vec<Bytes>,
    warnings: Vec<String>,
}

impl Secrets {
    /// Secrets out of the variables that `variable` finds and of files, which are watched as `watch` says.
    ///
    /// Nothing here touches the process environment by itself: pass `|name| std::env::var_os(name)`, or what a test
    /// needs. An empty variable counts as not set.
    pub fn new(variable: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static, watch: Options) -> Self {
        let (events, heard) = mpsc::unbounded_channel();
        Self {
            inner: Arc::new(Inner {
                providers: vec![Arc::new(Files { watch })],
                variable: Box::new(variable),
                prepare_timeout: Duration::from_secs(10),
                state: Mutex::default(),
                turn: tokio::sync::Mutex::new(()),
                news: vec![Notify::new(), Notify::new()],
                events,
                heard: Mutex::new(Some(heard)),
            }),
        }
    }

    /// And out of `provider`, for the references with its scheme. Before anything is resolved; later it changes nothing.
    #[must_use]
    pub fn provider(mut self, provider: impl Provider) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.providers.push(Arc::new(provider));
            inner.news.push(Notify::new());
        }
        self
    }

    /// How long what follows from a new value may take to be built and verified: 10 seconds by default. Before anything
    /// is resolved; later it changes nothing.
    #[must_use]
    pub fn prepare_timeout(mut self, timeout: Duration) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.prepare_timeout = timeout;
        }
        self
    }

    /// Finds the values of all of these, concurrently, and gives them to the secrets.
    ///
    /// What is in use already is not fetched again. The secrets hold their values from then on, and move once they are
    /// [kept](Self::keep). Cancel safe.
    ///
    /// # Errors
    ///
    /// All that could not be had, by path and reference.
    pub async fn resolve(&self, found: &[Found]) -> Result<Resolved, Errors> {
        match self.attempt(found).await {
            (resolved, None) => Ok(resolved),
            (_, Some(errors)) => Err(errors),
        }
    }

    /// As [`resolve`](Self::resolve), and keeps what could be had where some could not: those are missing, and asked for
    /// again and again by the [`Driver`].
    pub async fn attempt(&self, found: &[Found]) -> (Resolved, Option<Errors>) {
        self.inner.gather(found, |_| true).await
    }

    /// As [`attempt`](Self::attempt), here and now: only variables and files are looked at, and what else there may be
    /// counts as unavailable.
    pub fn glance(&self, found: &[Found]) -> (Resolved, Option<Errors>) {
        let nothing = || Resolved {
            found: Vec::new(),
            fetched: HashMap::new(),
            given: Vec::new(),
            warnings: Vec::new(),
        };
        // Files are read on the spot, so there is nothing to wait for.
        let gathered = self.inner.gather(found, |key| &*key.scheme == "file").now_or_never();
        gathered.unwrap_or_else(|| (nothing(), None))
    }

    /// What is wrong with how these are written, without looking for them.
    ///
    /// # Errors
    ///
    /// All that make no sense, by path.
    pub fn check(found: &[Found]) -> Result<(), Errors> {
        let wrong = found.iter().filter_map(|found| {
            let reference = found.reference()?;
            reference.problem().map(|problem| failure(found, &reference, Error::refused(problem)))
        });
        Errors::of(wrong.collect()).map_or(Ok(()), Err)
    }

    /// Takes these into use: from now on they move with their sources.
    pub fn keep(&self, resolved: Resolved) {
        self.inner.keep(resolved);
    }

    /// How each source of the secrets in use is, in the order of their names.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.inner.standing()
    }

    /// `text` without any secret of 4 bytes or more that is in use, or was [resolved](Self::resolve) last: for texts that
    /// somebody else wrote.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.inner.mask(text, &[])
    }

    /// Has every provider give back what it leased. Cancel safe: what is not given back runs out by itself.
    pub async fn close(&self) {
        let closing = self.inner.providers.iter().map(|provider| provider.close());
        futures_util::future::join_all(closing).await;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves whole entries behind: each is written by one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn gather(&self, found: &[Found], reach: impl Fn(&Key) -> bool) -> (Resolved, Option<Errors>) {
        let mut resolved = Resolved {
            found: found.to_vec(),
            fetched: HashMap::new(),
            given: Vec::new(),
            warnings: Vec::new(),
        };
        loop {
            let needed = self.needed(found, &resolved.fetched);
            if needed.is_empty() {
                break;
            }
            let fetching = needed.into_iter().map(|key| async {
                let document = if reach(&key) {
                    self.fetch(&key).await
                } else {
                    Err(Error::unavailable("not asked yet"))
                };
                (key, document)
            });
            let mut fetching = stream::iter(fetching).buffer_unordered(AT_ONCE);
            while let Some((key, document)) = fetching.next().await {
                if let Ok(Document { warning: Some(warning), .. }) = &document {
                    resolved.warnings.push(format!("{key}: {warning}"));
                }
                resolved.fetched.insert(key, document);
            }
        }
        let mut failures = Vec::new();
        for found in found {
            let Some(updater) = found.updater.upgrade() else { continue };
            let reference = updater.live().get().reference().clone();
            match self.answer(&reference, &resolved.fetched) {
                Answer::Value(bytes) => {
                    resolved.given.push(bytes.clone());
                    give(&updater, SecretValue::new(reference, Some(bytes)));
                }
                Answer::Nothing | Answer::Need(_) => {}
                Answer::Failed(error) => failures.push(failure(found, &reference, error)),
            }
        }
        resolved.warnings.sort();
        self.state().candidates = resolved.given.iter().map(Bytes::downgrade).collect();
        (resolved, Errors::of(failures))
    }

    fn needed(&self, found: &[Found], fetched: &HashMap<Key, Result<Document, Error>>) -> BTreeSet<Key> {
        let need = |found: &Found| match self.answer(&found.reference()?, fetched) {
            Answer::Need(key) => Some(key),
            _ => None,
        };
        found.iter().filter_map(need).collect()
    }

    fn answer(&self, reference: &SecretRef, fetched: &HashMap<Key, Result<Document, Error>>) -> Answer {
        let state = self.state();
        answer(reference, &*self.variable, |key| match (fetched.get(key), state.documents.get(key)) {
            (Some(fetched), _) => Some(fetched.as_ref()),
            (None, Some(Entry { document: Ok(document), .. })) => Some(Ok(document)),
            (None, _) => None,
        })
    }

    async fn fetch(&self, key: &Key) -> Result<Document, Error> {
        let provider = self.providers.iter().find(|provider| provider.scheme() == &*key.scheme);
        let provider =
            provider.ok_or_else(|| Error::refused(format!("nothing here provides `{}:`", key.scheme)))?;
        let document = provider.fetch(&key.path).await?;
        document.check().map(|()| document)
    }

    fn keep(&self, resolved: Resolved) {
        let Resolved { found, fetched, given: _, warnings: _ } = resolved;
        {
            let mut state = self.state();
            state.cells.retain(|cell| cell.updater.upgrade().is_some());
            state.cells.extend(found.into_iter().map(|Found { path, updater }| Cell { path, updater }));
            for (key, document) in fetched {
                let known = state.documents.get(&key).is_some_and(|entry| entry.document.is_ok());
                if document.is_ok() || !known {
                    state.documents.insert(key, Entry::new(document));
                }
            }
        }
        self.tell_wanted();
    }

    fn tell_wanted(&self) {
        self.forget_unused();
        self.news.iter().for_each(Notify::notify_one);
    }

    /// Lets go of documents that no secret mentions any more.
    fn forget_unused(&self) {
        let mut state = self.state();
        let used: BTreeSet<Key> = state
            .cells
            .iter()
            .filter_map(|cell| cell.updater.upgrade())
            .flat_map(|updater| answer::keys(updater.live().get().reference(), &*self.variable))
            .collect();
        let unused: Vec<Key> = state.documents.keys().filter(|key| !used.contains(key)).cloned().collect();
        // Their guards are a provider's code, which does not run under the lock.
        let gone: Vec<_> = unused.iter().filter_map(|key| state.documents.remove(key)).collect();
        drop(state);
        drop(gone);
    }

    pub(crate) fn wanted(&self, scheme: &str) -> Vec<String> {
        let state = self.state();
        let mut paths: Vec<_> = state
            .documents
            .keys()
            .filter(|key| &*key.scheme == scheme && !key.path.is_empty())
            .map(|key| key.path.to_string())
            .collect();
        paths.sort_unstable();
        paths
    }

    pub(crate) async fn wanted_changed(&self, scheme: &str) {
        let index = self.providers.iter().position(|provider| provider.scheme() == scheme);
        if let Some(news) = index.and_then(|index| self.news.get(index + 1)) {
            news.notified().await;
        }
    }
}

impl Entry {
    fn new(document: Result<Document, Error>) -> Self {
        let trouble = document.as_ref().err().map(Error::chain);
        Self { document, trouble, since: SystemTime::now(), moves: 0 }
    }

    fn expires(&self) -> Option<Instant> {
        self.document.as_ref().ok()?.expires
    }
}

impl Resolved {
    /// What the operator should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Errors {
    fn of(mut failures: Vec<Failure>) -> Option<Self> {
        failures.sort_by(|one, other| (&one.path, &one.reference).cmp(&(&other.path, &other.reference)));
        (!failures.is_empty()).then_some(Self(failures))
    }
}

/// Nothing follows from a secret that was just made, so nothing can refuse its first value.
fn give(updater: &Updater<SecretValue>, value: SecretValue) {
    let given = updater.set(value);
    debug_assert!(given.is_ok(), "somebody derived from a secret before it was resolved");
}

fn failure(found: &Found, reference: &SecretRef, error: Error) -> Failure {
    Failure { path: found.path().map(str::to_owned), reference: reference.to_string(), error }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state();
        f.debug_struct("Secrets")
            .field("secrets", &state.cells.len())
            .field("documents", &state.documents.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").field("found", &self.found).finish_non_exhaustive()
    }
}
