//! The time of a line: RFC 3339, UTC whatever `TZ` says, milliseconds.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use crate::draft::three_digits;

/// `2026-11-23T08:00:00.000Z`
pub(crate) type Stamp = [u8; 24];

/// 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year.
const LAST: u64 = 253_402_300_799;

thread_local! {
    // most lines fall into the same second as the line before
    static SECOND: Cell<(u64, Stamp)> = const { Cell::new((0, *b"1970-01-01T00:00:00.000Z")) };
}

/// The time since 1970, which every line reads exactly once. A clock before 1970 counts as 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[inline]
pub(crate) fn stamp(since_1970: Duration) -> Stamp {
    let second = since_1970.as_secs().min(LAST);
    let (known, text) = SECOND.get();
    let mut text = if known == second { text } else { next_second(second) };
    text[20..23].copy_from_slice(&three_digits(since_1970.subsec_millis()));
    text
}

#[cold]
#[inline(never)]
fn next_second(second: u64) -> Stamp {
    let text = render(second);
    SECOND.set((second, text));
    text
}

fn render(second: u64) -> Stamp {
    let (year, month, day) = date(second / 86_400);
    let time = second % 86_400;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, width: usize, mut value: u64| {
        for place in (at..at + width).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, time / 3600);
    put(14, 2, time / 60 % 60);
    put(17, 2, time % 60);
    text
}

/// Days since 1970 to year, month and day: Howard Hinnant's `civil_from_days`, for days that are not negative.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153; // March is 0, so that the leap day comes last
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let table = [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, 999, "2000-02-28T23:59:59.999Z"),
            (951_782_400, 7, "2000-02-29T00:00:00.007Z"),
            (1_795_420_800, 123, "2026-11-23T08:00:00.123Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
            (LAST, 10, "9999-12-31T23:59:59.010Z"),
            (u64::MAX, 10, "9999-12-31T23:59:59.010Z"),
        ];
        for (seconds, millis, expected) in table {
            let stamp = stamp(Duration::new(seconds, millis * 1_000_000 + 999));
            assert_eq!(String::from_utf8_lossy(&stamp), expected);
        }
    }
}
