//! Which cell derives from which, and which of them a change has claimed.
//!
//! One table for the process, under one lock. Writers take it, and so does deriving or dropping a cell; a reader never
//! does, and no code of the user's runs under it (that includes `Drop`: whatever was taken out is dropped after).
//! One lock, because a `zip` may join any two cells of the process at any time, and because cells that move under one
//! lock move together.
//!
//! A change claims the cells it writes and everything that derives from them. While it is claimed:
//! - no other change can claim any of it, nor anything that derives from it;
//! - a `map` or `zip` may still be derived from it. It comes too late to be prepared, is not part of the claim, and is
//!   computed at the commit;
//! - a `try_map` may not, since a commit cannot wait for it.

use crate::{
    cell::Node,
    sync::{Mutex, MutexGuard, lock as lock_mutex},
    version::{Version, Waiter},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// Identifies a cell. A cell is created after those it derives from, so ascending order is topological order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64);

/// Cells in topological order.
pub(crate) type Nodes = BTreeMap<Id, Arc<dyn Node>>;

#[derive(Default)]
pub(crate) struct Graph {
    entries: BTreeMap<Id, Entry>,
}

#[derive(Default)]
struct Entry {
    parents: Vec<Id>,
    children: BTreeMap<Id, Weak<dyn Node>>,
    /// Moves on when the change that has claimed this cell is over.
    claim: Option<Arc<Version>>,
}

/// The right to move some cells and everything that derives from them. Dropping it leaves them as they are.
pub(crate) struct Claim {
    nodes: Nodes,
    over: Arc<Version>,
}

#[cfg(not(loom))]
static GRAPH: Mutex<Graph> = Mutex::new(Graph { entries: BTreeMap::new() });
#[cfg(loom)]
loom::lazy_static! {
    static ref GRAPH: Mutex<Graph> = Mutex::new(Graph::default());
}

pub(crate) fn lock() -> MutexGuard<'static, Graph> {
    lock_mutex(&GRAPH)
}

/// Completes once nothing that `node` derives from is claimed.
pub(crate) async fn settled(node: Id) {
    loop {
        let Some(over) = lock().claimed_above([node]) else { return };
        Waiter::after(over, 0).moved().await;
    }
}

impl Id {
    pub(crate) fn next() -> Self {
        // Not loom's: it only has to be unique, and to grow from a cell to those made from it.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Graph {
    /// Has changes of what `node` derives from reach it, from the next claim on.
    pub(crate) fn attach(&mut self, node: &Arc<dyn Node>) {
        let parents: Vec<Id> = node.inputs().iter().map(|input| input.id()).collect();
        for parent in &parents {
            self.entries.entry(*parent).or_default().children.insert(node.id(), Arc::downgrade(node));
        }
        self.entries.entry(node.id()).or_default().parents = parents;
    }

    /// Forgets a cell that is being dropped.
    pub(crate) fn detach(&mut self, id: Id) {
        let Some(Entry { parents, children: _, claim: _ }) = self.entries.remove(&id) else { return };
        for parent in parents {
            if let Some(entry) = self.entries.get_mut(&parent) {
                entry.children.remove(&id);
            }
        }
    }

    /// Adds the direct dependants of `id` to `found`, which must outlive the lock: it may hold the last reference.
    pub(crate) fn children(&self, id: Id, found: &mut Nodes) {
        let Some(entry) = self.entries.get(&id) else { return };
        found.extend(entry.children.iter().filter_map(|(id, child)| Some((*id, child.upgrade()?))));
    }

    /// The claim on any of `ids` or on anything they derive from.
    pub(crate) fn claimed_above(&self, ids: impl IntoIterator<Item = Id>) -> Option<Arc<Version>> {
        let mut to_visit = BTreeSet::from_iter(ids);
        while let Some(id) = to_visit.pop_last() {
            let Some(entry) = self.entries.get(&id) else { continue };
            if let Some(over) = &entry.claim {
                return Some(Arc::clone(over));
            }
            to_visit.extend(&entry.parents);
        }
        None
    }

    /// Completes `nodes` by everything below them and claims it all, or names the claim that is in the way.
    fn claim(&mut self, nodes: &mut Nodes, over: &Arc<Version>) -> Result<(), Arc<Version>> {
        let mut to_visit: BTreeSet<Id> = nodes.keys().copied().collect();
        while let Some(id) = to_visit.pop_first() {
            let mut below = Nodes::new();
            self.children(id, &mut below);
            to_visit.extend(below.keys());
            nodes.extend(below);
        }
        if let Some(other) = self.claimed_above(nodes.keys().copied()) {
            return Err(other);
        }
        for id in nodes.keys() {
            self.entries.entry(*id).or_default().claim = Some(Arc::clone(over));
        }
        Ok(())
    }

    fn release(&mut self, nodes: &Nodes) {
        for id in nodes.keys() {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.claim = None;
            }
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn children_of(&self, id: Id) -> usize {
        self.entries.get(&id).map_or(0, |entry| entry.children.len())
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn knows(&self, id: Id) -> bool {
        self.entries.contains_key(&id)
    }
}

impl Claim {
    /// Claims `sources` and what derives from them, or names the claim that is in the way.
    pub(crate) fn new(sources: impl Iterator<Item = Arc<dyn Node>>) -> Result<Self, Arc<Version>> {
        // Holds the cells found on the way until the lock is released, whatever the outcome.
        let mut nodes: Nodes = sources.map(|node| (node.id(), node)).collect();
        let over = Version::new();
        let claimed = lock().claim(&mut nodes, &over);
        claimed.map(|()| Self { nodes, over })
    }

    /// Claims `sources` and what derives from them as soon as no other claim is in the way.
    ///
    /// Holds nothing while it waits, so that two of these cannot wait for each other.
    pub(crate) async fn wait(sources: &[Arc<dyn Node>]) -> Self {
        loop {
            match Self::new(sources.iter().cloned()) {
                Ok(claim) => return claim,
                Err(other) => Waiter::after(other, 0).moved().await,
            }
        }
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Self { nodes, over } = self;
        // Before the release: what is staged from then on belongs to the next claim.
        for node in nodes.values() {
            node.discard();
        }
        lock().release(nodes);
        for waker in over.advance() {
            waker.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
