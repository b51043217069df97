//! Every interleaving of everything that can happen, until nothing new comes of it.
//!
//! The state machine is walked breadth first beside a specification that is written down here a second time, as
//! plainly as it goes. Two processes that the specification cannot tell apart are one state.

use super::{
    Bad, Do, Draining, Gone, Good, Hold, Process, Release, Resume, Stall, Started, Stopped, Unhold, Wait,
};
use crate::{Lifecycle, Probe, Settings, Status, Verdict};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

const EVENTS: [Do; 15] = [
    Started,
    Release,
    Draining,
    Stopped,
    Stall,
    Resume,
    Hold,
    Unhold,
    Good(0),
    Bad(0),
    Gone(0),
    Good(1),
    Bad(1),
    Gone(1),
    // a third of the time after which silence is staleness
    Wait(10),
];

/// What can be told of a process, were it written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Spec {
    life: Lifecycle,
    started: bool,
    held: bool,
    has_run: bool,
    stalled: bool,
    on_hold: bool,
    /// Critical, and optional.
    checks: [Seen; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen {
    status: Status,
    /// In a row, of a check that still counts as healthy.
    failures: u8,
    /// Thirds of the time to staleness since the last result.
    silent: u8,
    gone: bool,
}

impl Spec {
    const START: Self = Self {
        life: Lifecycle::Starting,
        started: false,
        held: true,
        has_run: false,
        stalled: false,
        on_hold: false,
        checks: [Seen { status: Status::Unknown, failures: 0, silent: 0, gone: false }; 2],
    };

    fn after(mut self, event: Do) -> Self {
        match event {
            Started => self.started = true,
            Release => self.held = false,
            Draining => self.life = self.life.max(Lifecycle::Draining),
            Stopped => self.life = Lifecycle::Stopped,
            Stall | Resume => self.stalled = matches!(event, Stall),
            Hold | Unhold => self.on_hold = matches!(event, Hold),
            Good(nth) => self.checks[nth].record(true, [3, 1][nth]),
            Bad(nth) => self.checks[nth].record(false, [3, 1][nth]),
            Gone(nth) => {
                self.checks[nth] = Seen { status: Status::Stale, failures: 0, silent: 0, gone: true }
            }
            Wait(_) => self.checks.iter_mut().for_each(Seen::wait),
            Do::DiskOk | Do::DiskSlow | Do::DiskFull | Do::DiskGone => {}
        }
        if self.started && !self.held && self.life == Lifecycle::Starting {
            (self.life, self.has_run) = (Lifecycle::Running, true);
        }
        self
    }

    fn readiness(&self) -> Verdict {
        let [critical, optional] = self.checks.map(|check| check.status);
        let serves = self.life == Lifecycle::Running && !self.stalled && !self.on_hold;
        match (serves && critical == Status::Healthy, optional) {
            (false, _) => Verdict::Fail,
            (true, Status::Healthy | Status::Unknown) => Verdict::Pass,
            (true, _) => Verdict::Degraded,
        }
    }
}

impl Seen {
    fn record(&mut self, good: bool, unhealthy_after: u8) {
        if self.gone {
            return;
        }
        let failures = if good { 0 } else { self.failures + 1 };
        let healthy = good || (self.status == Status::Healthy && failures < unhealthy_after);
        *self = Self {
            status: if healthy { Status::Healthy } else { Status::Failing },
            failures: if healthy { failures } else { 0 },
            silent: 0,
            gone: false,
        };
    }

    fn wait(&mut self) {
        if !self.gone && self.status != Status::Stale {
            self.silent += 1;
            if self.silent == 3 {
                *self = Self { status: Status::Stale, failures: 0, silent: 0, gone: false };
            }
        }
    }
}

/// What must hold whatever the specification says.
fn promises(before: &Process, event: Do, after: &Process) {
    let (was, is) = (before.health.lifecycle(), after.health.lifecycle());
    assert!(is >= was, "the order reversed");
    let verdict = |process: &Process, probe| process.health.verdict(probe, process.now);
    let ready = verdict(after, Probe::Readiness).is_ok();
    assert!(!ready || is == Lifecycle::Running, "ready while {is}");
    assert!(!ready || verdict(after, Probe::Liveness).is_ok(), "ready and not alive");
    if !matches!(event, Stall | Resume) {
        let same = verdict(before, Probe::Liveness) == verdict(after, Probe::Liveness);
        assert!(same, "liveness moved by something else than progress");
    }
    let started = |process| verdict(process, Probe::Startup).is_ok();
    assert!(!started(before) || started(after), "the start came back");
    for (nth, name) in ["db", "cache"].into_iter().enumerate() {
        let status = after.health.check_report(name, after.now).map(|report| report.status);
        let vanished = after.checks[nth].is_none();
        assert!(!vanished || status == Some(Status::Stale), "a vanished check is {status:?}");
    }
}

/// How states are reached: the state before, and the event.
struct Walk {
    states: Vec<(usize, Option<Do>)>,
}

impl Walk {
    fn process(&self, mut state: usize) -> Process {
        let mut steps = Vec::new();
        while let (before, Some(event)) = self.states[state] {
            steps.push(event);
            state = before;
        }
        steps.reverse();
        let mut process = Process::new(Settings::default());
        process.apply(Do::DiskOk);
        // One critical and one optional check are enough.
        process.checks[2].take().into_iter().for_each(crate::CheckHandle::remove);
        process.apply_all(&steps);
        process
    }
}

#[test]
fn no_interleaving_breaks_a_promise() {
    let mut walk = Walk { states: vec![(0, None)] };
    let mut known = HashMap::from([(Spec::START, 0)]);
    let mut frontier = vec![Spec::START];
    let (mut depth, mut transitions) = (0, 0);
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for spec in frontier {
            let state = known[&spec];
            let before = walk.process(state);
            for event in EVENTS {
                let mut after = walk.process(state);
                after.apply(event);
                transitions += 1;
                promises(&before, event, &after);
                let expected = spec.after(event);
                let seen = [Probe::Startup, Probe::Liveness, Probe::Readiness]
                    .map(|probe| after.health.verdict(probe, after.now));
                let yes = |yes| if yes { Verdict::Pass } else { Verdict::Fail };
                let wanted = [yes(expected.has_run), yes(!expected.stalled), expected.readiness()];
                assert_eq!(seen, wanted, "{spec:?} {event:?}");
                assert_eq!(after.health.lifecycle(), expected.life, "{spec:?} {event:?}");
                if let Entry::Vacant(new) = known.entry(expected) {
                    new.insert(walk.states.len());
                    walk.states.push((state, Some(event)));
                    next.push(expected);
                }
            }
        }
        depth += usize::from(!next.is_empty());
        frontier = next;
    }
    println!("{} states, {transitions} transitions, the furthest {depth} events away", known.len());
    assert_eq!((known.len(), transitions, depth), (8_792, 131_880, 11));
}
