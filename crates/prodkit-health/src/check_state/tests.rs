use super::*;
use Status::{Failing, Healthy, Stale, Unknown};
use Step::{Bad, Good, Wait};

#[derive(Clone, Copy, Debug)]
enum Step {
    Good,
    Bad,
    /// Seconds.
    Wait(u64),
}

/// Each step, and the status after it. Results come one second apart.
fn check(timing: Timing, steps: &[(Step, Status)]) {
    let mut now = Instant::now();
    let mut state = CheckState::new(timing, now);
    for (nth, (step, expect)) in steps.iter().enumerate() {
        let before = state.status(now);
        now += Duration::from_secs(if let Wait(seconds) = step { *seconds } else { 1 });
        let moved = match step {
            Good => state.record(Ok(()), Duration::ZERO, now),
            Bad => state.record(Err("down".into()), Duration::ZERO, now),
            Wait(_) => state.advance(now),
        };
        assert_eq!(state.status(now), *expect, "step {nth} of {steps:?}");
        assert_eq!(moved, (before != *expect).then_some(before), "step {nth} of {steps:?}");
    }
}

#[test]
fn results_are_weighed() {
    let usual = Timing::default();
    check(usual, &[(Good, Healthy)]);
    check(usual, &[(Bad, Failing), (Good, Healthy)]);
    check(
        usual,
        &[(Good, Healthy), (Bad, Healthy), (Bad, Healthy), (Bad, Failing), (Bad, Failing), (Good, Healthy)],
    );
    check(
        usual,
        &[(Good, Healthy), (Bad, Healthy), (Bad, Healthy), (Good, Healthy), (Bad, Healthy), (Bad, Healthy)],
    );

    let slow = Timing { healthy_after: 2, ..usual };
    check(slow, &[(Good, Unknown), (Good, Healthy), (Bad, Healthy), (Good, Healthy)]);
    check(slow, &[(Bad, Failing), (Good, Failing), (Bad, Failing), (Good, Failing), (Good, Healthy)]);

    let zero = Timing { unhealthy_after: 0, healthy_after: 0, ..usual };
    check(zero, &[(Good, Healthy), (Bad, Failing), (Good, Healthy)]);
}

#[test]
fn silence_is_never_healthy() {
    let usual = Timing::default();
    check(
        usual,
        &[(Wait(29), Unknown), (Wait(1), Stale), (Good, Healthy), (Wait(29), Healthy), (Wait(1), Stale)],
    );
    check(usual, &[(Good, Healthy), (Wait(30), Stale), (Bad, Failing), (Wait(30), Stale), (Good, Healthy)]);
    // Staleness ends a streak.
    check(usual, &[(Good, Healthy), (Bad, Healthy), (Wait(30), Stale), (Good, Healthy), (Bad, Healthy)]);
    let slow = Timing { healthy_after: 2, ..usual };
    check(slow, &[(Good, Unknown), (Wait(30), Stale), (Good, Unknown), (Good, Healthy)]);
    // A run that uses all of a long timeout is not stale.
    let patient = Timing { timeout: Duration::from_secs(40), ..usual };
    check(patient, &[(Good, Healthy), (Wait(50), Healthy), (Wait(1), Stale)]);
}

#[test]
fn what_happened_is_remembered() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut state = CheckState::new(Timing::default(), start);
    assert_eq!((state.reason(start), state.changed(start), state.took()), (None, None, None));
    state.record(Ok(()), second / 2, start);
    state.record(Err("refused".into()), second, start + second);
    state.record(Err("x".repeat(300)), second * 2, start + second * 2);
    assert_eq!(state.streak(), 2);
    assert_eq!(state.took(), Some(second * 2));
    assert_eq!(state.p99(), Some(second * 2));
    assert_eq!(state.changed(start + second * 2), Some((Unknown, start)));
    assert_eq!(
        state.changed(start + second * 40),
        Some((Healthy, start + second * 32)),
        "silence moves it, too"
    );
    assert_eq!(state.last_result(), Some(start + second * 2));
    assert_eq!(state.reason(start + second * 2).unwrap().as_ref(), format!("{}…", "x".repeat(256)));
    assert_eq!(state.reason(start + second * 63).unwrap().as_ref(), "no result for 61s");
    state.record(Ok(()), second, start + second * 64);
    assert_eq!(state.reason(start + second * 64), None);
    // A clock that steps back does no harm.
    state.record(Ok(()), second, start);
    assert_eq!(state.last_result(), Some(start + second * 64));
}

#[test]
fn the_first_run_is_at_once_and_later_ones_are_spread_around_the_period() {
    let start = Instant::now();
    let mut state = CheckState::new(Timing::default(), start);
    assert_eq!(state.next_run(start, u64::MAX), start);
    state.record(Ok(()), Duration::ZERO, start);
    let wait = |random| (state.next_run(start, random) - start).as_millis();
    assert_eq!([wait(0), wait(u64::MAX / 2), wait(u64::MAX)], [9_000, 10_000, 11_000]);

    let odd = Timing {
        period: Duration::ZERO,
        jitter: 900,
        stale_after: 0,
        timeout: Duration::MAX,
        ..Timing::default()
    };
    assert!(odd.wait(u64::MAX) <= Duration::from_millis(2));
    assert!(odd.staleness() > Duration::ZERO);
    let long = Timing { period: Duration::MAX, stale_after: u32::MAX, ..Timing::default() };
    assert!(start.checked_add(long.staleness()).is_some());
}
