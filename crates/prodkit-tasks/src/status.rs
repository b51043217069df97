use crate::{Exit, Kind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the tasks of a group are doing, for status pages and metrics. Hooks do nothing until the end and are not
/// among them.
///
/// Cheap to clone, and stays valid after the group was stopped.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    cells: Arc<[Arc<Cell>]>,
}

impl Statuses {
    pub(crate) fn new(cells: Vec<Arc<Cell>>) -> Self {
        Self { cells: cells.into() }
    }

    /// Every task, in order of declaration.
    pub fn snapshot(&self) -> Vec<Status> {
        self.cells.iter().map(|cell| cell.lock().clone()).collect()
    }
}

/// One task, at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The task's name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is doing.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// How often it was started again.
    pub restarts: u64,
    /// How its last failed run ended.
    pub last_failure: Option<Exit>,
}

impl Status {
    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = Instant::now();
    }
}

/// What a task is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// It ended and stays so.
    Ended(Exit),
    /// It failed, and is started again after this wait.
    Restarting(Duration),
    /// It runs.
    Running,
}

/// The shared place of one task's status.
#[derive(Debug)]
pub(crate) struct Cell(Mutex<Status>);

impl Cell {
    pub(crate) fn new(name: &'static str, kind: Kind) -> Arc<Self> {
        let since = Instant::now();
        Arc::new(Self(Mutex::new(Status {
            name,
            kind,
            state: State::Running,
            since,
            restarts: 0,
            last_failure: None,
        })))
    }

    pub(crate) fn failed(&self, exit: &Exit) {
        self.lock().last_failure = Some(exit.clone());
    }

    /// Returns how often the task will have been started again.
    pub(crate) fn waits(&self, wait: Duration) -> u64 {
        let mut status = self.lock();
        status.enter(State::Restarting(wait));
        status.restarts += 1;
        status.restarts
    }

    pub(crate) fn runs(&self) {
        self.lock().enter(State::Running);
    }

    /// The first end stays: a task that was abandoned does not complete later on.
    pub(crate) fn ended(&self, exit: &Exit) {
        let mut status = self.lock();
        if !matches!(status.state, State::Ended(_)) {
            status.enter(State::Ended(exit.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
