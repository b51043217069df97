//! The exit codes, in one place.

use std::process::ExitCode;

/// How a process ends; the number is what the shell and the kubelet see.
///
/// 64 and 78 are `EX_USAGE` and `EX_CONFIG` of BSD's `sysexits.h`: restarting cannot help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything stopped in order; a signal during start-up too.
    Clean = 0,
    /// `app` or the job returned an error, or a port could not be bound.
    App = 1,
    /// A second signal ended it at once.
    Forced = 2,
    /// The grace period ran out first: requests were cut, or tasks or hooks abandoned.
    Incomplete = 3,
    /// A critical task failed; the rest stopped in order.
    Task = 4,
    /// The command line makes no sense.
    Usage = 64,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
