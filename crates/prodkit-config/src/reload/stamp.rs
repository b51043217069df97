//! Whether files changed while they were read.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Where a path leads, when that was written, and how long it is; `None` where it leads nowhere.
#[derive(PartialEq)]
pub(super) struct Stamp(Option<(PathBuf, Option<SystemTime>, u64)>);

pub(super) fn of(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let end = fs::canonicalize(path).ok()?;
        let meta = fs::metadata(&end).ok()?;
        Some((end, meta.modified().ok(), meta.len()))
    };
    paths.iter().map(|path| Stamp(stamp(path))).collect()
}
