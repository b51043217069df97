//! Which events are written: a level for everything and exceptions by target.

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;

use tracing_core::{Level, LevelFilter};

/// The level above which events are written, for everything and by target.
///
/// Written as `info`, or `info,my_crate=debug,hyper=off`: a comma-separated list of a level for everything else and
/// `target=level` exceptions. Where several fit, the longest target decides; where one is given twice, the later
/// wins. Without a level for everything it is `info`.
///
/// - Levels are `off`, `error`, `warn` (or `warning`), `info`, `debug`, `trace`, in any case.
/// - A target covers itself and what lies below it: `hyper` covers `hyper::client` and `hyper.client`, not `hyper_util`.
///   `-` and `_` are the same, so that the name in `Cargo.toml` works.
/// - A bare word is a level, never a target: a misspelled level is an error and not a filter that silences everything.
///
/// ```
/// use prodkit_log::{Filter, Level};
///
/// let filter: Filter = "warn,order_service=debug".parse()?;
/// assert!(filter.enabled("order_service::relay", Level::DEBUG));
/// assert!(!filter.enabled("hyper", Level::INFO));
///
/// let error = "inof".parse::<Filter>().unwrap_err();
/// assert!(error.to_string().contains("did you mean `info`?"));
/// # Ok::<(), prodkit_log::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    everything: LevelFilter,
    /// Longest target first, so that the first that fits decides; then by name, so that equal filters are equal.
    targets: Vec<(Box<str>, LevelFilter)>,
}

impl Filter {
    /// This level for every target.
    #[must_use]
    pub fn new(everything: LevelFilter) -> Self {
        Self { everything, targets: Vec::new() }
    }

    /// The same filter with `level` for `target` and what lies below it; an earlier level for the same target is
    /// replaced.
    #[must_use]
    pub fn target(mut self, target: &str, level: LevelFilter) -> Self {
        match self.targets.iter_mut().find(|(known, _)| covers(known, target) && known.len() == target.len())
        {
            Some((_, known)) => *known = level,
            None => {
                let order = |text: &str| (Reverse(text.len()), text.to_owned());
                let at = self.targets.partition_point(|(known, _)| order(known) < order(target));
                self.targets.insert(at, (target.into(), level));
            }
        }
        self
    }

    /// The level for events of `target`.
    #[must_use]
    pub fn level(&self, target: &str) -> LevelFilter {
        let Self { everything, targets } = self;
        targets.iter().find(|(known, _)| covers(known, target)).map_or(*everything, |(_, level)| *level)
    }

    /// Whether an event of this target and level is written.
    #[must_use]
    pub fn enabled(&self, target: &str, level: Level) -> bool {
        self.level(target) >= level
    }

    /// The most verbose level any target has.
    #[must_use]
    pub fn max_level(&self) -> LevelFilter {
        let Self { everything, targets } = self;
        targets.iter().map(|(_, level)| *level).fold(*everything, LevelFilter::max)
    }
}

impl Default for Filter {
    /// `info`.
    fn default() -> Self {
        Self::new(LevelFilter::INFO)
    }
}

impl fmt::Display for Filter {
    /// The form that parses back to the same filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { everything, targets } = self;
        write!(f, "{everything}")?;
        // shortest first: the order in which a person writes them
        targets.iter().rev().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

/// Whether a directive for `known` speaks about `target`.
fn covers(known: &str, target: &str) -> bool {
    let same = |(a, b): (u8, u8)| a == b || matches!((a, b), (b'-', b'_') | (b'_', b'-'));
    target.len() >= known.len()
        && known.bytes().zip(target.bytes()).all(same)
        && matches!(target.as_bytes()[known.len()..], [] | [b'.', ..] | [b':', b':', ..])
}
