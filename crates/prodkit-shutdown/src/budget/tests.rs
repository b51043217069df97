use super::*;
use crate::Signal;
use proptest::prelude::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Seconds from the start to the end of: delay, drain, tasks, flush; each step taking all it may.
fn check(budget: &Budget, cause: &Cause, expect: [f64; 4]) {
    let start = Instant::now();
    let deadlines = budget.plan().begin(start, cause, true);
    let drained = deadlines.drain(deadlines.delay());
    let stopped = deadlines.tasks(drained);
    let flushed = deadlines.flush(stopped);
    let got = [deadlines.delay(), drained, stopped, flushed].map(|end| (end - start).as_secs_f64());
    assert_eq!(got, expect, "{budget:?} {cause}");
    assert!(flushed <= deadlines.total());
}

#[test]
fn one_total_is_split_over_the_steps() {
    let signal = Cause::Signal(Signal::Terminate);
    let failed = Cause::task_failed("relay");
    let default = Budget::default;
    let pod = || default().kubernetes(true);
    let period = |seconds| pod().termination_grace_period(s(seconds));

    check(&default(), &signal, [0.0, 18.0, 23.0, 25.0]);
    check(&pod(), &signal, [5.0, 18.0, 23.0, 25.0]);
    check(&pod(), &failed, [15.0, 19.0, 23.0, 25.0]);
    check(&period(60), &signal, [5.0, 50.0, 55.0, 57.0]);
    check(&period(60), &failed, [15.0, 50.0, 55.0, 57.0]);
    check(&period(30), &signal, [5.0, 20.0, 25.0, 27.0]);
    // A short period shrinks the defaults rather than a step away.
    check(&period(11), &signal, [4.0, 5.0, 6.0, 8.0]);
    check(&period(3), &signal, [0.5, 0.625, 0.75, 1.5]);
    check(&period(0), &signal, [0.0, 0.0, 0.0, 0.0]);
    // What was set by hand holds, and the rest goes to who is not limited.
    check(&default().drain(s(3)), &signal, [0.0, 3.0, 23.0, 25.0]);
    check(&default().tasks(s(10)), &signal, [0.0, 13.0, 23.0, 25.0]);
    check(&default().drain(s(3)).tasks(s(4)), &signal, [0.0, 3.0, 7.0, 9.0]);
    check(&default().delay(s(1)).flush(s(4)), &signal, [1.0, 16.0, 21.0, 25.0]);
    check(&pod().delay(s(1)), &failed, [1.0, 18.0, 23.0, 25.0]);
    check(&default().grace(s(100)), &signal, [0.0, 93.0, 98.0, 100.0]);
    // What cannot fit is cut, the flush last of all.
    check(&default().grace(s(10)).delay(s(60)), &signal, [8.0, 8.0, 8.0, 10.0]);
    check(&default().grace(s(10)).flush(s(60)), &signal, [0.0, 0.0, 0.0, 10.0]);
    check(&default().grace(s(10)).tasks(s(60)), &signal, [0.0, 0.0, 8.0, 10.0]);
}

#[test]
fn nobody_to_wait_for_means_no_delay() {
    let start = Instant::now();
    let plan = Budget::default().kubernetes(true).plan();
    let deadlines = plan.begin(start, &Cause::Signal(Signal::Terminate), false);
    assert_eq!(deadlines.delay(), start);
}

#[test]
fn a_step_that_ends_early_leaves_its_time_to_the_next_but_the_flush_keeps_its_own() {
    let start = Instant::now();
    let deadlines = Budget::default().plan().begin(start, &Cause::requested("test"), true);
    assert_eq!(deadlines.tasks(start), start + s(23));
    assert_eq!(
        deadlines.flush(start + s(1)),
        start + s(3),
        "a hanging collector costs two seconds, not the rest"
    );
    assert_eq!(deadlines.flush(start + s(24)), start + s(25));
}

