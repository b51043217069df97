//! How long the process was kept from the CPU by the quota of its control group, or of one above it.
//!
//! Sources: kernel `Documentation/admin-guide/cgroup-v2.rst` ("cpu.stat", `throttled_usec`) and
//! `Documentation/scheduler/sched-bwc.rst` ("Statistics", `throttled_time` in nanoseconds, cgroup v1).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::folders;

/// Where the kernel counts throttled time; found once, because groups do not move.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    files: Vec<PathBuf>,
}

impl Throttle {
    /// For the running process.
    #[must_use]
    pub fn find() -> Self {
        Self::find_below(Path::new("/"))
    }

    /// As [`find`](Self::find), with every path taken below `root`: for tests and for foreign mount namespaces.
    #[must_use]
    pub fn find_below(root: &Path) -> Self {
        let files = folders(root).into_iter().map(|(_, folder)| folder.join("cpu.stat"));
        Self { files: files.filter(|file| file.is_file()).collect() }
    }

    /// How long so far, in sum over the cores that were taken away; the most that any one group of the chain says, because
    /// what a group and one above it take away is mostly the same time. Zero where nothing is counted.
    #[must_use]
    pub fn total(&self) -> Duration {
        let texts = self.files.iter().filter_map(|file| fs::read_to_string(file).ok());
        texts.filter_map(|text| throttled(&text)).max().unwrap_or_default()
    }
}

fn throttled(stat: &str) -> Option<Duration> {
    stat.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        let value = value.trim().parse().ok();
        match key {
            "throttled_usec" => value.map(Duration::from_micros),
            "throttled_time" => value.map(Duration::from_nanos),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a process in `/pod/app`, from these files below its root.
    fn check(mounts: &str, groups: &str, files: &[(&str, &str)], expect: Duration) {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup", groups);
        write("proc/self/mountinfo", mounts);
        files.iter().for_each(|(path, text)| write(path, text));
        assert_eq!(Throttle::find_below(root.path()).total(), expect);
    }

    #[test]
    fn both_versions_are_read_and_the_most_counts() {
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let files = [
            ("/sys/fs/cgroup/pod/app/cpu.stat", "usage_usec 9\nnr_throttled 3\nthrottled_usec 1500\n"),
            ("/sys/fs/cgroup/pod/cpu.stat", "usage_usec 9\nthrottled_usec 2500\nnr_bursts 0\n"),
            // the root counts usage only
            ("/sys/fs/cgroup/cpu.stat", "usage_usec 99\n"),
        ];
        check(v2, "0::/pod/app\n", &files, Duration::from_micros(2500));

        let v1 = "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let files =
            [("/sys/fs/cgroup/cpu/pod/app/cpu.stat", "nr_periods 2\nnr_throttled 1\nthrottled_time 7000\n")];
        check(v1, "4:cpu:/pod/app\n", &files, Duration::from_micros(7));
    }

    #[test]
    fn what_cannot_be_read_is_no_time() {
        check("", "", &[], Duration::ZERO);
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        for text in ["", "throttled_usec", "throttled_usec x", "throttled_usec -1"] {
            check(v2, "0::/\n", &[("/sys/fs/cgroup/cpu.stat", text)], Duration::ZERO);
        }
        let gone = Throttle { files: vec!["/nowhere/cpu.stat".into()] };
        assert_eq!(gone.total(), Duration::ZERO);
    }
}
