use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

/// At which second what is to be done.
type Due = Option<(f64, Act)>;

/// What is seen at a second, and what is due then.
struct Case {
    name: &'static str,
    http2: bool,
    steps: &'static [(u64, Seen, Due)],
}

const QUIET: Seen = Seen {
    requests: 0,
    written: 0,
    active: false,
    partial: false,
    blocked: None,
    lingering: None,
    stage: Stage::Serving,
};
const HEAD: Seen = Seen { partial: true, ..QUIET };
const BUSY: Seen = Seen { requests: 1, active: true, ..QUIET };
const IDLE: Seen = Seen { requests: 1, ..QUIET };
const NEXT_HEAD: Seen = Seen { partial: true, ..IDLE };

const fn at(stage: Stage, seen: Seen) -> Seen {
    Seen { stage, ..seen }
}

use Act::{Cut, Finish};
use Stage::{Closing, Polite};

const CASES: &[Case] = &[
    Case {
        name: "each phase has its own deadline, counted from its beginning",
        http2: false,
        steps: &[
            (0, QUIET, Some((10.0, Cut))),
            (3, QUIET, Some((10.0, Cut))),
            (5, HEAD, Some((15.0, Cut))),
            (9, HEAD, Some((15.0, Cut))),
            (10, BUSY, None),
            (100, IDLE, Some((175.0, Cut))),
            (170, NEXT_HEAD, Some((180.0, Cut))),
            (175, Seen { requests: 2, ..IDLE }, Some((250.0, Cut))),
            // another request came and went between two looks
            (200, Seen { requests: 3, ..IDLE }, Some((275.0, Cut))),
        ],
    },
    Case {
        name: "politeness changes nothing for http/1: its responses are told",
        http2: false,
        steps: &[(0, at(Polite, QUIET), Some((10.0, Cut))), (1, at(Polite, BUSY), None)],
    },
    Case {
        name: "an idle connection is closed at once",
        http2: false,
        steps: &[(1, BUSY, None), (2, IDLE, Some((77.0, Cut))), (5, at(Closing, IDLE), Some((5.0, Cut)))],
    },
    Case {
        name: "one that never sent a byte has its grace",
        http2: false,
        steps: &[(0, at(Closing, QUIET), Some((0.1, Cut)))],
    },
    Case {
        name: "which is long over",
        http2: false,
        steps: &[(0, QUIET, Some((10.0, Cut))), (4, at(Closing, QUIET), Some((4.0, Cut)))],
    },
    Case {
        name: "a half-sent head has a second, and no more than it had before",
        http2: false,
        steps: &[
            (1, HEAD, Some((11.0, Cut))),
            (5, at(Closing, HEAD), Some((6.0, Cut))),
            (5, at(Closing, BUSY), Some((5.0, Finish))),
        ],
    },
    Case {
        name: "http/2 is told when it is idle, and then cut",
        http2: true,
        steps: &[(0, BUSY, None), (10, IDLE, Some((85.0, Finish)))],
    },
    Case {
        name: "http/2 is told at its moment of the window",
        http2: true,
        steps: &[(0, at(Polite, BUSY), Some((7.0, Finish))), (1, at(Polite, IDLE), Some((7.0, Finish)))],
    },
    Case {
        name: "or when the listener closes",
        http2: true,
        steps: &[(0, at(Polite, BUSY), Some((7.0, Finish))), (2, at(Closing, BUSY), Some((2.0, Finish)))],
    },
];

#[test]
fn a_connection_is_given_its_time() {
    let born = Instant::now();
    for Case { name, http2, steps } in CASES {
        let mut deadlines = Deadlines::new(born);
        if *http2 {
            deadlines.http2();
        }
        for (second, seen, due) in *steps {
            let now = born + S(*second);
            let next = deadlines.next(*seen, &Limits::default(), || now, || born + S(7));
            let next = next.map(|(at, act)| ((at - born).as_secs_f64(), act));
            assert_eq!(next, *due, "{name}, second {second}");
        }
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_whatever_else_it_does() {
    let born = Instant::now();
    for seen in [QUIET, HEAD, BUSY, IDLE] {
        let mut deadlines = Deadlines::new(born);
        let blocked = Seen { blocked: Some(born + S(3)), ..seen };
        let next = deadlines.next(blocked, &Limits::default(), || born + S(5), || born);
        assert_eq!(next, Some((born + S(63), Act::Cut)), "{seen:?}");
        // at the close too, what is still to be written is not thrown away
        let closing = at(Closing, blocked);
        let next = deadlines.next(closing, &Limits::default(), || born + S(5), || born);
        assert_eq!(next, Some((born + S(5), Act::Finish)), "{seen:?}");
        deadlines.finished(born + S(5));
        let next = deadlines.next(closing, &Limits::default(), || born + S(6), || born);
        assert_eq!(next, Some((born + S(63), Act::Cut)), "{seen:?}");
    }
}

#[test]
fn after_its_goaway_http2_may_finish_what_it_began() {
    let born = Instant::now();
    let next = |deadlines: &mut Deadlines, second, seen| {
        let next = deadlines.next(seen, &Limits::default(), || born + S(second), || born + S(7));
        next.map(|(at, act)| ((at - born).as_secs(), act))
    };
    let deadlines = || {
        let mut deadlines = Deadlines::new(born);
        deadlines.http2();
        deadlines
    };

    // idle for too long: a second to acknowledge
    let mut idle = deadlines();
    assert_eq!(next(&mut idle, 0, IDLE), Some((75, Finish)));
    idle.finished(born + S(75));
    assert_eq!(next(&mut idle, 75, IDLE), Some((76, Cut)));
    // a request was on its way
    assert_eq!(next(&mut idle, 76, Seen { requests: 2, ..BUSY }), None);

    // told in the window: it has its idle time, until the close
    let mut polite = deadlines();
    assert_eq!(next(&mut polite, 7, at(Polite, BUSY)), Some((7, Finish)));
    polite.finished(born + S(7));
    assert_eq!(next(&mut polite, 8, at(Polite, BUSY)), None);
    assert_eq!(next(&mut polite, 9, at(Polite, IDLE)), Some((84, Cut)));
    assert_eq!(next(&mut polite, 20, at(Closing, IDLE)), Some((21, Cut)));
    // the last body is still on its way
    assert_eq!(next(&mut polite, 21, at(Closing, Seen { written: 5, ..IDLE })), Some((22, Cut)));
}

#[test]
fn limits_out_of_reach_are_no_limits() {
    let born = Instant::now();
    let limits = Limits::default().first_byte(Duration::MAX).idle(Duration::MAX);
    let mut deadlines = Deadlines::new(born);
    let (due, _) = deadlines.next(QUIET, &limits, || born, || born).expect("a deadline");
    assert!(due > born + S(86_400 * 300));
}
