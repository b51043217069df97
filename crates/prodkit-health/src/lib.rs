//! Startup, liveness and readiness as one state machine.
//!
//! [`Health`] holds where a process is in its life, what its checks found, and who holds what; [`Probes`] answers the
//! orchestrator from that, over HTTP. The crate opens no socket, spawns nothing and asks no clock: whoever runs the
//! checks brings the results and the time.
//!
//! ```
//! use http::Request;
//! use prodkit_health::{Check, Event, Health, Probes, Settings};
//! use std::time::{Duration, Instant};
//!
//! let health = Health::new(Settings::default(), Instant::now());
//! let probes = Probes::public(health.clone(), Instant::now);
//! let ready = || probes.answer(&Request::get("/health/ready").body(()).unwrap()).status().as_u16();
//!
//! // What must be done before the process runs. Dropping the guard releases it.
//! let warm_up = health.hold("warm-up", Instant::now());
//! let database = health.check("order-db", Check::critical(), Instant::now())?;
//! health.started(Instant::now());
//! assert_eq!(ready(), 503);
//!
//! // The runner of a check brings its results, and asks when to run next.
//! database.record(Ok(()), Duration::from_millis(3), Instant::now());
//! let _next = database.next_run(Instant::now(), 0x5eed);
//! drop(warm_up);
//! assert_eq!(ready(), 200);
//!
//! // One refused connection is no outage; three in a row are.
//! for _ in 0..3 {
//!     assert_eq!(ready(), 200);
//!     database.record(Err("connection refused".into()), Duration::from_millis(1), Instant::now());
//! }
//! assert_eq!(ready(), 503);
//!
//! // What changed, for the log.
//! let lines: Vec<_> = health.advance(Instant::now()).iter().map(Event::to_string).collect();
//! assert_eq!(lines.last().unwrap(), "readiness went from ready to not_ready: critical check order-db is failing: connection refused");
//! # Ok::<(), prodkit_health::Error>(())
//! ```
//!
//! # The rules
//!
//! - **Startup** is yes once the process has run: [`Health::started`] was called and every [`InitHold`] is released. It
//!   stays yes.
//! - **Liveness** is local truth: yes unless someone [said otherwise](Health::fail_liveness). No check moves it, and
//!   draining does not, since a restart would cure neither.
//! - **Readiness** is yes while the process runs, is alive, is not [held](Health::hold_readiness), and every critical
//!   check is good. Other checks only degrade it, which is still a yes. A check is not good before its first good
//!   result, and never on an old one.
//!
//! # When not to use it
//!
//! - When one `/healthz` that always answers 200 is enough: write that handler.
//! - To watch many hosts or services: this is one process speaking for itself.

mod check;
mod check_state;
mod costs;
mod entry;
mod error;
mod event;
#[cfg(feature = "grpc")]
pub mod grpc;
mod handles;
mod health;
mod lifecycle;
mod probes;
mod report;
mod rules;
mod settings;
mod state;

pub use check::{Check, Importance, Status, Timing};
pub use check_state::CheckState;
pub use error::Error;
pub use event::Event;
pub use handles::{CheckHandle, InitHold, Reporter};
pub use health::Health;
pub use lifecycle::Lifecycle;
pub use probes::Probes;
pub use report::{CheckReport, Pending, Probe, Report, Snapshot, Verdict};
pub use settings::{CheckSettings, Settings};
