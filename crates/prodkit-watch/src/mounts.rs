//! Files that are mount points of their own: a Kubernetes `subPath`, a file bound into a container.

use crate::route;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Mount tables of hosts are long, those of containers are not.
const LARGEST: u64 = 4 << 20;

/// Where updates from outside never arrive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mounts {
    points: HashSet<PathBuf>,
    /// Mounted from inside an atomic writer's directory, which is replaced as a whole and never changed.
    sealed: Vec<PathBuf>,
}

impl Mounts {
    /// As `/proc/self/mountinfo` gives them (proc_pid_mountinfo(5)); none where there is no such file.
    pub(crate) fn of_this_process() -> Self {
        let mut table = Vec::new();
        let file = File::open("/proc/self/mountinfo");
        match file.and_then(|file| file.take(LARGEST).read_to_end(&mut table)) {
            Ok(_) => Self::parse(&table),
            Err(_) => Self::default(),
        }
    }

    fn parse(table: &[u8]) -> Self {
        let mut mounts = Self::default();
        for line in table.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b' ').skip(3).map(unescape);
            if let (Some(root), Some(point)) = (fields.next(), fields.next()) {
                if route::is_sealed(&root) {
                    mounts.sealed.push(point.clone());
                }
                mounts.points.insert(point);
            }
        }
        mounts
    }

    /// Whether what replaces `end`, a path free of links, can never be seen here.
    pub(crate) fn freeze(&self, end: &Path) -> bool {
        self.points.contains(end) && end.is_file() || self.sealed.iter().any(|point| end.starts_with(point))
    }
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        path.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_roots_are_read_unescaped() {
        let table = b"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            12 9 254:1 /pods/1/volumes/kubernetes.io~configmap/c/..2026_01/a.yaml /etc/app/a.yaml ro - ext4 x rw\n\
            13 9 254:1 /pods/1/volumes/kubernetes.io~configmap/c/..2026_01/sub /etc/sub ro - ext4 x rw\n\
            9 8 0:1 / /with\\040space\\134 rw - tmpfs tmpfs rw\n\
            short line\n\
            10 8 0:1 / /odd\\04 rw - tmpfs tmpfs rw\n";
        let mounts = Mounts::parse(table);
        let points = ["/", "/etc/app/a.yaml", "/etc/sub", "/with space\\", "/odd\\04"];
        assert_eq!(mounts.points, points.into_iter().map(PathBuf::from).collect());
        assert_eq!(mounts.sealed, ["/etc/app/a.yaml", "/etc/sub"].map(PathBuf::from));
        assert!(mounts.freeze(Path::new("/etc/sub/deep/b.yaml")));
        assert!(!mounts.freeze(Path::new("/etc/subtle")));
        assert!(!mounts.freeze(Path::new("/")), "a directory shows its new names");
    }
}
