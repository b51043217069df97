//! Liveness from real progress: the pulse of the main runtime, and the heartbeats of single tasks, watched from the admin
//! thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prodkit_health::Health;
use prodkit_process::Throttle;
use prodkit_shutdown::Stop;
use prodkit_tasks::Nudge;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::heartbeat::Heartbeats;

/// Who says that the process is not alive, where it is no single task.
const SOURCE: &str = "main-runtime";

/// Counts up as long as the runtime it runs on gives its tasks a turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Heart>);

#[derive(Debug, Default)]
struct Heart {
    beats: AtomicU64,
    /// Where it beats, from its first turn on.
    runtime: OnceLock<Handle>,
}

impl Pulse {
    /// Beats until told to stop.
    pub(crate) async fn beat(self, stall: Duration, stop: Stop) {
        self.0.runtime.get_or_init(Handle::current);
        while stop.run_until_stopped(sleep(period(stall))).await.is_some() {
            self.0.beats.fetch_add(1, Relaxed);
        }
    }

    fn beats(&self) -> u64 {
        self.0.beats.load(Relaxed)
    }

    /// Where a handler blocks the worker that waits for all, another one takes its place.
    fn nudge(&self, nudge: &mut Nudge) {
        if let Some(runtime) = self.0.runtime.get() {
            nudge.give(runtime);
        }
    }
}

/// What is watched, and whom it is told.
pub(crate) struct Progress {
    pub(crate) pulse: Pulse,
    pub(crate) stall: Duration,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) health: Health,
}

impl Progress {
    /// Watches from a thread of its own; never ends.
    pub(crate) async fn watch(self) {
        let throttle = Throttle::find();
        let mut throttled = throttle.total();
        let mut runtime = Watch::new(self.stall, 0, Instant::now());
        let mut tasks = BTreeMap::new();
        let mut nudge = Nudge::default();
        let mut looked = Instant::now();
        loop {
            let pause = self.pause();
            sleep(pause).await;
            let now = Instant::now();
            let passed = now.saturating_duration_since(looked);
            let throttled_before = std::mem::replace(&mut throttled, throttle.total());
            let held_up = held_up(passed, pause, throttled.saturating_sub(throttled_before));
            looked = now;
            let change = runtime.look(self.pulse.beats(), now, held_up);
            if runtime.still(now) >= 2 * period(self.stall) {
                self.pulse.nudge(&mut nudge);
            }
            match change {
                Some(Change::Stalled(since)) => {
                    let reason = format!("no progress for {:.1} s", since.as_secs_f64());
                    self.health.fail_liveness(SOURCE, reason, now.into_std());
                    tracing::error!(stalled = ?since, "main runtime stalled");
                }
                Some(Change::Recovered(after)) => {
                    self.health.restore_liveness(SOURCE, now.into_std());
                    tracing::warn!(stalled = ?after, "main runtime recovered");
                }
                None => {}
            }
            self.look_at_tasks(&mut tasks, now, held_up);
        }
    }

    fn look_at_tasks(&self, tasks: &mut BTreeMap<&'static str, Watch>, now: Instant, held_up: Duration) {
        let seats = self.heartbeats.seats();
        tasks.retain(|name, watch| {
            let there = seats.iter().any(|seat| seat.name == *name);
            if !there && watch.stalled {
                self.health.restore_liveness(name, now.into_std());
                tracing::warn!(task = name, "stalled task ended");
            }
            there
        });
        for seat in seats.iter().filter(|seat| seat.beats() > 0) {
            let name = seat.name;
            let watch = tasks.entry(name).or_insert_with(|| Watch::new(seat.within, seat.beats(), now));
            match watch.look(seat.beats(), now, held_up) {
                Some(Change::Stalled(since)) => {
                    let reason = format!("no heartbeat for {:.1} s", since.as_secs_f64());
                    self.health.fail_liveness(name, reason, now.into_std());
                    tracing::error!(task = name, stalled = ?since, "task stalled");
                }
                Some(Change::Recovered(after)) => {
                    self.health.restore_liveness(name, now.into_std());
                    tracing::warn!(task = name, stalled = ?after, "task recovered");
                }
                None => {}
            }
        }
    }

    /// Until the next look.
    fn pause(&self) -> Duration {
        let seats = self.heartbeats.seats();
        period(seats.iter().map(|seat| seat.within).fold(self.stall, Duration::min))
    }
}

