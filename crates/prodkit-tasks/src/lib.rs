//! Named, supervised tasks and the hooks between them: started in order, stopped in reverse.
//!
//! A [`TaskGroup`] is one ordered list of steps. A step is a *task*, which runs until it is told to stop, or a *hook*,
//! which runs once when the group stops. What is declared later may use what was declared earlier, so the group stops
//! from the end: each step is told to stop and awaited before the one above it is touched.
//!
//! ```
//! use prodkit_shutdown::{Cause, Stop};
//! use prodkit_tasks::{Backoff, Exit, TaskGroup};
//! use std::time::Duration;
//! use tokio::time::Instant;
//!
//! async fn relay(stop: Stop) -> Result<(), std::io::Error> {
//!     while stop.run_until_stopped(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
//!         // send one batch
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let mut running = TaskGroup::new()
//!     .on_shutdown("postgres", async || println!("the pool is closed, after its users"))
//!     .task("outbox-relay", relay)
//!     .supervise("cache-refresh", Backoff::default(), async |stop: Stop| {
//!         stop.stopped().await;
//!         if stop.is_stopped() { Ok(()) } else { Err("the cache is gone") }
//!     })
//!     .start()
//!     .expect("names are unique and in kebab-case");
//!
//! // A critical task that ends badly ends the service; which service does what then is not decided here.
//! tokio::select! {
//!     (name, exit) = running.failed() => println!("{name} {exit}"),
//!     () = tokio::time::sleep(Duration::from_secs(5)) => {}
//! }
//!
//! let ended = running.stop(&Cause::requested("example"), Instant::now() + Duration::from_secs(20)).await;
//! let names: Vec<_> = ended.iter().map(|ended| ended.name).collect();
//! assert_eq!(names, ["cache-refresh", "outbox-relay", "postgres"]);
//! assert!(ended.iter().all(|ended| matches!(ended.exit, Exit::Completed)));
//! # }
//! ```
//!
//! # When not to use it
//!
//! - For work that belongs to one request: `tokio::spawn` it, or better, await it.
//! - To limit or count short tasks: `tokio_util::task::TaskTracker` and a semaphore do that.
//! - As a process supervisor: a task that blocks its thread for ever cannot be ended from inside of the process. It is
//!   abandoned by name.

mod backoff;
mod error;
mod exit;
mod group;
mod nudge;
mod result;
mod running;
mod status;
mod supervise;

pub use backoff::Backoff;
pub use error::Error;
pub use exit::{Ended, Exit, Kind};
pub use group::TaskGroup;
pub use nudge::Nudge;
pub use result::{BoxError, TaskResult};
pub use running::Running;
pub use status::{State, Status, Statuses};
