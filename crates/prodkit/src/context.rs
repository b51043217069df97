//! What the process has, as `app` receives it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prodkit_health::{Health, Importance, InitHold, Reporter};
use prodkit_shutdown::{Cause, Stop, Trigger};
use prodkit_tasks::Backoff;

use crate::heartbeat::{Heartbeat, Heartbeats};
use tokio::time::Instant;

use crate::BoxError;
use crate::error::chain;

/// What the process has: its configuration, its end, and its health while it starts.
///
/// Hand the parts on (`cx.config()`, `cx.draining()`), not the whole: a function that takes a `Context` cannot be
/// called by a test, nor say what it needs.
///
/// Cheap to clone.
pub struct Context<C = NoConfig> {
    config: Arc<C>,
    process: Arc<Process>,
}

/// The configuration of an app that has none: every top-level key that is not prodkit's own is an error.
#[derive(Debug, Default, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NoConfig {}

pub(crate) struct Process {
    pub(crate) health: Health,
    pub(crate) trigger: Trigger,
    pub(crate) stop: Stop,
    pub(crate) heartbeats: Heartbeats,
}

impl<C> Context<C> {
    pub(crate) fn new(config: C, process: Arc<Process>) -> Self {
        Self { config: Arc::new(config), process }
    }

    /// The app's own configuration. Its plain fields are fixed for the life of the process; its `Live` fields move.
    #[must_use]
    pub fn config(&self) -> Arc<C> {
        Arc::clone(&self.config)
    }

    /// Fires the moment the process is told to stop, while everything is still served: for handlers of long streams,
    /// which should say goodbye rather than be cut at the deadline.
    #[must_use]
    pub fn draining(&self) -> Stop {
        self.process.stop.clone()
    }

    /// Asks for an orderly end, as SIGTERM does. Asking again changes nothing.
    pub fn trigger(&self) {
        self.process.trigger.fire(Cause::requested("the application"));
    }

    /// Keeps the startup probe at "initializing" until the hold is dropped; its body names the hold and its age.
    #[must_use = "dropping the hold ends the wait"]
    pub fn hold(&self, name: &'static str) -> InitHold {
        self.process.health.hold(name, std::time::Instant::now())
    }

    /// A check that is told instead of asked: for state that is known anyway, such as a stream that is connected or not.
    ///
    /// # Errors
    ///
    /// When a check of that name exists.
    pub fn reporter(&self, name: &'static str, importance: Importance) -> Result<Reporter, BoxError> {
        Ok(self.process.health.reporter(name, importance, std::time::Instant::now())?)
    }

    /// A sign of life for a task the service cannot do without: when it has beaten once and then stays silent for longer than
    /// `within`, liveness fails, with the name, until it beats again or is dropped. Move it into the task, and beat on every
    /// turn of its loop, whether or not that turn's work succeeded: a dependency that is down is no reason for a restart.
    ///
    /// # Errors
    ///
    /// When another task has this name, when `within` is less than 100 ms, and when there are 256 of them.
    pub fn heartbeat(&self, name: &'static str, within: Duration) -> Result<Heartbeat, BoxError> {
        Ok(self.process.heartbeats.add(name, within)?)
    }

    /// Waits, with growing pauses, until `check` succeeds; the startup probe names what is waited for, and on the
    /// admin port why.
    ///
    /// Cancel safe. A signal ends the wait with the whole start.
    pub async fn wait_for<F, Fut, E>(&self, name: &'static str, mut check: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        let hold = self.hold(name);
        let mut backoff = Backoff::default();
        loop {
            let asked = Instant::now();
            let Err(error) = check().await else { return };
            let error: BoxError = error.into();
            let (error, pause) = (chain(&*error), backoff.next(asked.elapsed()));
            hold.because(error.as_str());
            tracing::info!(dependency = name, error, ?pause, "waiting for a dependency");
            tokio::time::sleep(pause).await;
        }
    }
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), process: Arc::clone(&self.process) }
    }
}

impl<C: std::fmt::Debug> std::fmt::Debug for Context<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("config", &self.config).finish_non_exhaustive()
    }
}
