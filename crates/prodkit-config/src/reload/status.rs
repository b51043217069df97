//! What is loaded, and what came of a look at the sources.

use super::ReloadError;
use crate::error::Warning;
use crate::tree::{Show, Tree};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// What is loaded, and how the last attempt went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// How often a new configuration was taken since the start, which is 0.
    pub generation: u64,
    /// [`Tree::hash`](crate::Tree::hash) of what is loaded, without the secrets that only the types know of.
    pub hash: u64,
    /// When it was taken.
    pub loaded_at: SystemTime,
    /// Why the sources as they are now were not taken; `None` once they are good again.
    pub last_error: Option<String>,
    /// Paths that differ from what the process was started with, and that nothing moves, sorted.
    pub pending: Vec<String>,
}

/// What a [`Reload`](crate::Reload) has loaded at one moment. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) status: Status,
    pub(super) current: Current,
}

/// What came of one look at the sources.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// They say something new, and it holds.
    Committed(Commit),
    /// They say what is loaded already.
    Unchanged,
    /// They were not taken, and nothing has changed. What was [transient](crate::ReloadError::is_transient) is tried again, at
    /// growing pauses.
    Refused(ReloadError),
}

/// A configuration that was taken.
#[derive(Debug)]
#[non_exhaustive]
pub struct Commit {
    /// The live paths that moved, sorted.
    pub moved: Vec<String>,
    /// As [`Status::pending`].
    pub pending: Vec<String>,
    /// As [`Loaded::warnings`](crate::Loaded::warnings).
    pub warnings: Vec<Warning>,
    /// [`Status::hash`] before and after.
    pub hashes: (u64, u64),
}

#[derive(Clone)]
pub(super) struct Current {
    pub(super) tree: Arc<Tree>,
    pub(super) secrets: Arc<[String]>,
}

impl Current {
    fn show(&self) -> Show<'_> {
        self.tree.show().hiding(self.secrets.iter().cloned())
    }

    pub(super) fn hash(&self) -> u64 {
        self.show().hash()
    }
}

impl Snapshot {
    /// What was loaded then, and how the last attempt had gone.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The values that are set, with their sources; secrets are masked, those that only the types know of too.
    pub fn show(&self) -> Show<'_> {
        self.current.show()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("status", &self.status).finish_non_exhaustive()
    }
}
