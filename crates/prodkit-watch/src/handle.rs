use crate::bell::Bell;
use std::path::PathBuf;
use std::sync::Arc;

/// Asks a [`Watch`](crate::Watch) for a look and for its health, from anywhere. Cheap to clone; outlives the watch, and
/// then does nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) bell: Arc<Bell>,
}

impl Handle {
    /// Forces one look, whether anything changed or not: for `SIGHUP`, for an operator. Several before the look count as
    /// one. It still waits for a file that is being written.
    pub fn touch(&self) {
        self.bell.touch();
    }

    /// How well the watch sees.
    #[must_use]
    pub fn health(&self) -> Health {
        self.bell.health(|health| health.clone())
    }
}

/// How well a [`Watch`](crate::Watch) sees. Asked for with [`Handle::health`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What tells it of changes.
    pub mode: Mode,
    /// Why it polls, where it would rather not; `None` again once it is back at events.
    pub last_error: Option<String>,
    /// Paths whose changes cannot be seen, or not wholly, in the order they were set.
    pub blind: Vec<(PathBuf, Blind)>,
    /// The directories that events come from.
    pub directories: usize,
    /// How often everything was read and compared.
    pub checks: u64,
    /// How often there was something to look at.
    pub looks: u64,
}

/// What tells a watch of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Events of the operating system (inotify on Linux), and the poll behind them.
    Events,
    /// The poll, and events of some directories at best.
    Polling,
}

/// Why changes of a path cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blind {
    /// The file is a mount point of its own, as a Kubernetes volume with `subPath` makes it: what replaces it outside never
    /// shows inside, only what is written into the very same file. Mount the whole volume instead.
    Mount,
    /// A file of more than 4 MiB or a directory of more than 4096 names: what is beyond is not compared.
    TooLarge,
}

impl Blind {
    /// For a log line: what it means for the one who set the path.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Mount => {
                "it is mounted by itself (subPath): updates never arrive, mount the whole volume instead"
            }
            Self::TooLarge => "it is too large: what is beyond 4 MiB or 4096 names is not compared",
        }
    }
}
