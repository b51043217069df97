//! Why there was no call, or no answer in time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the layers of this module say themselves; errors of the service below pass through as they are.
///
/// It comes as the [`BoxError`](crate::BoxError) of a call: `error.downcast_ref::<client::Error>()`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The circuit of this target is open: nothing was sent.
    #[non_exhaustive]
    Open {
        /// Host and port.
        server: Arc<str>,
        /// For how long yet, at least.
        wait: Duration,
    },
    /// No head of a response came in time. It may have been received all the same.
    #[non_exhaustive]
    TimedOut {
        /// Host and port.
        server: Arc<str>,
        /// How long it was given.
        after: Duration,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { server, wait } => {
                write!(f, "call {server}: not sent, it has failed too often; the next try is in {wait:?}")
            }
            Self::TimedOut { server, after } => write!(f, "call {server}: no answer within {after:?}"),
        }
    }
}

impl std::error::Error for Error {}
