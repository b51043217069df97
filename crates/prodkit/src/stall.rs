//! Liveness from real progress: a heartbeat on the main runtime, watched from the admin thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prodkit_health::Health;
use prodkit_shutdown::Stop;
use tokio::time::{Instant, sleep};

/// Who says that the process is not alive.
const SOURCE: &str = "stall";

/// Counts up as long as the runtime it runs on gives its tasks a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Beats until told to stop.
    pub(crate) async fn beat(self, stall: Duration, stop: Stop) {
        while stop.run_until_stopped(sleep(period(stall))).await.is_some() {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Watches from a thread of its own; never ends.
    pub(crate) async fn watch(self, stall: Duration, health: Health) {
        let mut watch = Watch::new(stall, Instant::now());
        loop {
            let due = Instant::now() + period(stall);
            sleep(period(stall)).await;
            let now = Instant::now();
            match watch.look(self.0.load(Relaxed), now, now.saturating_duration_since(due)) {
                Some(Change::Stalled(since)) => {
                    let reason =
                        format!("the main runtime made no progress for {:.1} s", since.as_secs_f64());
                    health.fail_liveness(SOURCE, reason, now.into_std());
                    tracing::error!(stalled = ?since, "main runtime stalled");
                }
                Some(Change::Recovered(after)) => {
                    health.restore_liveness(SOURCE, now.into_std());
                    tracing::warn!(stalled = ?after, "main runtime recovered");
                }
                None => {}
            }
        }
    }
}

/// Ten looks within the time that counts as a stall.
fn period(stall: Duration) -> Duration {
    (stall / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[derive(Debug, PartialEq)]
enum Change {
    Stalled(Duration),
    Recovered(Duration),
}

/// When no progress is a stall. Knows no clock.
#[derive(Debug)]
struct Watch {
    stall: Duration,
    beats: u64,
    moved: Instant,
    /// How late the watcher itself was woken since the last beat: a machine that starves it starves everybody, and
    /// killing the process helps nobody.
    late: Duration,
    stalled: bool,
}

impl Watch {
    fn new(stall: Duration, now: Instant) -> Self {
        Self { stall, beats: 0, moved: now, late: Duration::ZERO, stalled: false }
    }

    fn look(&mut self, beats: u64, now: Instant, late: Duration) -> Option<Change> {
        let still = now.saturating_duration_since(self.moved);
        if beats != self.beats {
            (self.beats, self.moved, self.late) = (beats, now, Duration::ZERO);
            return std::mem::take(&mut self.stalled).then_some(Change::Recovered(still));
        }
        self.late += late;
        if self.stalled || still < self.stall + self.late {
            return None;
        }
        self.stalled = true;
        Some(Change::Stalled(still))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at (beats, at, late) in seconds; the changes seen.
    fn check(looks: &[(u64, u64, u64)]) -> Vec<Option<Change>> {
        let start = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(10), start);
        let look = |&(beats, at, late)| {
            watch.look(beats, start + Duration::from_secs(at), Duration::from_secs(late))
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn no_beat_for_the_whole_time_is_one_stall() {
        let stalled = Some(Change::Stalled(Duration::from_secs(10)));
        assert_eq!(check(&[(1, 1, 0), (1, 10, 0), (1, 11, 0), (1, 12, 0)]), [None, None, stalled, None]);
    }

    #[test]
    fn a_beat_ends_it() {
        let changes = check(&[(0, 10, 0), (1, 15, 0), (2, 16, 0)]);
        let stalled = Some(Change::Stalled(Duration::from_secs(10)));
        assert_eq!(changes, [stalled, Some(Change::Recovered(Duration::from_secs(15))), None]);
    }

    #[test]
    fn a_watcher_that_was_late_itself_gives_the_time_back() {
        assert_eq!(check(&[(0, 12, 5), (0, 14, 0)]), [None, None]);
        assert_eq!(check(&[(0, 12, 5), (0, 15, 0)]), [None, Some(Change::Stalled(Duration::from_secs(15)))]);
    }
}
