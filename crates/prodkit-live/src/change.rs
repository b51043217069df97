//! Two-phase commit: stage, prepare, commit.

use crate::{
    cell::{Cell, Moved, Node, Staging, Step},
    graph::{self, Claim, Id, Nodes},
    rejected::Rejected,
};
use std::{
    collections::BTreeSet,
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// New values for any number of cells, which nobody has looked at yet.
///
/// Comes from [`Updater::stage`](crate::Updater::stage). What changes together is prepared together: then a derived
/// value that depends on several of them is computed, or built and verified, **once**, for the values that will be
/// current together.
///
/// ```
/// # use prodkit_live::{Change, Live, Rejected};
/// # async fn reload() -> Result<(), Rejected> {
/// let (user_updater, user) = Live::channel("orders".to_owned());
/// let (password_updater, password) = Live::channel("hunter2".to_owned());
/// let login = user.zip(&password);
///
/// // Wrong: each is prepared against the other's old value, and the second waits for the first to be over.
/// // let user = user_updater.prepare(..).await?; let password = password_updater.prepare(..).await?;
///
/// // Right: one change.
/// let change = user_updater.stage("orders2".to_owned()).join(password_updater.stage("hunter3".to_owned()));
/// change.prepare().await?.commit();
/// # Ok(()) }
/// ```
#[must_use = "a change does nothing until it is prepared and committed"]
#[derive(Default)]
pub struct Change {
    parts: Vec<Part>,
}

struct Part {
    node: Arc<dyn Node>,
    stage: Box<dyn FnOnce() + Send + Sync>,
}

/// A change that everyone concerned has agreed to: every derived value exists and was verified.
///
/// Until it is committed or dropped, another `prepare` that concerns any of the same cells waits.
#[must_use = "a prepared change does nothing until it is committed; dropping it leaves everything as it was"]
#[derive(Default)]
pub struct Prepared {
    claims: Vec<Claim>,
}

impl Change {
    pub(crate) fn new<T: Send + Sync + 'static>(cell: Arc<Cell<T>>, value: Arc<T>) -> Self {
        let node: Arc<dyn Node> = cell.clone();
        Self { parts: vec![Part { node, stage: Box::new(move || cell.stage(value)) }] }
    }

    /// One change of many; see [`join`](Self::join).
    pub fn all(changes: impl IntoIterator<Item = Self>) -> Self {
        Self { parts: changes.into_iter().flat_map(|change| change.parts).collect() }
    }

    /// Both changes as one. If both give a value to the same cell, `other` wins.
    pub fn join(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Computes every derived value, runs every [`try_map`](crate::Live::try_map) below (concurrently, as far as one
    /// does not depend on the other), and holds the outcome ready. Readers see nothing of it.
    ///
    /// Waits while another change that concerns any of the same cells is being prepared or stands prepared; who comes
    /// next when several wait is not defined. There is no timeout: wrap the future in one. A closure that is run by
    /// `prepare` must not wait for another `prepare` (or `try_map`) of what it derives from, nor may a task that holds
    /// a [`Prepared`]: it would wait for itself.
    ///
    /// Cancel-safe: dropping the future cancels what it was building and leaves everything as it was.
    ///
    /// # Errors
    ///
    /// The first derived value that refuses (or panics) cancels the others and is named. Nothing has changed then.
    pub async fn prepare(self) -> Result<Prepared, Rejected> {
        let Self { parts } = self;
        let sources: Vec<Arc<dyn Node>> = parts.iter().map(|part| Arc::clone(&part.node)).collect();
        let claim = Claim::wait(&sources).await;
        let mut derivation = Derivation::new(&claim, parts);
        poll_fn(|cx| derivation.poll(cx)).await?;
        Ok(Prepared { claims: vec![claim] })
    }

    /// [`prepare`](Self::prepare) and [`commit`](Prepared::commit), if that can be had without waiting.
    pub(crate) fn apply(self) -> Result<(), Rejected> {
        let Self { parts } = self;
        let claim =
            Claim::new(parts.iter().map(|part| Arc::clone(&part.node))).map_err(|_| Rejected::busy())?;
        if let Some(origin) = claim.nodes().values().find_map(|node| node.built()) {
            return Err(Rejected::waits(origin));
        }
        Derivation::new(&claim, parts).start()?;
        Prepared { claims: vec![claim] }.commit();
        Ok(())
    }
}

impl Prepared {
    /// One prepared change of many; see [`join`](Self::join).
    pub fn all(prepared: impl IntoIterator<Item = Self>) -> Self {
        Self { claims: prepared.into_iter().flat_map(|prepared| prepared.claims).collect() }
    }

    /// Both prepared changes as one, to be committed at the same instant.
    ///
    /// Two changes that stand prepared at the same time have nothing in common, so this cannot fail. Changes that may
    /// have something in common are joined *before* they are prepared: [`Change::join`].
    pub fn join(mut self, other: Self) -> Self {
        self.claims.extend(other.claims);
        self
    }

    /// Moves every cell of the change and every value derived from them.
    ///
    /// Synchronous and infallible: the values exist, so this is one pointer swap per cell, in one go, with no other
    /// commit in between. A single cell, and thus a [`zip`](crate::Live::zip), moves atomically. Tasks that wait for
    /// [`changed`](crate::Changes::changed) are woken after the last swap. The replaced values are let go after that,
    /// and dropped here unless a reader still holds one.
    ///
    /// A `map` derived after this change was prepared is computed here, and can no longer refuse: if its closure
    /// panics, it keeps its last value.
    pub fn commit(self) {
        let Self { claims } = self;
        let mut moved: Vec<Moved> = Vec::new();
        let mut below = Nodes::new();
        {
            let graph = graph::lock();
            for (id, node) in claims.iter().flat_map(Claim::nodes) {
                moved.extend(node.publish());
                graph.children(*id, &mut below);
            }
        }
        // What came too late to be prepared. Still claimed, so that no `try_map` can be derived from what is behind.
        below.retain(|id, _| !claims.iter().any(|claim| claim.nodes().contains_key(id)));
        moved.extend(settle(below));
        drop(claims);

        let mut old = Vec::with_capacity(moved.len());
        for Moved { wakers, old: value } in moved {
            wakers.into_iter().for_each(std::task::Waker::wake);
            old.push(value);
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("cells", &self.parts.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: usize = self.claims.iter().map(|claim| claim.nodes().len()).sum();
        f.debug_struct("Prepared").field("cells", &cells).finish_non_exhaustive()
    }
}

/// Brings cells, and all that derives from them, up to date with what they derive from.
pub(crate) fn settle(mut behind: Nodes) -> Vec<Moved> {
    let mut moved = Vec::new();
    while let Some((_, node)) = behind.pop_first() {
        moved.extend(node.refresh(&mut behind));
    }
    moved
}

/// The values of a claim on their way to being staged: each as soon as all it derives from is.
struct Derivation {
    /// Everything that is not staged yet, the running ones included.
    missing: BTreeSet<Id>,
    waiting: Nodes,
    running: Vec<(Id, Staging)>,
}

impl Derivation {
    fn new(claim: &Claim, parts: Vec<Part>) -> Self {
        let mut waiting = claim.nodes().clone();
        for Part { node, stage } in parts {
            stage();
            waiting.remove(&node.id());
        }
        Self { missing: waiting.keys().copied().collect(), waiting, running: Vec::new() }
    }

    fn start(&mut self) -> Result<(), Rejected> {
        let Self { missing, waiting, running } = self;
        // Ascending, so that one pass gets as far as can be got.
        let mut later = Nodes::new();
        while let Some((id, node)) = waiting.pop_first() {
            if node.inputs().iter().any(|input| missing.contains(&input.id())) {
                later.insert(id, node);
                continue;
            }
            match node.derive() {
                Step::Done(done) => {
                    done?;
                    missing.remove(&id);
                }
                Step::Later(building) => running.push((id, building)),
            }
        }
        *waiting = later;
        Ok(())
    }

    /// Polls every running `try_map` at each wake-up: they are few, and a reload is rare.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejected>> {
        loop {
            self.start()?;
            if self.missing.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let before = self.missing.len();
            let mut failed = None;
            self.running.retain_mut(|(id, building)| match building.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(built) => {
                    failed = failed.take().or(built.err());
                    self.missing.remove(id);
                    false
                }
            });
            if let Some(rejected) = failed {
                return Poll::Ready(Err(rejected));
            }
            if self.missing.len() == before {
                return Poll::Pending;
            }
        }
    }
}
