//! One task, from its start to its end.

use crate::status::Cell;
use crate::{Backoff, Exit, TaskResult};
use futures_util::FutureExt as _;
use prodkit_shutdown::Stop;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Runs to the end, and turns a panic of the closure or of its future into a value.
///
/// What a panic leaves half done is gone with the future; what it shares with others is guarded by its own locks.
pub(crate) async fn caught<F, Fut>(f: F) -> Exit
where
    F: FnOnce() -> Fut,
    Fut: Future<Output: TaskResult>,
{
    match AssertUnwindSafe(async { f().await.into_result() }).catch_unwind().await {
        Ok(result) => Exit::from(result),
        Err(payload) => Exit::panicked(&*payload),
    }
}

pub(crate) async fn once<F, Fut>(name: &'static str, f: F, stop: Stop, cell: &Cell) -> Exit
where
    F: FnOnce(Stop) -> Fut,
    Fut: Future<Output: TaskResult>,
{
    let exit = caught(|| f(stop)).await;
    match &exit {
        Exit::Completed => tracing::debug!(task = name, "task completed"),
        _ => {
            cell.failed(&exit);
            tracing::error!(task = name, exit = %exit, "task ended");
        }
    }
    exit
}

pub(crate) async fn again<F, Fut>(
    name: &'static str,
    f: F,
    mut backoff: Backoff,
    stop: Stop,
    cell: &Cell,
) -> Exit
where
    F: FnOnce(Stop) -> Fut + Clone,
    Fut: Future<Output: TaskResult>,
{
    loop {
        let started = Instant::now();
        let (run, told) = (f.clone(), stop.clone());
        let exit = caught(move || run(told)).await;
        if exit.is_clean() {
            tracing::debug!(task = name, "task completed");
            return exit;
        }
        cell.failed(&exit);
        if stop.is_stopped() {
            tracing::error!(task = name, exit = %exit, "task ended while stopping");
            return exit;
        }
        let wait = backoff.next(started.elapsed());
        let restarts = cell.waits(wait);
        tracing::warn!(task = name, exit = %exit, restarts, wait_ms = millis(wait), "task ended, starting it again");
        if stop.run_until_stopped(sleep(wait)).await.is_none() {
            return Exit::Completed;
        }
        cell.runs();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