/// Ten looks within the time that counts as a stall.
fn period(stall: Duration) -> Duration {
    (stall / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

/// How much of the time since the last look nobody could have used: the watcher itself was woken late, or the quota was
/// used up. Both are mostly the same time, and throttled time is a sum over cores.
fn held_up(passed: Duration, pause: Duration, throttled: Duration) -> Duration {
    passed.saturating_sub(pause).max(throttled.min(passed))
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
    /// How much of the time since the last beat nobody could have used: a machine that starves everybody is not cured by a
    /// restart.
    held_up: Duration,
    stalled: bool,
}

impl Watch {
    fn new(stall: Duration, beats: u64, now: Instant) -> Self {
        Self { stall, beats, moved: now, held_up: Duration::ZERO, stalled: false }
    }

    /// Since the last beat.
    fn still(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }

    fn look(&mut self, beats: u64, now: Instant, held_up: Duration) -> Option<Change> {
        let still = self.still(now);
        if beats != self.beats {
            (self.beats, self.moved, self.held_up) = (beats, now, Duration::ZERO);
            return std::mem::take(&mut self.stalled).then_some(Change::Recovered(still));
        }
        self.held_up += held_up;
        if self.stalled || still < self.stall + self.held_up {
            return None;
        }
        self.stalled = true;
        Some(Change::Stalled(still))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at (beats, at, held up) in seconds; the changes seen.
    fn check(looks: &[(u64, u64, u64)]) -> Vec<Option<Change>> {
        let start = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(10), 0, start);
        let look = |&(beats, at, held_up)| {
            watch.look(beats, start + Duration::from_secs(at), Duration::from_secs(held_up))
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
    fn time_that_nobody_could_use_is_given_back() {
        assert_eq!(check(&[(0, 12, 5), (0, 14, 0)]), [None, None]);
        assert_eq!(check(&[(0, 12, 5), (0, 15, 0)]), [None, Some(Change::Stalled(Duration::from_secs(15)))]);
    }

    #[test]
    fn the_watchers_lateness_and_throttled_time_are_mostly_the_same_time() {
        let held_up = |passed, pause, throttled| {
            let seconds = Duration::from_secs;
            held_up(seconds(passed), seconds(pause), seconds(throttled)).as_secs()
        };
        assert_eq!(held_up(1, 1, 0), 0);
        assert_eq!(held_up(4, 1, 0), 3, "late");
        assert_eq!(held_up(4, 1, 2), 3, "late because of the quota");
        assert_eq!(held_up(2, 1, 2), 2, "throttled");
        assert_eq!(held_up(2, 1, 30), 2, "on many cores");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_task_fails_liveness_by_name_until_it_beats_or_ends() {
        use prodkit_health::{Probe, Settings};
        let health = Health::new(Settings::default(), std::time::Instant::now());
        let heartbeats = Heartbeats::default();
        let pulse = Pulse::default();
        let (_trigger, stop) = prodkit_shutdown::channel();
        let progress = Progress {
            pulse: pulse.clone(),
            stall: Duration::from_secs(1),
            heartbeats: heartbeats.clone(),
            health: health.clone(),
        };
        let story = async {
            let live = || health.verdict(Probe::Liveness, std::time::Instant::now()).is_ok();
            let relay = heartbeats.add("relay", Duration::from_secs(5)).unwrap();
            sleep(Duration::from_secs(20)).await;
            assert!(live(), "it is watched from its first beat on");
            relay.beat();
            sleep(Duration::from_secs(4)).await;
            assert!(live());
            sleep(Duration::from_secs(3)).await;
            assert!(!live());
            let reasons = health.liveness(std::time::Instant::now()).reasons;
            assert!(reasons[0].starts_with("relay: no heartbeat for"), "{reasons:?}");
            relay.beat();
            sleep(Duration::from_secs(1)).await;
            assert!(live(), "it beat again");
            sleep(Duration::from_secs(7)).await;
            assert!(!live());
            drop(relay);
            sleep(Duration::from_secs(1)).await;
            assert!(live(), "it ended");
        };
        tokio::select! {
            () = story => {}
            () = progress.watch() => {}
            () = pulse.beat(Duration::from_secs(1), stop) => {}
        }
    }
}
