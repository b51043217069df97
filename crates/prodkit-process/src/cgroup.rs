//! The tightest CPU and memory limit between this process's control group and the root, cgroup v1 and v2.
//!
//! `/proc/self/cgroup` names the group in each hierarchy, `/proc/self/mountinfo` says where a hierarchy is mounted and
//! which of its folders is the mount's root. Inside a container the two often disagree: the path is the host's while the
//! mount shows only the container's own part, so a path that does not lie below the mount's root means the mount itself.
//!
//! Sources: `cgroups(7)`, `proc_pid_mountinfo(5)`, kernel `Documentation/admin-guide/cgroup-v2.rst` ("cpu.max",
//! "memory.max") and `cgroup-v1/memory.rst`.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// At or above this, cgroup v1's `memory.limit_in_bytes` means "no limit": the kernel shows `i64::MAX` rounded down to
/// a page.
const V1_UNLIMITED: u64 = 1 << 62;

/// What the process may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// CPU time per time, in cores: `1.5` is a core and a half. `None` where no quota is set.
    pub cpu: Option<f64>,
    /// Memory in bytes. `None` where no limit is set.
    pub memory: Option<u64>,
}

impl Limits {
    /// Reads the limits of the running process; what cannot be read counts as not limited.
    #[must_use]
    pub fn read() -> Self {
        Self::read_below(Path::new("/"))
    }

    /// As [`read`](Self::read), with every path taken below `root`: for tests and for foreign mount namespaces.
    #[must_use]
    pub fn read_below(root: &Path) -> Self {
        let mut limits = Self::default();
        for (version, folder) in folders(root) {
            limits.tighten(version, &folder);
        }
        limits
    }

    /// Worker threads for these limits: the quota rounded up, at least 1; without a quota one per core the process may use.
    ///
    /// Rounded *up* because a quota is bandwidth: two threads share 1.5 cores well, one thread can never use them.
    #[must_use]
    pub fn workers(&self) -> NonZeroUsize {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.workers_of(cores)
    }

    fn workers_of(&self, cores: NonZeroUsize) -> NonZeroUsize {
        // `available_parallelism` itself rounds a quota down, so the quota, where there is one, decides alone.
        match self.cpu {
            Some(quota) => NonZeroUsize::new(quota.ceil() as usize).unwrap_or(NonZeroUsize::MIN),
            None => cores,
        }
    }

    fn tighten(&mut self, version: Version, folder: &Path) {
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();

        let cpu = match version {
            Version::Two => read("cpu.max").as_deref().and_then(cpu_max),
            // -1 is "no quota" and fails to parse as unsigned, as it should
            Version::One => number("cpu.cfs_quota_us")
                .zip(number("cpu.cfs_period_us"))
                .filter(|&(_, period)| period > 0)
                .map(|(quota, period)| quota as f64 / period as f64),
        };
        let memory = match version {
            Version::Two => number("memory.max"),
            Version::One => number("memory.limit_in_bytes").filter(|&limit| limit < V1_UNLIMITED),
        };
        self.cpu = tightest(self.cpu, cpu, f64::min);
        self.memory = tightest(self.memory, memory, u64::min);
    }
}

/// `cpu.max` is `$MAX $PERIOD` in microseconds, `$MAX` being a number or `max`.
fn cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    (period > 0).then(|| quota as f64 / period as f64)
}

fn tightest<T>(known: Option<T>, found: Option<T>, min: fn(T, T) -> T) -> Option<T> {
    match (known, found) {
        (Some(known), Some(found)) => Some(min(known, found)),
        (known, found) => known.or(found),
    }
}

/// The folders of the process's groups and of those above them, by hierarchy, below `root`.
pub(crate) fn folders(root: &Path) -> Vec<(Version, PathBuf)> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let hierarchies = hierarchies(&read("proc/self/cgroup"), &read("proc/self/mountinfo"));
    let below = |folder: PathBuf| root.join(folder.strip_prefix("/").unwrap_or(&folder));
    let folders = hierarchies
        .iter()
        .flat_map(|hierarchy| hierarchy.chain().map(move |folder| (hierarchy.version, below(folder))));
    folders.collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    One,
    Two,
}

/// One mounted hierarchy and the group of the process in it.
#[derive(Debug, PartialEq)]
struct Hierarchy {
    version: Version,
    mount: PathBuf,
    /// The process's group relative to the mount.
    group: PathBuf,
}

impl Hierarchy {
    /// The group's folder and every folder above it up to the mount, the group first.
    fn chain(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.group.ancestors().map(|group| self.mount.join(group))
    }
}

fn hierarchies(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    mounts.lines().filter_map(|line| hierarchy(line, groups)).collect()
}

