use crate::group::{Run, Step};
use crate::status::Cell;
use crate::{Ended, Exit, Kind, Statuses};
use futures_util::future::BoxFuture;
use prodkit_shutdown::{Cause, Trigger, channel};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout_at};

/// What a step that does not end leaves to each of those behind it, if there is that much.
const RESERVE: Duration = Duration::from_secs(1);

/// A group whose tasks run.
///
/// Dropping it cuts every task off where it stands and runs no hook; [`stop`](Running::stop) is the way out.
#[derive(Debug)]
pub struct Running {
    slots: Vec<Slot>,
    statuses: Statuses,
    failures: mpsc::UnboundedReceiver<(&'static str, Exit)>,
}

struct Slot {
    name: &'static str,
    doing: Doing,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("name", &self.name).finish_non_exhaustive()
    }
}

enum Doing {
    Hook(Box<dyn FnOnce() -> BoxFuture<'static, Exit> + Send>),
    Task { kind: Kind, trigger: Trigger, cell: Arc<Cell>, handle: Task },
}

impl Running {
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        // As many messages as there are tasks, at most: each critical one fails once.
        let (failed, failures) = mpsc::unbounded_channel();
        let mut cells = Vec::new();
        let mut slots = Vec::with_capacity(steps.len());
        for Step { name, run } in steps {
            let doing = match run {
                Run::Hook(run) => Doing::Hook(run),
                Run::Task(kind, run) => {
                    let (trigger, stop) = channel();
                    let cell = Cell::new(name, kind);
                    cells.push(cell.clone());
                    let failed = (kind == Kind::Task).then(|| failed.clone());
                    let running = run(stop, cell.clone());
                    let handle = Task::spawn({
                        let cell = cell.clone();
                        async move {
                            let exit = running.await;
                            cell.ended(&exit);
                            if let Some(failed) = failed.filter(|_| !exit.is_clean()) {
                                // Nobody listens any more once the group is stopping; the report has it then.
                                let _ = failed.send((name, exit.clone()));
                            }
                            exit
                        }
                    });
                    tracing::debug!(task = name, kind = %kind, "task started");
                    Doing::Task { kind, trigger, cell, handle }
                }
            };
            slots.push(Slot { name, doing });
        }
        Self { slots, statuses: Statuses::new(cells), failures }
    }

    /// Waits until a critical task ends with an error or a panic, and says which one and how. Each is reported once;
    /// never resolves when no critical task is left that could fail.
    ///
    /// Cancel safe: what is not taken is kept for the next call.
    pub async fn failed(&mut self) -> (&'static str, Exit) {
        match self.failures.recv().await {
            Some(failure) => failure,
            None => pending().await,
        }
    }

    /// What the tasks are doing: a handle that can be kept elsewhere.
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Stops the group, in reverse order of declaration: a task is told to stop and awaited, a hook is run, then the
    /// one before it. Returns how each ended, in that order.
    ///
    /// An error stops nothing else. What does not end in time is cut off and reported as [`Exit::Abandoned`]. The last
    /// moment is `deadline`, less up to 1 s for each step that is still to come (less when there is less), so that
    /// one stuck step does not keep the others from closing what they hold.
    ///
    /// On a runtime with several threads not even a hook that blocks its thread defeats the deadline; it is left
    /// behind. A *task* that blocks a thread of the runtime can delay everything that runs there.
    ///
    /// Not cancel safe: dropped, it cuts off the steps that did not end yet.
    pub async fn stop(self, cause: &Cause, deadline: Instant) -> Vec<Ended> {
        let Self { mut slots, statuses: _, failures: _ } = self;
        let mut report = Vec::with_capacity(slots.len());
        while let Some(Slot { name, doing }) = slots.pop() {
            let begun = Instant::now();
            let deadline = deadline - reserve(deadline.saturating_duration_since(begun), slots.len());
            let (kind, exit) = match doing {
                Doing::Hook(run) => (Kind::Hook, Task::spawn_hook(run).end(deadline).await),
                Doing::Task { kind, trigger, cell, handle } => {
                    trigger.fire(cause.clone());
                    let exit = handle.end(deadline).await;
                    cell.ended(&exit);
                    (kind, exit)
                }
            };
            let ended = Ended { name, kind, exit, took: begun.elapsed() };
            log(&ended);
            report.push(ended);
        }
        report
    }
}

/// What must be left of `remaining` for the `later` steps: [`RESERVE`] each, but never more than half.
fn reserve(remaining: Duration, later: usize) -> Duration {
    RESERVE.saturating_mul(u32::try_from(later).unwrap_or(u32::MAX)).min(remaining / 2)
}

fn log(ended: &Ended) {
    let Ended { name, kind, exit, took } = ended;
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match (kind, exit) {
        (_, Exit::Completed) => tracing::debug!(task = name, kind = %kind, took_ms, "stopped"),
        (_, Exit::Abandoned) => {
            tracing::error!(task = name, kind = %kind, took_ms, "did not stop in time, left behind");
        }
        (Kind::Hook, _) => tracing::error!(task = name, kind = %kind, exit = %exit, took_ms, "hook ended"),
        // A task that ended badly said so at that moment.
        (Kind::Supervised | Kind::Task, Exit::Failed(_) | Exit::Panicked(_)) => {}
    }
}

/// A spawned future that is cut off when this is dropped.
struct Task {
    handle: JoinHandle<Exit>,
    abort: AbortOnDrop,
}

struct AbortOnDrop {
    task: AbortHandle,
    /// Reaches what runs on a blocking thread, which the runtime cannot abort.
    hook: Option<Trigger>,
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(hook) = &self.hook {
            hook.fire(Cause::requested("abandoned"));
        }
    }
}

impl Task {
    fn spawn(future: impl Future<Output = Exit> + Send + 'static) -> Self {
        #[expect(clippy::disallowed_methods, reason = "running named tasks is what this crate is for")]
        Self::new(tokio::spawn(future), None)
    }

    /// Runs a hook off the worker threads where the runtime has several: even one that blocks then leaves the timer
    /// running that abandons it.
    fn spawn_hook(run: Box<dyn FnOnce() -> BoxFuture<'static, Exit> + Send>) -> Self {
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Self::spawn(async { run().await });
        }
        let (trigger, stop) = channel();
        let run = move || {
            runtime.block_on(stop.run_until_stopped(async { run().await })).unwrap_or(Exit::Abandoned)
        };
        Self::new(tokio::task::spawn_blocking(run), Some(trigger))
    }

    fn new(handle: JoinHandle<Exit>, hook: Option<Trigger>) -> Self {
        let abort = AbortOnDrop { task: handle.abort_handle(), hook };
        Self { handle, abort }
    }

    async fn end(self, deadline: Instant) -> Exit {
        let Self { handle, abort: _abort } = self;
        match timeout_at(deadline, handle).await {
            Ok(Ok(exit)) => exit,
            // Panics are values before they get here, unless a destructor panics as well.
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(payload) => Exit::panicked(&*payload),
                Err(_) => Exit::Abandoned,
            },
            Err(_) => Exit::Abandoned,
        }
    }
}
