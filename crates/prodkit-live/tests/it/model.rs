//! Any sequence of deriving, dropping, preparing, committing and giving up, against a model that is plain arithmetic.

use crate::{now, poll};
use prodkit_live::{Change, Live, Prepared, Updater};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::{BTreeMap, BTreeSet};

/// What `try_map` refuses.
const REFUSED: u64 = 5;
/// What `map` panics at.
const PANICS: u64 = 7;

#[derive(Clone, Debug)]
enum Op {
    Map(Index, u64),
    Zip(Index, Index),
    TryMap(Index, u64),
    Drop(Index),
    /// Gives some sources new values.
    Prepare(Vec<(Index, u64)>),
    Set(Index, u64),
    Commit(Index),
    CommitAll,
    GiveUp(Index),
}

fn op() -> impl Strategy<Value = Op> {
    let value = 0..40_u64;
    prop_oneof![
        3 => (any::<Index>(), 0..10_u64).prop_map(|(of, add)| Op::Map(of, add)),
        3 => any::<(Index, Index)>().prop_map(|(left, right)| Op::Zip(left, right)),
        2 => (any::<Index>(), 0..10_u64).prop_map(|(of, add)| Op::TryMap(of, add)),
        2 => any::<Index>().prop_map(Op::Drop),
        6 => vec((any::<Index>(), value.clone()), 1..3).prop_map(Op::Prepare),
        2 => (any::<Index>(), value).prop_map(|(source, value)| Op::Set(source, value)),
        4 => any::<Index>().prop_map(Op::Commit),
        1 => Just(Op::CommitAll),
        2 => any::<Index>().prop_map(Op::GiveUp),
    ]
}

/// How a cell of the model gets its value. Cells are numbered in the order in which they were made.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Source,
    Map(usize, u64),
    Zip(usize, usize),
    TryMap(usize, u64),
}

impl Rule {
    fn inputs(self) -> Vec<usize> {
        match self {
            Self::Source => vec![],
            Self::Map(of, _) | Self::TryMap(of, _) => vec![of],
            Self::Zip(left, right) => vec![left, right],
        }
    }

    /// `Err` is a panic or a refusal.
    fn apply(self, value: impl Fn(usize) -> u64) -> Result<u64, ()> {
        match self {
            Self::Source => unreachable!("a source is given its value"),
            Self::Map(of, add) => {
                let sum = value(of) + add;
                if sum % 10 == PANICS { Err(()) } else { Ok(sum) }
            }
            Self::Zip(left, right) => Ok(value(left) * 3 + value(right)),
            Self::TryMap(of, add) => {
                let sum = value(of) + add;
                if sum % 10 == REFUSED { Err(()) } else { Ok(sum) }
            }
        }
    }
}

struct Cell {
    rule: Rule,
    value: u64,
    live: Option<Live<u64>>,
    generation: u64,
    derived_at: u64,
}

/// A change that stands prepared: the real one, and the values it brings.
struct Standing {
    prepared: Prepared,
    values: BTreeMap<usize, u64>,
}

#[derive(Default)]
struct World {
    updaters: Vec<Updater<u64>>,
    cells: Vec<Cell>,
    standing: Vec<Standing>,
}

impl World {
    fn new() -> Self {
        let mut world = Self::default();
        for value in 0..3 {
            let (updater, live) = Live::channel(value);
            world.updaters.push(updater);
            world.add(Rule::Source, value, live);
        }
        world
    }

    fn add(&mut self, rule: Rule, value: u64, live: Live<u64>) {
        let derived_at = live.generation();
        self.cells.push(Cell { rule, value, live: Some(live), generation: 0, derived_at });
    }

    /// A cell that still has a handle; sources always do.
    fn pick(&self, index: Index) -> usize {
        let held: Vec<usize> = (0..self.cells.len()).filter(|id| self.cells[*id].live.is_some()).collect();
        *index.get(&held)
    }

    fn live(&self, id: usize) -> Live<u64> {
        self.cells[id].live.clone().unwrap()
    }

    /// Cells with a handle, and what they derive from.
    fn alive(&self) -> BTreeSet<usize> {
        let mut alive = BTreeSet::new();
        for id in (0..self.cells.len()).rev() {
            let held = self.cells[id].live.is_some()
                || self.standing.iter().any(|standing| standing.values.contains_key(&id));
            if held || alive.contains(&id) {
                alive.insert(id);
                alive.extend(self.cells[id].rule.inputs());
            }
        }
        alive
    }

    fn below(&self, sources: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut below: BTreeSet<usize> = sources.into_iter().collect();
        for id in self.alive() {
            if self.cells[id].rule.inputs().iter().any(|input| below.contains(input)) {
                below.insert(id);
            }
        }
        below
    }

    fn above(&self, ids: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut above = ids.clone();
        for id in (0..self.cells.len()).rev() {
            if above.contains(&id) {
                above.extend(self.cells[id].rule.inputs());
            }
        }
        above
    }

    fn is_claimed(&self, ids: &BTreeSet<usize>) -> bool {
        let above = self.above(ids);
        self.standing.iter().any(|standing| standing.values.keys().any(|id| above.contains(id)))
    }

