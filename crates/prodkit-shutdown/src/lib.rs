//! Ordered shutdown: who asked, who must stop, what is still in flight, and how long each step may take.
//!
//! The crate answers four questions with four small values and owns no task, no thread and no policy:
//!
//! | question | value |
//! |---|---|
//! | Must I stop, and why? | [`Stop`], asked through a [`Trigger`] with a [`Cause`] |
//! | Is anything still in flight? | [`Holds`], made of [`Hold`] guards |
//! | Did the operating system ask? | [`Signals`] |
//! | How long may each step take? | [`Budget`] → [`Plan`] → [`Deadlines`] |
//!
//! ```
//! use prodkit_shutdown::{Budget, Cause, Holds, Signal, channel};
//! use std::time::Duration;
//! use tokio::time::{Instant, timeout_at};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let plan = Budget::default().kubernetes(true).termination_grace_period(Duration::from_secs(60)).plan();
//! assert!(plan.warnings().is_empty(), "a plan that cannot fit says so when the process starts");
//!
//! let (trigger, stop) = channel();
//! let requests = Holds::new();
//!
//! // One request in flight. It may outlive the order to stop: that is what a drain is for.
//! let request = requests.hold();
//!
//! // A worker stops taking work as soon as it is told to.
//! let worker = async {
//!     while let Some(_job) = stop.run_until_stopped(std::future::pending::<()>()).await {}
//!     drop(request);
//! };
//!
//! // Whoever sees the signal fires; the first cause wins.
//! assert!(trigger.fire(Cause::Signal(Signal::Terminate)));
//! assert!(!trigger.fire(Cause::requested("admin")));
//! assert_eq!(stop.cause().unwrap().to_string(), "SIGTERM");
//!
//! let deadlines = plan.begin(Instant::now(), stop.cause().unwrap(), true);
//! let drained = timeout_at(deadlines.drain(Instant::now()), requests.idle());
//! let ((), drained) = tokio::join!(worker, drained);
//! assert!(drained.is_ok());
//! # }
//! ```
//!
//! # When not to use it
//!
//! - To run tasks, join them or cut them off: that is `prodkit-tasks`. This crate never spawns, joins or kills.
//! - As a cancellation token for one request: dropping the future is shorter and needs no crate.
//! - On Windows: [`Signals`] knows Unix signals only.

mod budget;
mod cause;
mod holds;
mod stop;
mod sync;

#[cfg(not(loom))]
mod signals;

pub use budget::{Budget, Deadlines, Plan, Warning};
pub use cause::{Cause, Signal};
pub use holds::{Hold, Holds};
#[cfg(not(loom))]
pub use signals::Signals;
pub use stop::{Stop, Trigger, channel};
