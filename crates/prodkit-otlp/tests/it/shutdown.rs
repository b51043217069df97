//! The end: on time, on any runtime, with every collector, and with books that balance.

use super::{AMPLE, patient, resource, span};
use metrics::{Key, Metadata, Recorder as _};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Otlp, Report, Tally, start};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tracing_subscriber::layer::SubscriberExt as _;

const BUDGET: Duration = Duration::from_millis(400);

/// What the machine may add before a test is wrong about it. A shutdown that waits for a timeout takes 10 s.
const SLACK: Duration = Duration::from_secs(3);

/// Runs a shutdown to its end on some kind of runtime.
type Flavour = fn(&Arc<Otlp>, Duration) -> Report;

const FLAVOURS: [(&str, Flavour); 4] = [
    ("current_thread", |otlp, budget| {
        Builder::new_current_thread().build().unwrap().block_on(otlp.shutdown(budget))
    }),
    ("one worker", |otlp, budget| on_worker(1, otlp, budget)),
    ("many workers", |otlp, budget| on_worker(3, otlp, budget)),
    ("no runtime", |otlp, budget| block_on(otlp.shutdown(budget))),
];

/// Inside a task, as a service does it: nothing but the workers drives the flush's future.
fn on_worker(workers: usize, otlp: &Arc<Otlp>, budget: Duration) -> Report {
    let otlp = otlp.clone();
    let runtime = Builder::new_multi_thread().worker_threads(workers).build().unwrap();
    let mut task = tokio::task::JoinSet::new();
    task.spawn_on(async move { otlp.shutdown(budget).await }, runtime.handle());
    runtime.block_on(task.join_next()).unwrap().unwrap()
}

/// The least there is: a thread that parks.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

/// 1200 spans (three batches), 3 points and 5 records, then the end.
fn end(collector: &FakeCollector, flavour: Flavour, budget: Duration) -> (Report, Duration) {
    let recorder = prodkit_metrics::Recorder::new(prodkit_metrics::Options::default());
    for name in ["a", "b", "c"] {
        let metadata = Metadata::new("test", metrics::Level::INFO, None);
        recorder.register_counter(&Key::from_name(name), &metadata).increment(1);
    }
    let mut settings = patient(collector.url());
    settings.logs.enabled = true;
    // not one of them becomes full, so that all is left to the end
    settings.traces.batch.size = 2000;
    let otlp = Arc::new(start(settings, resource(), Some(recorder)).unwrap());
    for _ in 0..1200 {
        otlp.spans().push(span("x"));
    }
    tracing::subscriber::with_default(tracing_subscriber::registry().with(otlp.layer()), || {
        (0..5).for_each(|n| tracing::info!(n));
    });
    let began = Instant::now();
    let report = flavour(&otlp, budget);
    let took = began.elapsed();
    assert_eq!(otlp.stats(), report.stats, "the report is final");
    (report, took)
}

#[track_caller]
fn balanced(report: &Report) -> [Tally; 3] {
    let stats = report.stats;
    for (tally, offered) in [(stats.traces, 1200), (stats.metrics, 3), (stats.logs, 5)] {
        assert_eq!(tally.offered, offered, "{report:?}");
        assert_eq!(tally.offered, tally.exported + tally.dropped + tally.failed, "{report:?}");
        assert_eq!(tally.queued, 0, "{report:?}");
    }
    [stats.traces, stats.metrics, stats.logs]
}

#[test]
fn answering_everything_arrives() {
    for (name, flavour) in FLAVOURS {
        let collector = FakeCollector::start();
        let (report, _) = end(&collector, flavour, AMPLE);
        assert!(balanced(&report).iter().all(|tally| tally.exported == tally.offered), "{name}: {report:?}");
        assert!(!report.cut_short && report.is_complete(), "{name}");
        assert_eq!(collector.received().len(), 3, "{name}");
    }
}

#[test]
fn slow_within_the_budget_everything_arrives() {
    for (name, flavour) in FLAVOURS {
        let collector = FakeCollector::start();
        collector.behave(Behaviour::Slow(Duration::from_millis(100)));
        let (report, _) = end(&collector, flavour, AMPLE);
        assert!(balanced(&report).iter().all(|tally| tally.exported == tally.offered), "{name}: {report:?}");
    }
}

#[test]
fn refusing_is_not_waited_for() {
    for (name, flavour) in FLAVOURS {
        let collector = FakeCollector::start();
        collector.behave(Behaviour::Refuse);
        block_on(collector.listening(false));
        let (report, took) = end(&collector, flavour, AMPLE);
        assert!(took < SLACK, "{name}: {took:?}");
        assert!(balanced(&report).iter().all(|tally| tally.failed == tally.offered), "{name}: {report:?}");
        assert!(!report.cut_short, "{name}");
    }
}