    /// What a change would bring, or the refusal.
    fn outcome(&self, given: &BTreeMap<usize, u64>) -> Result<BTreeMap<usize, u64>, ()> {
        let mut values = given.clone();
        for id in self.below(given.keys().copied()) {
            if !given.contains_key(&id) {
                let value = |input| values.get(&input).copied().unwrap_or(self.cells[input].value);
                let value = self.cells[id].rule.apply(value)?;
                values.insert(id, value);
            }
        }
        Ok(values)
    }

    fn move_to(&mut self, values: &BTreeMap<usize, u64>) {
        // Late ones first see the whole change, then follow; one that panics stays, and so does what is below it.
        let mut moved: BTreeSet<usize> = values.keys().copied().collect();
        for (id, value) in values {
            self.cells[*id].value = *value;
            self.cells[*id].generation += 1;
        }
        for id in self.alive() {
            let rule = self.cells[id].rule;
            if moved.contains(&id) || !rule.inputs().iter().any(|input| moved.contains(input)) {
                continue;
            }
            if let Ok(value) = rule.apply(|input| self.cells[input].value) {
                self.cells[id].value = value;
                self.cells[id].generation += 1;
                moved.insert(id);
            }
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Map(of, add) => {
                let of = self.pick(of);
                let rule = Rule::Map(of, add);
                // A closure that panics at once is not what is looked at here.
                let Ok(value) = rule.apply(|input| self.cells[input].value) else { return };
                let live = self.live(of).map(move |n| {
                    assert!((n + add) % 10 != PANICS, "as the model says");
                    n + add
                });
                self.add(rule, value, live);
            }
            Op::Zip(left, right) => {
                let (left, right) = (self.pick(left), self.pick(right));
                let rule = Rule::Zip(left, right);
                let pair = self.live(left).zip(&self.live(right));
                let live = pair.map(|pair| *pair.0 * 3 + *pair.1);
                let value = rule.apply(|input| self.cells[input].value).unwrap();
                self.add(rule, value, live);
            }
            Op::TryMap(of, add) => {
                let of = self.pick(of);
                let rule = Rule::TryMap(of, add);
                let mut build = Box::pin(self.live(of).try_map(move |n| async move {
                    let sum = *n + add;
                    if sum % 10 == REFUSED { Err("as the model says") } else { Ok(sum) }
                }));
                match rule.apply(|input| self.cells[input].value) {
                    _ if self.is_claimed(&BTreeSet::from([of])) => assert!(poll(&mut build).is_pending()),
                    Ok(value) => self.add(rule, value, now(build).unwrap()),
                    Err(()) => assert!(now(build).is_err()),
                }
            }
            Op::Drop(index) => {
                let id = self.pick(index);
                if id >= self.updaters.len() {
                    self.cells[id].live = None;
                }
            }
            Op::Prepare(values) => {
                let mut given = BTreeMap::new();
                let mut change = Change::default();
                for (source, value) in values {
                    let source = source.index(self.updaters.len());
                    given.insert(source, value);
                    change = change.join(self.updaters[source].stage(value));
                }
                let mut prepare = Box::pin(change.prepare());
                if self.is_claimed(&self.below(given.keys().copied())) {
                    assert!(poll(&mut prepare).is_pending());
                    return;
                }
                match (now(prepare), self.outcome(&given)) {
                    (Ok(prepared), Ok(values)) => self.standing.push(Standing { prepared, values }),
                    (Err(_), Err(())) => {}
                    (real, model) => panic!("{real:?} is not {model:?}"),
                }
            }
            Op::Set(source, value) => {
                let source = source.index(self.updaters.len());
                let below = self.below([source]);
                let verified = below.iter().any(|id| matches!(self.cells[*id].rule, Rule::TryMap(..)));
                let real = self.updaters[source].set(value);
                if self.is_claimed(&below) {
                    assert!(real.is_err_and(|rejected| rejected.is_busy()));
                } else if verified {
                    assert!(real.is_err());
                } else if let Ok(values) = self.outcome(&BTreeMap::from([(source, value)])) {
                    real.unwrap();
                    self.move_to(&values);
                } else {
                    assert!(real.is_err());
                }
            }
            Op::Commit(index) if !self.standing.is_empty() => {
                let Standing { prepared, values } = self.standing.remove(index.index(self.standing.len()));
                // The change keeps alive what it has prepared, until then.
                self.move_to(&values);
                prepared.commit();
            }
            Op::CommitAll => {
                let (mut all, mut joined) = (BTreeMap::new(), Vec::new());
                for Standing { prepared, values } in self.standing.drain(..) {
                    all.extend(values);
                    joined.push(prepared);
                }
                self.move_to(&all);
                Prepared::all(joined).commit();
            }
            Op::GiveUp(index) if !self.standing.is_empty() => {
                drop(self.standing.remove(index.index(self.standing.len())));
            }
            Op::Commit(_) | Op::GiveUp(_) => {}
        }
    }

    fn check(&self) {
        for (id, cell) in self.cells.iter().enumerate() {
            if let Some(live) = &cell.live {
                assert_eq!(
                    (*live.get(), live.generation() - cell.derived_at),
                    (cell.value, cell.generation),
                    "cell {id}, {:?}",
                    cell.rule
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_readers_see_what_the_model_says(ops in vec(op(), 0..60)) {
        let mut world = World::new();
        for op in ops {
            world.run(op);
            world.check();
        }
    }
}
