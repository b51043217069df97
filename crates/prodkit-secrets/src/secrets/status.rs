//! How the sources are, to be shown.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{Entry, Inner};

/// How one source of secrets is. Names and times, and never a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// The source, `file:/var/secrets/password`; a field of it is not told.
    pub source: String,
    /// Whether there is anything in use from it.
    pub is_found: bool,
    /// Which version is in use, where the source has such.
    pub version: Option<String>,
    /// Since when what is in use is in use.
    pub since: SystemTime,
    /// How often what is in use was replaced by something else.
    pub moves: u64,
    /// How long what is in use goes on to work, unless it is renewed before.
    pub expires_in: Option<Duration>,
    /// Why it cannot be had, or not be kept current.
    pub trouble: Option<String>,
}

impl Inner {
    pub(super) fn standing(&self) -> Vec<Standing> {
        let now = Instant::now();
        let state = self.state();
        let mut standing: Vec<_> = state
            .documents
            .iter()
            .map(|(key, entry)| {
                let Entry { document, trouble, since, moves } = entry;
                Standing {
                    source: key.to_string(),
                    is_found: document.is_ok(),
                    version: document.as_ref().ok().and_then(|document| document.version.clone()),
                    since: *since,
                    moves: *moves,
                    expires_in: entry.expires().map(|at| at.saturating_duration_since(now)),
                    trouble: trouble.clone(),
                }
            })
            .collect();
        standing.sort_by(|one, other| one.source.cmp(&other.source));
        standing
    }
}
