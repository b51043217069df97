//! What the process uses, from `/proc`: the numbers behind the `process_*` metrics.
//!
//! Names and meanings follow the Prometheus client conventions ("process_" metrics); formats are those of
//! `proc_pid_stat(5)` and `proc_pid_limits(5)`.

use std::fs;
use std::time::{Duration, SystemTime};

/// `/proc/self/stat` counts in clock ticks. `sysconf(_SC_CLK_TCK)` is 100 on every Linux architecture Rust supports
/// ("USER_HZ", fixed as part of the kernel's ABI), so asking libc would only add a dependency.
const TICKS_PER_SECOND: u64 = 100;

/// A reading of the process's own use of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// CPU time spent in the program itself since start.
    pub user_cpu: Duration,
    /// CPU time that the kernel spent for it since start.
    pub system_cpu: Duration,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// The soft limit of open file descriptors; `None` when unlimited.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// When the process started.
    pub started: SystemTime,
}

impl Usage {
    /// Reads `/proc/self`. `None` where it is missing, as on macOS.
    #[must_use]
    pub fn read() -> Option<Self> {
        let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Some(Self {
            user_cpu: ticks(stat.user),
            system_cpu: ticks(stat.system),
            resident_bytes: kibibytes(&status, "VmRSS:")?,
            virtual_bytes: stat.virtual_bytes,
            // The reading itself holds one descriptor open.
            open_fds: (fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1),
            max_fds: soft_limit(&limits, "Max open files"),
            threads: stat.threads,
            started: boot_time()? + ticks(stat.started),
        })
    }
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * (1000 / TICKS_PER_SECOND))
}

#[derive(Debug, PartialEq)]
struct Stat {
    user: u64,
    system: u64,
    threads: u64,
    started: u64,
    virtual_bytes: u64,
}

impl Stat {
    /// The second field is the program's name in parentheses and may itself hold spaces and parentheses, so counting
    /// starts behind the last one: field 3 is index 0 there.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            user: field(14)?,
            system: field(15)?,
            threads: field(20)?,
            started: field(22)?,
            virtual_bytes: field(23)?,
        })
    }
}

/// A line of `/proc/self/status`, `VmRSS:   1234 kB`.
fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A line of `/proc/self/limits`, `Max open files   1024   524288   files`: the first number is the soft limit.
fn soft_limit(limits: &str, key: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

fn boot_time() -> Option<SystemTime> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_may_hold_anything() {
        let text = "42 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 7 0 9000 1048576 300 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            stat,
            Stat { user: 250, system: 150, threads: 7, started: 9000, virtual_bytes: 1_048_576 }
        );
        assert_eq!(Stat::parse("42 (short) R 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn limits_and_sizes() {
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024   524288   files\n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit("Max open files  unlimited  unlimited", "Max open files"), None);
        assert_eq!(kibibytes("VmSize:\t 10 kB\nVmRSS:\t    2 kB\n", "VmRSS:"), Some(2048));
        assert_eq!(kibibytes("VmRSS: 99999999999999999999 kB", "VmRSS:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_running_process_is_alive() {
        let usage = Usage::read().unwrap();
        assert!(usage.resident_bytes > 0 && usage.threads >= 1 && usage.open_fds >= 3);
        assert!(usage.started < SystemTime::now());
    }
}
