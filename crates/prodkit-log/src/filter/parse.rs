use std::str::FromStr;

use tracing_core::LevelFilter;

use super::Filter;
use crate::error::{Error, Kind};

/// A filter comes from the environment or over the network, so its size is bounded.
const MOST_BYTES: usize = 8 * 1024;
const MOST_DIRECTIVES: usize = 256;

/// `off` first: the hint takes the first of equally near names.
const LEVELS: [(&str, LevelFilter); 7] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("warning", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MOST_BYTES {
            return Err(Error::new(Kind::TooLong { what: "bytes", most: MOST_BYTES }));
        }
        let mut filter = Self::default();
        let mut directives = 0;
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            directives += 1;
            if directives > MOST_DIRECTIVES {
                return Err(Error::new(Kind::TooLong { what: "directives", most: MOST_DIRECTIVES }));
            }
            filter = apply(filter, directive)?;
        }
        if directives == 0 {
            return Err(Error::new(Kind::Empty));
        }
        Ok(filter)
    }
}

fn apply(mut filter: Filter, directive: &str) -> Result<Filter, Error> {
    if directive.contains(['[', ']', '{', '}']) {
        return Err(Error::new(Kind::SpanDirective(shown(directive))));
    }
    match directive.rsplit_once('=') {
        None => filter.everything = level(directive, directive)?,
        Some((target, name)) => {
            let (target, name) = (target.trim_end(), name.trim_start());
            if target.is_empty() || target.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=')
            {
                return Err(Error::new(Kind::Target(shown(directive))));
            }
            filter = filter.target(target, level(directive, name)?);
        }
    }
    Ok(filter)
}

fn level(directive: &str, name: &str) -> Result<LevelFilter, Error> {
    LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level).ok_or_else(
        || {
            Error::new(Kind::UnknownLevel {
                directive: shown(directive),
                level: shown(name),
                hint: nearest(name),
            })
        },
    )
}

/// What of a directive an error repeats: enough to find it, never a screenful, no control characters.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

/// The level that differs by at most two edits, and by less than half of what was written.
fn nearest(name: &str) -> Option<&'static str> {
    let length = name.chars().count();
    if length > 9 {
        return None;
    }
    let near =
        LEVELS.iter().map(|(known, _)| (edits(name, known), *known)).min_by_key(|(edits, _)| *edits)?;
    (near.0 <= 2 && near.0 * 2 <= length).then_some(near.1)
}

/// Edit distance with swapped neighbours as one edit (optimal string alignment), ignoring case.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swap = (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    .then(|| rows[i - 2][j - 2] + 1);
                change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swap.unwrap_or(usize::MAX))
            };
        }
    }
    rows[a.len()][b.len()]
}