#[test]
fn what_keeps_failing_ends_with_the_budget() {
    let behaviours = [
        ("hanging", Behaviour::Hang),
        ("slow", Behaviour::Slow(AMPLE)),
        ("breaking off", Behaviour::Reset),
        ("unavailable", Behaviour::status(503)),
        ("busy", Behaviour::status(429).header("retry-after", "30")),
    ];
    for (name, flavour) in FLAVOURS {
        for (behaviour, how) in &behaviours {
            let collector = FakeCollector::start();
            collector.behave(how.clone());
            let (report, took) = end(&collector, flavour, BUDGET);
            assert!(took < BUDGET + SLACK, "{name}, {behaviour}: {took:?}");
            let lost = balanced(&report).iter().all(|tally| tally.failed == tally.offered);
            assert!(lost, "{name}, {behaviour}: {report:?}");
        }
    }
}

#[test]
fn refused_for_good_takes_no_time() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(400));
    let (report, took) = end(&collector, FLAVOURS[0].1, AMPLE);
    assert!(took < SLACK && !report.cut_short, "{took:?}");
    assert!(balanced(&report).iter().all(|tally| tally.failed == tally.offered), "{report:?}");
}

#[test]
fn an_export_in_flight_is_cut_too() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Hang);
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 10;
    let otlp = start(settings, resource(), None).unwrap();
    for _ in 0..25 {
        otlp.spans().push(span("x"));
    }
    block_on(collector.wait_for(1));
    let began = Instant::now();
    let report = block_on(otlp.shutdown(BUDGET));
    assert!(began.elapsed() < BUDGET + SLACK);
    let Tally { offered, exported, dropped, failed, queued, .. } = report.stats.traces;
    assert_eq!((offered, exported, dropped, failed, queued), (25, 0, 15, 10, 0));
    assert!(report.cut_short);
}

#[test]
fn an_export_of_metrics_in_flight_does_not_delay_the_last_one() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Hang);
    let recorder = prodkit_metrics::Recorder::new(prodkit_metrics::Options::default());
    let metadata = Metadata::new("test", metrics::Level::INFO, None);
    recorder.register_counter(&Key::from_name("a"), &metadata).increment(1);
    let mut settings = patient(collector.url());
    settings.metric_interval = Duration::from_millis(10);
    settings.timeout = AMPLE;
    let otlp = start(settings, resource(), Some(recorder)).unwrap();
    block_on(collector.wait_for(1));
    collector.behave(Behaviour::Answer);
    let report = block_on(otlp.shutdown(BUDGET));
    let Tally { offered, exported, failed, .. } = report.stats.metrics;
    // by its interval the first may have been given up and the second sent before the end
    assert!(exported >= 1 && offered == exported + failed, "{report:?}");
}

#[test]
fn a_second_shutdown_has_the_same_report_and_spans_after_it_are_dropped() {
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    otlp.spans().push(span("x"));
    let first = block_on(otlp.shutdown(AMPLE));
    otlp.spans().push(span("late"));
    assert_eq!(block_on(otlp.shutdown(Duration::ZERO)), first);
    let Tally { offered, exported, dropped, .. } = otlp.stats().traces;
    assert_eq!((offered, exported, dropped), (2, 1, 1));
}

#[test]
fn a_cancelled_shutdown_goes_on_and_can_be_waited_for_again() {
    let collector = FakeCollector::start();
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    otlp.spans().push(span("x"));
    let _ = tokio_test::task::spawn(otlp.shutdown(AMPLE)).poll();
    assert_eq!(block_on(otlp.shutdown(Duration::ZERO)).stats.traces.exported, 1);
}

#[test]
fn no_time_is_too_long() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.timeout = Duration::MAX;
    settings.metric_interval = Duration::MAX;
    settings.retry.max_elapsed_time = Duration::MAX;
    settings.traces.batch.delay = Duration::MAX;
    settings.traces.batch.timeout = Some(Duration::MAX);
    let otlp = start(settings, resource(), Some(prodkit_metrics::Recorder::new(Default::default()))).unwrap();
    otlp.spans().push(span("x"));
    assert_eq!(block_on(otlp.shutdown(Duration::MAX)).stats.traces.exported, 1);
}

#[test]
fn start_waits_for_nobody() {
    // a port that takes connections into its backlog and never accepts one
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = start(patient(format!("http://{}", deaf.local_addr().unwrap())), resource(), None).unwrap();
    otlp.spans().push(span("x"));
    let report = block_on(otlp.shutdown(Duration::from_millis(50)));
    assert_eq!((report.stats.traces.failed, report.cut_short), (1, true));
}
