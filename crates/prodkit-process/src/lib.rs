//! What the process may use and what it uses: the limits its cgroup sets, how long they held it up, what `/proc` counts,
//! and with the feature `systemd` the way to tell that how the process is.
//!
//! A pod with `limits.cpu: 1500m` sees all cores of its node; the limit is a quota in a cgroup file, and an *ancestor*
//! of the process's own group may set a tighter one. [`Limits::read`] takes the tightest up the chain, for cgroup v1 and
//! v2, and [`Limits::workers`] turns it into a number of worker threads.
//!
//! ```
//! use prodkit_process::{Limits, Usage};
//!
//! let limits = Limits::read();
//! assert!(limits.workers().get() >= 1);
//!
//! // `None` where there is no /proc, as on macOS.
//! if let Some(usage) = Usage::read() {
//!     assert!(usage.resident_bytes > 0);
//! }
//! ```
//!
//! **When not to use it:** to pin threads or to size caches exactly. Quotas are bandwidth, not cores, and Kubernetes may
//! resize a pod in place; read again where that matters.

mod cgroup;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod notify;
mod throttle;
mod usage;

pub use cgroup::Limits;
#[cfg(all(feature = "systemd", target_os = "linux"))]
pub use notify::{Notify, watchdog};
pub use throttle::Throttle;
pub use usage::Usage;
