use crate::{Importance, Lifecycle, Probe, Status, Verdict};
use std::fmt;
use std::sync::Arc;

/// Something that changed, for the log and for counters. Its text is a line without its period.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A check or a reporter moved.
    Check {
        /// Its name.
        name: Arc<str>,
        /// What it means to readiness.
        importance: Importance,
        /// What was known before.
        from: Status,
        /// What is known now.
        to: Status,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// The process moved forward in its life.
    Lifecycle {
        /// Where it was.
        from: Lifecycle,
        /// Where it is.
        to: Lifecycle,
    },
    /// Liveness moved.
    Liveness {
        /// Whether the process is alive now.
        live: bool,
        /// Why not.
        reasons: Vec<String>,
    },
    /// Nobody took the events for so long that this many, older than all that follow, were dropped.
    Lost(u64),
    /// Readiness moved.
    Readiness {
        /// The answer before.
        from: Verdict,
        /// The answer now.
        to: Verdict,
        /// Why it is not a plain yes.
        reasons: Vec<String>,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, reasons: &[String]| match reasons {
            [] => Ok(()),
            reasons => write!(f, ": {}", reasons.join("; ")),
        };
        match self {
            Self::Check { name, importance, from, to, reason } => {
                write!(f, "{importance} check {name} went from {from} to {to}")?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
            Self::Lifecycle { from, to } => write!(f, "lifecycle went from {from} to {to}"),
            Self::Liveness { live: true, .. } => f.write_str("alive again"),
            Self::Liveness { live: false, reasons } => {
                f.write_str("not alive")?;
                because(f, reasons)
            }
            Self::Lost(events) => write!(f, "{events} health events were dropped"),
            Self::Readiness { from, to, reasons } => {
                let (from, to) = (from.word(Probe::Readiness), to.word(Probe::Readiness));
                write!(f, "readiness went from {from} to {to}")?;
                because(f, reasons)
            }
        }
    }
}
