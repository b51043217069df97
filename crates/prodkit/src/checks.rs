//! Checks in the background: each runs as an infrastructure task and tells the health state what it found.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;
use prodkit_health::{CheckHandle, Health, Lifecycle};
use prodkit_shutdown::Stop;
use prodkit_tasks::TaskGroup;
use prodkit_trace::SpanId;
use tokio::time::{sleep_until, timeout};

use crate::app::{Check, CheckFuture, Group};
use crate::error::{StartError, chain};
use crate::settings;

/// Adds checks and groups, and holds the names in the settings against them.
pub(crate) fn add_all(
    mut tasks: TaskGroup,
    checks: Vec<Check>,
    groups: Vec<Group>,
    settings: &settings::Health,
    health: &Health,
) -> Result<TaskGroup, StartError> {
    for check in checks {
        tasks = add(tasks, check, health)?;
    }
    for Group { name, checks } in groups {
        let added = health.group(name, checks, Instant::now());
        added.map_err(|error| StartError::setup("the groups of checks")(error.into()))?;
    }
    for (name, checks) in &settings.groups {
        let added = health.group(name.as_str(), checks.iter().map(String::as_str), Instant::now());
        added.map_err(|error| StartError::setting(format!("health.groups.{name}"), error))?;
    }
    if let Some(unknown) = health.unknown_settings().first() {
        let names: Vec<_> = health.check_names().iter().map(ToString::to_string).collect();
        let error = format!("no check is called {unknown:?}; there are: {}", names.join(", "));
        return Err(StartError::setting(format!("health.checks.{unknown}"), error));
    }
    Ok(tasks)
}

/// Adds a check to the health state, and the task that runs it to `group`.
fn add(group: TaskGroup, check: Check, health: &Health) -> Result<TaskGroup, StartError> {
    let Check { name, kind, run } = check;
    let handle = health.check(name, kind, Instant::now());
    let handle = handle.map_err(|error| StartError::setup("the checks")(error.into()))?;
    let health = health.clone();
    Ok(group.task(name, move |stop| repeat(handle, run, health, stop)))
}

async fn repeat(
    handle: CheckHandle,
    run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
    health: Health,
    stop: Stop,
) {
    loop {
        let due = handle.next_run(Instant::now(), SpanId::random().to_u64());
        if stop.run_until_stopped(sleep_until(due.into())).await.is_none() {
            return;
        }
        let begun = Instant::now();
        // `run` itself is the user's code, too.
        let running = AssertUnwindSafe(async { run().await }).catch_unwind();
        let Some(ended) = stop.run_until_stopped(timeout(handle.timing().timeout, running)).await else {
            return;
        };
        let result = match ended {
            Ok(Ok(result)) => result.map_err(|error| chain(&*error)),
            Ok(Err(_panic)) => Err("panicked".to_owned()),
            Err(_elapsed) => Err(format!("no answer within {:?}", handle.timing().timeout)),
        };
        if result.is_err() && health.lifecycle() != Lifecycle::Running {
            // A hook may have closed what this checks, and readiness has said no already.
            continue;
        }
        handle.record(result, begun.elapsed(), Instant::now());
    }
}