#[test]
fn what_does_not_fit_is_said_with_its_arithmetic() {
    let pod = || Budget::default().kubernetes(true);
    let table: [(Budget, &[&str]); 10] = [
        (Budget::default(), &[]),
        (pod(), &[]),
        (pod().termination_grace_period(s(60)).grace(s(57)), &[]),
        (Budget::default().grace(s(300)), &[]),
        (
            pod().termination_grace_period(s(10)),
            &[
                "the shutdown delay is cut from 5s to 3.3s, since grace 7s - flush 2s = 5s must hold a drain as well: \
               endpoints may learn of the stop too late",
            ],
        ),
        (
            pod().termination_grace_period(s(30)).grace(s(45)),
            &[
                "the shutdown grace 45s + margin 3s = 48s, but the termination grace period is 30s: the process may be \
               killed before it is done",
            ],
        ),
        (
            pod().grace(s(57)),
            &["the shutdown grace 57s + margin 3s = 60s, but Kubernetes kills after 30s unless \
               terminationGracePeriodSeconds says otherwise, and TERMINATION_GRACE_PERIOD_SECONDS is not set"],
        ),
        (
            pod().termination_grace_period(s(30)).drain(s(30)).tasks(s(5)),
            &[
                "the shutdown steps do not fit: delay 5s + drain 30s + tasks 5s + flush 2s = 42s, but the grace is 27s",
            ],
        ),
        (
            Budget::default().grace(s(10)).flush(s(20)),
            &["the shutdown steps do not fit: flush 20s = 20s, but the grace is 10s"],
        ),
        (
            pod().delay(s(30)).termination_grace_period(s(20)).grace(s(20)),
            &[
                "the shutdown grace 20s + margin 3s = 23s, but the termination grace period is 20s: the process may \
                 be killed before it is done",
                "the shutdown steps do not fit: delay 30s + flush 2s = 32s, but the grace is 20s",
            ],
        ),
    ];
    for (budget, expect) in table {
        let warnings: Vec<_> = budget.plan().warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings, expect, "{budget:?}");
    }
}

fn durations() -> impl Strategy<Value = Option<Duration>> {
    let any = prop_oneof![
        4 => (0_u64..120_000).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ];
    proptest::option::of(any)
}

proptest! {
    #[test]
    fn the_steps_are_in_order_and_never_exceed_the_total(
        (kubernetes, serving, announced) in any::<(bool, bool, bool)>(),
        (period, grace, delay) in (durations(), durations(), durations()),
        (drain, tasks, flush) in (durations(), durations(), durations()),
        late in 0_u64..200_000,
    ) {
        let budget = Budget::default().kubernetes(kubernetes).termination_grace_period(period).grace(grace);
        let plan = budget.delay(delay).drain(drain).tasks(tasks).flush(flush).plan();
        let cause = if announced { Cause::Signal(Signal::Terminate) } else { Cause::requested("test") };
        let start = Instant::now();
        let deadlines = plan.begin(start, &cause, serving);

        prop_assert!(serving || deadlines.delay() == start);
        prop_assert_eq!(deadlines.total(), start + plan.grace());
        // However late a step begins.
        let now = start + Duration::from_millis(late);
        prop_assert!(deadlines.drain(now) <= deadlines.total() - plan.flush());
        prop_assert!(deadlines.tasks(now) <= deadlines.total() - plan.flush());
        prop_assert!(deadlines.flush(now) <= deadlines.total());
        // When each step takes all it may, they follow each other, and the flush has all that is reserved for it.
        let drained = deadlines.drain(deadlines.delay());
        let stopped = deadlines.tasks(drained);
        prop_assert!(start <= deadlines.delay() && deadlines.delay() <= drained && drained <= stopped);
        prop_assert_eq!(deadlines.flush(stopped) - stopped, plan.flush());
        for warning in plan.warnings() {
            prop_assert!(!warning.to_string().is_empty());
        }
    }
}
