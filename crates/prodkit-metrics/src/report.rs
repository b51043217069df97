//! What went wrong with a metric, said once.

use crate::Kind;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) enum Report {
    Conflict { name: Arc<str>, kind: Kind, by: Arc<str>, by_kind: Kind },
    Full { limit: usize },
    Overflow { name: Arc<str>, limit: usize },
}

impl Report {
    /// Not under any lock: a `tracing` layer may well count events with this very store.
    pub(crate) fn send(&self) {
        match self {
            Self::Conflict { name, kind, by, by_kind } => tracing::warn!(
                metric = %name,
                kind = kind.as_str(),
                taken_by = %by,
                taken_by_kind = by_kind.as_str(),
                "metric dropped: its name belongs to another metric"
            ),
            Self::Full { limit } => {
                tracing::warn!(limit, "metric dropped: its name is too long or there are too many metrics");
            }
            Self::Overflow { name, limit } => {
                tracing::warn!(metric = %name, limit, "metric has too many series: further ones are summed into one");
            }
        }
    }
}
