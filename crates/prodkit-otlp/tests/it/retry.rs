//! What is sent again, and when.

use super::{AMPLE, patient, resource, span};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Otlp, Settings, start};
use std::time::{Duration, Instant};

/// A batch of one, sent at once.
fn one(collector: &FakeCollector, change: impl FnOnce(&mut Settings)) -> Otlp {
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 1;
    change(&mut settings);
    let otlp = start(settings, resource(), None).unwrap();
    otlp.spans().push(span("x"));
    otlp
}

/// Waits until the one span has been settled.
async fn settled(otlp: &Otlp) -> [u64; 2] {
    let deadline = Instant::now() + AMPLE;
    loop {
        let tally = otlp.stats().traces;
        if tally.queued == 0 {
            return [tally.exported, tally.failed];
        }
        assert!(Instant::now() < deadline, "{tally:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_may_pass_is_sent_again_and_the_same() {
    for behaviour in [
        Behaviour::status(429),
        Behaviour::status(502),
        Behaviour::status(503),
        Behaviour::status(504),
        Behaviour::Reset,
    ] {
        let collector = FakeCollector::start();
        collector.behave(behaviour.clone());
        let otlp = one(&collector, |_| {});
        collector.wait_for(1).await;
        collector.behave(Behaviour::Answer);
        let received = collector.wait_for(2).await;
        assert_eq!(received[0].body, received[1].body, "{behaviour:?}");
        assert_eq!(settled(&otlp).await, [1, 0], "{behaviour:?}");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_sent_again() {
    for code in [300, 301, 400, 401, 403, 404, 408, 413, 415, 500, 501, 505] {
        let collector = FakeCollector::start();
        collector.behave(Behaviour::status(code).header("location", "/elsewhere"));
        let otlp = one(&collector, |_| {});
        assert_eq!(settled(&otlp).await, [0, 1], "{code}");
        otlp.shutdown(AMPLE).await;
        assert_eq!(collector.received().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_silent_collector_is_given_up_and_asked_again() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Hang);
    let otlp = one(&collector, |settings| settings.timeout = Duration::from_millis(50));
    collector.wait_for(2).await;
    collector.behave(Behaviour::Answer);
    assert_eq!(settled(&otlp).await, [1, 0]);
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_what_waited() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Refuse);
    collector.listening(false).await;
    let otlp = one(&collector, |_| {});
    otlp.spans().push(span("y"));
    collector.behave(Behaviour::Answer);
    collector.wait_for(2).await;
    let report = otlp.shutdown(AMPLE).await;
    assert_eq!((report.stats.traces.exported, report.stats.traces.lost()), (2, 0));
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503).header("retry-after", "1"));
    let otlp = one(&collector, |_| {});
    collector.wait_for(1).await;
    let asked = Instant::now();
    collector.behave(Behaviour::Answer);
    assert_eq!(settled(&otlp).await, [1, 0]);
    // the first pause of its own would have been a quarter of a second at most
    assert!(asked.elapsed() > Duration::from_millis(800), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn retries_end() {
    let unavailable = || {
        let collector = FakeCollector::start();
        collector.behave(Behaviour::status(503));
        collector
    };
    // longer than there is time for: not even waited for
    let collector = unavailable();
    collector.behave(Behaviour::status(503).header("retry-after", "3600"));
    assert_eq!(settled(&one(&collector, |_| {})).await, [0, 1]);
    assert_eq!(collector.received().len(), 1);

    let collector = unavailable();
    assert_eq!(settled(&one(&collector, |settings| settings.retry.enabled = false)).await, [0, 1]);
    assert_eq!(collector.received().len(), 1);

    for change in [
        (|s| (s.timeout, s.retry.max_elapsed_time) = (Duration::from_secs(1), Duration::from_secs(1)))
            as fn(&mut Settings),
        // answers that come at once leave the timeout of an attempt without a say
        |s| (s.timeout, s.retry.max_elapsed_time) = (AMPLE, Duration::from_secs(1)),
        |s| s.traces.batch.timeout = Some(Duration::from_secs(1)),
    ] {
        let collector = unavailable();
        assert_eq!(settled(&one(&collector, change)).await, [0, 1]);
        assert!((2..=6).contains(&collector.received().len()), "{}", collector.received().len());
    }
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_pause() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503).header("retry-after", "20"));
    let otlp = one(&collector, |_| {});
    collector.wait_for(1).await;
    collector.behave(Behaviour::Answer);
    let began = Instant::now();
    let report = otlp.shutdown(AMPLE).await;
    assert_eq!(report.stats.traces.exported, 1);
    assert!(began.elapsed() < Duration::from_secs(10));
}
