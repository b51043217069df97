//! Which cells a new tree moves, and what it leaves for a restart.

use super::compare::{Difference, Lives};
use crate::path;
use crate::tree::Tree;
use prodkit_live::registry::Found;
use prodkit_live::{Change, Rejected};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A live cell as a load has found it.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) found: Found,
    /// The lists and maps it is inside of, from the top.
    pub(crate) containers: Vec<String>,
}

/// Every cell that a handle is left of.
pub(super) struct Cells(Vec<Cell>);

struct Cell {
    found: Found,
    /// Where its key is. A default has none until one appears.
    path: Option<Arc<str>>,
    containers: Vec<String>,
    /// What its value agrees with. A cell that could not follow stays behind, and follows again once its surroundings
    /// are what they were.
    tree: Arc<Tree>,
    /// Which load has made it.
    generation: u64,
}

/// How to get from one tree to the next.
#[derive(Default)]
pub(super) struct Step {
    changes: Vec<Change>,
    /// The paths that move.
    moved: BTreeSet<String>,
    /// Cells that agree with the next tree, and the keys that defaults among them have got.
    agree: Vec<(usize, Option<Spot>)>,
    /// Paths whose differences need no restart: all that anybody reads there moves.
    covered: HashSet<String>,
}

/// A step that is ready to be made.
pub(super) struct Planned {
    pub(super) moved: Vec<String>,
    pub(super) pending: Vec<String>,
    agree: Vec<(usize, Option<Spot>)>,
    new: Vec<Spot>,
}

impl Spot {
    fn is_written(&self) -> bool {
        !self.found.is_default()
    }
}

impl Cells {
    pub(super) fn new(spots: Vec<Spot>, tree: &Arc<Tree>) -> Self {
        let mut cells = Self(Vec::new());
        cells.add(spots, tree, 0);
        cells
    }

    fn add(&mut self, spots: Vec<Spot>, tree: &Arc<Tree>, generation: u64) {
        self.0.retain(|cell| cell.found.is_alive());
        self.0.extend(spots.into_iter().filter(|spot| spot.found.is_alive()).map(|spot| {
            let path = spot.is_written().then(|| spot.found.path().into());
            let Spot { found, containers } = spot;
            Cell { found, path, containers, tree: Arc::clone(tree), generation }
        }));
    }

    /// From where each cell is to `next`, which was loaded as `new`. `start` is what the fixed values were read from.
    ///
    /// The loaded value has to live until this returns; the change then holds what it needs of it.
    pub(super) fn plan(
        &self,
        start: &Tree,
        next: &Tree,
        new: Vec<Spot>,
    ) -> Result<(Change, Planned), Rejected> {
        let lives = self.lives(&new);
        let mut by_path: HashMap<&str, Vec<&Spot>> = HashMap::new();
        for spot in &new {
            by_path.entry(spot.found.path()).or_default().push(spot);
        }
        let mut step = Step::default();
        for (index, cell) in self.0.iter().enumerate() {
            let Some(at) = &cell.path else { continue };
            if !cell.found.is_alive() {
                step.covered.insert(at.to_string());
                continue;
            }
            if !cell.stands(&lives, &cell.containers, next) {
                continue;
            }
            let Some(newer) = newer(&by_path, next, at, &cell.found) else { continue };
            let (before, after) = (path::find(&cell.tree.root, at), path::find(&next.root, at));
            let change = lives.differ(at, before, after).then(|| cell.found.stage(newer)).transpose()?;
            step.follow(index, at, change, None);
        }
        for spot in new.iter().filter(|spot| spot.is_written()) {
            for (index, cell) in self.defaults(&lives, spot, next) {
                let change = cell.found.stage(&spot.found)?;
                step.follow(index, spot.found.path(), Some(change), Some(spot.clone()));
            }
        }
        let Step { changes, moved, agree, covered } = step;
        let pending = pending(&lives, start, next, &covered);
        drop((lives, by_path));
        Ok((Change::all(changes), Planned { moved: moved.into_iter().collect(), pending, agree, new }))
    }

