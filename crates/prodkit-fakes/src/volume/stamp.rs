//! `..2026_11_20_10_15_00.123456789`, the names of an atomic writer's directories.

use crate::calendar::{self, Civil};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// A name for a directory of this moment, in UTC, that this process gave to no other.
pub(super) fn now() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    // kubelet ends the name with random digits
    format!("{}.{:09}", at(since), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn at(since: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = calendar::civil(since);
    format!("..{year:04}_{month:02}_{day:02}_{hour:02}_{minute:02}_{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        for (seconds, name) in [
            (0, "..1970_01_01_00_00_00"),
            (951_782_400, "..2000_02_29_00_00_00"),
            (1_704_067_199, "..2023_12_31_23_59_59"),
            (1_795_169_700, "..2026_11_20_10_15_00"),
        ] {
            assert_eq!(at(Duration::from_secs(seconds)), name);
        }
    }
}
