use crate::status::Cell;
use crate::supervise::{again, caught, once};
use crate::{Backoff, Error, Exit, Kind, Running, TaskResult};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use prodkit_shutdown::Stop;
use std::fmt;
use std::sync::Arc;

/// One ordered list of tasks and hooks, not yet started.
///
/// Names are kebab-case, at most 63 bytes, and appear unchanged in logs and metrics. A task and a hook may share one,
/// two of a kind may not; [`start`](TaskGroup::start) checks.
#[derive(Default)]
#[must_use = "nothing runs until the group is started"]
pub struct TaskGroup {
    steps: Vec<Step>,
}

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

pub(crate) enum Run {
    Hook(Box<dyn FnOnce() -> BoxFuture<'static, Exit> + Send>),
    Task(Kind, Box<dyn FnOnce(Stop, Arc<Cell>) -> BoxFuture<'static, Exit> + Send>),
}

impl Step {
    fn kind(&self) -> Kind {
        match &self.run {
            Run::Hook(_) => Kind::Hook,
            Run::Task(kind, _) => *kind,
        }
    }
}

impl TaskGroup {
    /// A group of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A task the service cannot do without. It runs from the start of the group until it is told to stop, and may
    /// end earlier with `Ok` when it has nothing left to do. An error or a panic is reported by [`Running::failed`].
    pub fn task<F, Fut>(self, name: &'static str, f: F) -> Self
    where
        F: FnOnce(Stop) -> Fut + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let run = move |stop, cell: Arc<Cell>| async move { once(name, f, stop, &cell).await }.boxed();
        self.step(name, Run::Task(Kind::Task, Box::new(run)))
    }

    /// A task that is started again, after a wait, when it ends with an error or a panic; the closure is cloned for
    /// each run. It never ends the service. `Ok` ends it for good.
    pub fn supervise<F, Fut>(self, name: &'static str, backoff: Backoff, f: F) -> Self
    where
        F: FnOnce(Stop) -> Fut + Clone + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        let run =
            move |stop, cell: Arc<Cell>| async move { again(name, f, backoff, stop, &cell).await }.boxed();
        self.step(name, Run::Task(Kind::Supervised, Box::new(run)))
    }

    /// A hook: runs once, when the group stops, after every later step has ended and before any earlier one is told
    /// to stop.
    pub fn on_shutdown<F, Fut>(self, name: &'static str, f: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output: TaskResult> + Send + 'static,
    {
        self.step(name, Run::Hook(Box::new(move || caught(f).boxed())))
    }

    /// Adds the steps of `other` behind the ones of this group.
    pub fn then(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Starts every task, in order of declaration.
    ///
    /// # Errors
    ///
    /// When a name is not kebab-case or taken. Nothing was started then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self) -> Result<Running, Error> {
        for (nth, step) in self.steps.iter().enumerate() {
            Error::check(step.name)?;
            let is_hook = |step: &Step| step.kind() == Kind::Hook;
            if self.steps[..nth]
                .iter()
                .any(|other| other.name == step.name && is_hook(other) == is_hook(step))
            {
                return Err(Error::taken(step.name));
            }
        }
        Ok(Running::start(self.steps))
    }

    fn step(mut self, name: &'static str, run: Run) -> Self {
        self.steps.push(Step { name, run });
        self
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.steps.iter().map(|step| (step.name, step.kind()))).finish()
    }
}
