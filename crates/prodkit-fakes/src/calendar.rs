//! The time of day in UTC, for names and answers that hold one.

use std::time::Duration;

/// A moment in UTC.
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

/// The moment this long after the epoch.
pub(crate) fn civil(since: Duration) -> Civil {
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days to civil date by eras of 400 years that begin in March, as Howard Hinnant describes it.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Civil { year, month, day, hour, minute, second }
}

/// The moment as RFC 3339 has it, with the nanoseconds Vault writes.
pub(crate) fn rfc3339(since: Duration) -> String {
    let Civil { year, month, day, hour, minute, second } = civil(since);
    let nanos = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}
