use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where a process is in its life. It moves forward only, and may skip states: a signal during start-up leads from
/// `Starting` to `Draining`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Lifecycle {
    /// It is not yet able to serve.
    Starting,
    /// It serves.
    Running,
    /// It serves what is still coming in, and asks for no more.
    Draining,
    /// It serves nothing any more.
    Stopped,
}

impl Lifecycle {
    const ALL: [Self; 4] = [Self::Starting, Self::Running, Self::Draining, Self::Stopped];

    /// The state in one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The one place of a process's [`Lifecycle`]: a number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU8);

impl Cell {
    pub(crate) fn load(&self) -> Lifecycle {
        Lifecycle::ALL[usize::from(self.0.load(Ordering::Acquire)).min(Lifecycle::ALL.len() - 1)]
    }

    /// Moves forward to `to`. Returns where it was, or `None` when it was there already or further.
    pub(crate) fn advance(&self, to: Lifecycle) -> Option<Lifecycle> {
        let before = self.0.fetch_max(to as u8, Ordering::AcqRel);
        Lifecycle::ALL.get(usize::from(before)).copied().filter(|before| *before < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_forward_only() {
        for from in Lifecycle::ALL {
            for to in Lifecycle::ALL {
                let cell = Cell::default();
                cell.advance(from);
                let expect = (to > from).then_some(from);
                assert_eq!(cell.advance(to), expect, "{from} to {to}");
                assert_eq!(cell.load(), from.max(to));
            }
        }
    }
}
