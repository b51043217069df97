use super::*;
use Step::{Check, Listen, Sleep};

const QUIET: Duration = Duration::from_millis(100);

/// Times are milliseconds since the beginning.
struct Clock {
    start: Instant,
    signs: Signs,
    done: Done,
}

impl Clock {
    fn new() -> Self {
        let start = Instant::now();
        let done =
            Done { events: 0, touches: 0, not_before: start, poll_at: start + Duration::from_secs(15) };
        Self { start, signs: Signs::default(), done }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn writes(&mut self, name: &str, ms: u64) -> bool {
        let now = self.at(ms);
        self.signs.writing(Path::new(name), now)
    }

    fn next(&mut self, ms: u64) -> Step {
        let now = self.at(ms);
        self.signs.next(&self.done, QUIET, now)
    }

    fn checked(&mut self, ms: u64, took: u64) {
        let now = self.at(ms);
        self.done = Done {
            events: self.signs.events,
            touches: self.signs.touches,
            not_before: now + pause(Duration::from_millis(took)),
            poll_at: now + Duration::from_secs(15),
        };
    }
}

#[test]
fn nothing_heard_is_nothing_to_do_until_the_poll() {
    let mut clock = Clock::new();
    assert_eq!(clock.next(0), Listen(clock.at(15_000)));
    assert_eq!(clock.next(15_000), Check);
    clock.checked(15_000, 0);
    assert_eq!(clock.next(15_000), Listen(clock.at(30_000)));
}

#[test]
fn what_is_settled_is_checked_at_once_and_wakes_once() {
    let mut clock = Clock::new();
    assert!(!clock.signs.settled(None), "nobody waits");
    assert_eq!(clock.next(1), Check);
    clock.checked(1, 0);
    clock.next(5);
    assert!(clock.signs.settled(None));
    assert!(!clock.signs.settled(None), "awake already");
    assert!(!clock.signs.touch());
    assert_eq!(clock.next(6), Check);
}

#[test]
fn a_writer_is_waited_for_until_quiet_until_closed_and_no_longer_than_a_second() {
    let mut clock = Clock::new();
    clock.next(0);
    assert!(clock.writes("a", 10));
    assert_eq!(clock.next(10), Listen(clock.at(110)));
    assert!(!clock.writes("a", 60), "more of the same wakes nobody");
    assert_eq!(clock.next(110), Listen(clock.at(160)));
    assert!(clock.signs.settled(Some(Path::new("a"))), "closed");
    assert_eq!(clock.next(120), Check);
    clock.checked(120, 0);

    for ms in (1_000..2_000).step_by(50) {
        clock.writes("a", ms);
        assert!(matches!(clock.next(ms), Listen(_)));
    }
    assert_eq!(clock.next(1_999), Listen(clock.at(2_000)));
    assert_eq!(clock.next(2_000), Check);
    clock.checked(2_000, 0);
    clock.writes("a", 2_010);
    assert_eq!(clock.next(2_050), Listen(clock.at(2_110)), "and a second more");
}

#[test]
fn a_check_gives_way_to_a_writer_unless_one_was_waited_for_long_enough() {
    let mut clock = Clock::new();
    clock.writes("a", 0);
    clock.signs.settled(Some(Path::new("a")));
    assert_eq!((clock.next(1), clock.signs.begin().2), (Check, true));
    clock.writes("a", 2);
    assert_eq!((clock.next(102), clock.signs.begin().2), (Check, true), "quiet is rest");
    for ms in (200..=1_200).step_by(50) {
        clock.writes("a", ms);
        clock.next(ms);
    }
    assert_eq!((clock.next(1_200), clock.signs.begin().2), (Check, false));
    assert!(clock.signs.begin().2, "once");
}

#[test]
fn everything_waits_for_the_last_open_writer() {
    let mut clock = Clock::new();
    clock.writes("a", 0);
    clock.writes("b", 50);
    clock.signs.settled(Some(Path::new("a")));
    clock.signs.settled(None);
    clock.signs.touch();
    assert_eq!(clock.next(60), Listen(clock.at(150)));
    assert_eq!(clock.next(150), Check);
}

#[test]
fn a_check_that_began_before_an_event_does_not_settle_it() {
    let mut clock = Clock::new();
    clock.signs.settled(None);
    let before = clock.signs.events;
    clock.signs.settled(None);
    clock.done.events = before;
    assert_eq!(clock.next(0), Check);
}

#[test]
fn checks_take_a_twentieth_of_the_time_at_most() {
    for (took, expected) in [(0, 1), (1, 19), (10, 190), (60, 1_000), (10_000, 1_000)] {
        assert_eq!(pause(Duration::from_millis(took)), Duration::from_millis(expected), "{took}");
    }
    let mut clock = Clock::new();
    clock.checked(100, 10);
    clock.signs.settled(None);
    assert_eq!(clock.next(101), Sleep(clock.at(290)));
    assert!(!clock.signs.settled(None), "a storm wakes nobody");
    assert_eq!(clock.next(290), Check);
}

#[test]
fn writers_of_what_is_not_watched_are_forgotten() {
    let mut clock = Clock::new();
    clock.writes("a", 0);
    clock.signs.retain(|path| path != Path::new("a"));
    assert_eq!(clock.next(1), Check);
}