/// One line of mountinfo: `36 35 98:0 ROOT MOUNT OPTIONS [TAGS…] - TYPE SOURCE SUPER-OPTIONS`.
fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (left, right) = mount.split_once(" - ")?;
    let mut right = right.split(' ');
    // most mounts are of another kind
    let version = match right.next()? {
        "cgroup2" => Version::Two,
        "cgroup" => Version::One,
        _ => return None,
    };
    let mut left = left.split(' ').skip(3);
    let (root, mount) = (unescape(left.next()?), unescape(left.next()?));
    let options = right.nth(1).unwrap_or_default();
    let path = groups.lines().find_map(|line| group_path(line, version, options))?;

    // A path outside the mount's root is seen from another namespace: the mount is the group.
    let group = Path::new(path).strip_prefix(&root).unwrap_or(Path::new(""));
    let escapes = group.components().any(|part| part == std::path::Component::ParentDir);
    let group = if escapes { PathBuf::new() } else { group.to_path_buf() };
    Some(Hierarchy { version, mount: mount.into(), group })
}

/// One line of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`, where v2 is `0::PATH`. A v1 mount serves it when one of the
/// two controllers that matter here is both named in the line and an option of the mount.
fn group_path<'a>(line: &'a str, version: Version, mount_options: &str) -> Option<&'a str> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let serves = match version {
        Version::Two => controllers.is_empty(),
        Version::One => controllers.split(',').any(|controller| {
            matches!(controller, "cpu" | "memory")
                && mount_options.split(',').any(|option| option == controller)
        }),
    };
    serves.then_some(path)
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> String {
    if !field.contains('\\') {
        return field.to_owned();
    }
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine as files: `/proc/self/{cgroup,mountinfo}` and control files, read back as limits.
    fn check(groups: &str, mounts: &str, files: &[(&str, &str)], cpu: Option<f64>, memory: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup", groups);
        write("proc/self/mountinfo", mounts);
        files.iter().for_each(|(path, text)| write(path, text));
        assert_eq!(Limits::read_below(root.path()), Limits { cpu, memory });
    }

    const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn an_ancestor_of_a_v2_group_may_be_the_tightest() {
        let files = [
            ("/sys/fs/cgroup/pod/app/cpu.max", "200000 100000\n"),
            ("/sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/pod/app/memory.max", "536870912\n"),
            ("/sys/fs/cgroup/pod/memory.max", "max\n"),
        ];
        check("0::/pod/app\n", V2, &files, Some(1.5), Some(536_870_912));
    }

    #[test]
    fn max_is_no_limit() {
        check("0::/app\n", V2, &[("/sys/fs/cgroup/app/cpu.max", "max 100000\n")], None, None);
    }

    #[test]
    fn v1_reads_each_controller_where_it_is_mounted() {
        let files = [
            ("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/pod/app/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/pod/app/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/pod/app/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "268435456\n"),
        ];
        check("4:cpu,cpuacct:/pod/app\n7:memory:/pod/app\n", V1, &files, Some(0.5), Some(268_435_456));
    }

    #[test]
    fn a_hybrid_machine_takes_the_tightest_of_both() {
        let mounts = format!("{V1}{}", V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "));
        let files = [
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/unified/cpu.max", "250000 100000\n"),
        ];
        check("0::/\n4:cpu,cpuacct:/\n", &mounts, &files, Some(2.5), None);
    }

    #[test]
    fn a_host_path_inside_a_container_means_the_mount_itself() {
        let mounts = "30 24 0:26 /kubepods/pod1/c1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let files = [("/sys/fs/cgroup/cpu.max", "50000 100000\n")];
        check("0::/kubepods/pod1/c1\n", mounts, &files, Some(0.5), None);
        check("0::/elsewhere\n", mounts, &files, Some(0.5), None);
        check("0::/../sibling\n", V2, &files, Some(0.5), None);
    }

    #[test]
    fn a_mount_may_have_a_space_in_its_name() {
        let mounts = "30 24 0:26 / /sys/fs/c\\040group rw - cgroup2 cgroup rw\n";
        check("0::/\n", mounts, &[("/sys/fs/c group/cpu.max", "50000 100000\n")], Some(0.5), None);
    }

    #[test]
    fn nonsense_is_no_limit() {
        for text in ["", "1 2 3", "max", "100000 0", "-5 100000", "\u{0}"] {
            check("0::/\n", V2, &[("/sys/fs/cgroup/cpu.max", text)], None, None);
        }
        check("", "", &[], None, None);
        check("x", "y - z", &[], None, None);
    }

    #[test]
    fn workers_round_up_and_never_reach_zero() {
        let cores = NonZeroUsize::new(8).unwrap();
        let workers = |cpu| Limits { cpu, memory: None }.workers_of(cores).get();
        assert_eq!(workers(Some(0.1)), 1);
        assert_eq!(workers(Some(0.5)), 1);
        assert_eq!(workers(Some(1.0)), 1);
        assert_eq!(workers(Some(1.5)), 2);
        assert_eq!(workers(Some(3.01)), 4);
        assert_eq!(workers(Some(0.0)), 1);
        assert_eq!(workers(None), 8);
    }
}
