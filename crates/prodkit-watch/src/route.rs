//! Which names in which directories decide what a path leads to.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As the kernel counts (`MAXSYMLINKS`, path_resolution(7)).
const MOST_LINKS: usize = 40;

/// The way from a path to what it names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Directories, free of links, and the name in each that decides: every link passed, the last name, and where the
    /// way ends too early the name that is missing.
    pub(crate) hops: Vec<(PathBuf, OsString)>,
    /// The end, free of links, where it exists.
    pub(crate) end: Option<PathBuf>,
    /// Whether the end lies in a directory that is complete before it is linked and never changes again.
    pub(crate) sealed: bool,
}

impl Route {
    /// Follows an absolute path. Never fails: where it cannot go on, the route ends.
    pub(crate) fn to(path: &Path) -> Self {
        let mut route = Self::default();
        let mut rest: VecDeque<OsString> = VecDeque::new();
        let mut here = PathBuf::from("/");
        prepend(&mut rest, path);
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let there = here.join(&name);
            let Ok(meta) = fs::symlink_metadata(&there) else {
                route.hop(here, name);
                return route;
            };
            if meta.is_symlink() {
                route.hop(here.clone(), name);
                links += 1;
                let Ok(target) = fs::read_link(&there) else { return route };
                if links > MOST_LINKS {
                    return route;
                }
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                prepend(&mut rest, &target);
                continue;
            }
            if rest.is_empty() {
                route.hop(here, name);
            } else if !meta.is_dir() {
                route.hop(here, name);
                return route;
            }
            here = there;
        }
        route.sealed = is_sealed(&here);
        route.end = Some(here);
        route
    }

    fn hop(&mut self, directory: PathBuf, name: OsString) {
        if !is_sealed(&directory) {
            self.hops.push((directory, name));
        }
    }
}

/// Kubelet's atomic writer fills a directory such as `..2026_11_20_10_15_00.123`, links it as `..data` and never changes
/// it again (`pkg/volume/util/atomic_writer.go`; names that begin with two dots are reserved there). A watch on one
/// would come and go with every update.
pub(crate) fn is_sealed(directory: &Path) -> bool {
    directory.components().any(|component| match component {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b".."),
        _ => false,
    })
}

fn prepend(rest: &mut VecDeque<OsString>, path: &Path) {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    });
    for (index, name) in names.enumerate() {
        rest.insert(index, name.to_owned());
    }
}

#[cfg(test)]
mod tests;
