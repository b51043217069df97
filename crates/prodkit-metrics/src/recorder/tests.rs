//! Expiry, with a clock that is told the time.

use super::*;
use std::time::Duration;

const IDLE: Duration = Duration::from_secs(60);

struct Clock(Instant);

impl Clock {
    fn pass(&mut self, recorder: &Recorder, time: Duration) -> String {
        self.0 += time;
        let scrape = recorder.0.refreshed(self.0);
        let mut out = Vec::new();
        encode::encode(&scrape, Format::Text004, &mut out);
        String::from_utf8(out).unwrap()
    }
}

fn expiring() -> (Recorder, Clock) {
    (Recorder::new(Options::new().expire_idle(IDLE).max_series(2)), Clock(Instant::now()))
}

fn touch(recorder: &Recorder, user: &'static str) {
    metrics::with_local_recorder(recorder, || metrics::counter!("hits_total", "user" => user).increment(1));
}

#[test]
fn an_idle_series_goes_and_comes_back_at_zero() {
    let (recorder, mut clock) = expiring();
    touch(&recorder, "a");
    touch(&recorder, "b");
    touch(&recorder, "b");
    assert!(clock.pass(&recorder, Duration::ZERO).contains("b\"} 2\n"));
    // Seen active by the scrape just before its time is up: it stays as long again.
    touch(&recorder, "b");
    let text = clock.pass(&recorder, IDLE - Duration::from_secs(1));
    assert!(text.contains("a\"} 1\n") && text.contains("b\"} 3\n"));
    let text = clock.pass(&recorder, Duration::from_secs(1));
    assert!(!text.contains("a\"}") && text.contains("b\"} 3\n"), "{text}");
    assert_eq!((recorder.stats().series, recorder.stats().expired), (1, 1));

    // Its place is free again, and a series that comes back is a new one.
    touch(&recorder, "c");
    assert_eq!(recorder.stats().overflowed, 0);
    clock.pass(&recorder, IDLE);
    clock.pass(&recorder, IDLE);
    assert_eq!(clock.pass(&recorder, Duration::ZERO), "");
    touch(&recorder, "b");
    assert!(clock.pass(&recorder, Duration::ZERO).contains("b\"} 1\n"));
}

#[test]
fn a_held_series_never_expires() {
    let (recorder, mut clock) = expiring();
    let concrete = recorder.counter("a_total", &[]);
    let facade = metrics::with_local_recorder(&recorder, || metrics::gauge!("b"));
    for _ in 0..5 {
        clock.pass(&recorder, IDLE * 2);
    }
    concrete.increment(1);
    facade.set(2.0);
    assert!(clock.pass(&recorder, IDLE).contains("a_total 1\n# TYPE b gauge\nb 2\n"));
    drop((concrete, facade));
    clock.pass(&recorder, IDLE - Duration::from_secs(1));
    assert_eq!(recorder.stats().series, 2, "held until after the scrape before");
    assert_eq!(clock.pass(&recorder, Duration::from_secs(1)), "");
}

#[test]
fn the_overflow_series_never_expires() {
    let (recorder, mut clock) = expiring();
    ["a", "b", "c"].into_iter().for_each(|user| touch(&recorder, user));
    clock.pass(&recorder, Duration::ZERO);
    clock.pass(&recorder, IDLE);
    let text = clock.pass(&recorder, IDLE);
    assert_eq!(text, "# TYPE hits_total counter\nhits_total{otel_metric_overflow=\"true\"} 1\n");
}

#[test]
fn without_the_option_nothing_expires() {
    let (recorder, mut clock) = (Recorder::default(), Clock(Instant::now()));
    touch(&recorder, "a");
    clock.pass(&recorder, Duration::ZERO);
    assert!(clock.pass(&recorder, IDLE * 10_000).contains("hits_total"));
}