    /// After the commit.
    pub(super) fn commit(&mut self, planned: Planned, next: &Arc<Tree>, generation: u64) {
        let Planned { agree, new, .. } = planned;
        for (index, spot) in agree {
            let Some(cell) = self.0.get_mut(index) else { continue };
            cell.tree = Arc::clone(next);
            if let Some(Spot { found, containers }) = spot {
                (cell.path, cell.containers) = (Some(found.path().into()), containers);
            }
        }
        self.add(new, next, generation);
    }

    fn lives<'a>(&'a self, new: &'a [Spot]) -> Lives<'a> {
        let written = new.iter().filter(|spot| spot.is_written());
        let containers =
            self.0.iter().map(|cell| &cell.containers).chain(new.iter().map(|spot| &spot.containers));
        let paths = self.0.iter().filter_map(|cell| cell.path.as_deref());
        Lives::new(
            paths.chain(written.map(|spot| spot.found.path())).collect(),
            containers.flatten().map(String::as_str).collect(),
        )
    }

    /// The defaults that a key which has appeared belongs to: in the section that lacked it, the only one of its type
    /// there. Of two, nobody can tell which is meant.
    fn defaults<'a>(&'a self, lives: &Lives<'_>, spot: &Spot, next: &Tree) -> Vec<(usize, &'a Cell)> {
        let path = spot.found.path();
        if self.0.iter().any(|cell| cell.path.as_deref() == Some(path)) {
            return Vec::new();
        }
        let fits = |cell: &Cell| {
            cell.path.is_none()
                && cell.found.path() == home(&cell.tree, path)
                && cell.found.fits(&spot.found)
                && cell.stands(lives, &spot.containers, next)
        };
        let mut found: Vec<_> = self.0.iter().enumerate().filter(|(_, cell)| fits(cell)).collect();
        let generations: Vec<u64> = found.iter().map(|(_, cell)| cell.generation).collect();
        found.retain(|(_, cell)| generations.iter().filter(|other| **other == cell.generation).count() == 1);
        found
    }
}

impl Cell {
    /// Whether everything it is inside of is what it was: then its path still means the same.
    fn stands(&self, lives: &Lives<'_>, containers: &[String], next: &Tree) -> bool {
        containers
            .iter()
            .all(|at| lives.same_shape(at, path::find(&self.tree.root, at), path::find(&next.root, at)))
    }
}

impl Step {
    fn follow(&mut self, index: usize, path: &str, change: Option<Change>, spot: Option<Spot>) {
        if change.is_some() {
            self.moved.insert(path.to_owned());
        }
        self.changes.extend(change);
        self.covered.insert(path.to_owned());
        self.agree.push((index, spot));
    }
}

/// The cell whose value one at `path` takes: that of its key, or where the key is gone the only default of its type
/// in the section that lacks it.
fn newer<'a>(
    by_path: &HashMap<&str, Vec<&'a Spot>>,
    next: &Tree,
    path: &str,
    cell: &Found,
) -> Option<&'a Found> {
    let at = |path: &str, written: bool| {
        let spots = by_path.get(path).map_or(&[][..], Vec::as_slice);
        spots
            .iter()
            .filter(move |spot| spot.is_written() == written && spot.found.fits(cell))
            .map(|spot| &spot.found)
    };
    if let Some(written) = at(path, true).next() {
        return Some(written);
    }
    let mut defaults = at(home(next, path), false);
    defaults.next().filter(|_| defaults.next().is_none())
}

/// The section in which serde made the value of a key that is absent: the nearest that is there.
fn home<'p>(tree: &Tree, path: &'p str) -> &'p str {
    let mut home = path::parent(path).unwrap_or_default();
    while !home.is_empty() && path::find(&tree.root, home).is_none() {
        home = path::parent(home).unwrap_or_default();
    }
    home
}

fn pending(lives: &Lives<'_>, start: &Tree, next: &Tree, covered: &HashSet<String>) -> Vec<String> {
    let mut pending = BTreeSet::new();
    let mut note = |path: &str, difference: Difference<'_>| {
        let moves = matches!(difference, Difference::Live(..)) && covered.contains(path);
        if !moves && difference.is_one() {
            pending.insert(path.to_owned());
        }
        ControlFlow::Continue(())
    };
    let ControlFlow::Continue(()) = lives.differences(&start.root, &next.root, &mut note) else {
        return Vec::new();
    };
    pending.into_iter().collect()
}
