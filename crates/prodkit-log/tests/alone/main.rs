//! The only subscriber of its process, and one thread's only: `tracing` then asks the thread that rebuilds its caches
//! for its subscriber, and that thread may have none.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::{Duration, Instant};

use prodkit_log::{Filter, Level, Options, start};
use tracing_subscriber::layer::SubscriberExt as _;

fn filter(text: &str) -> Filter {
    text.parse().expect(text)
}

#[test]
fn changes_from_threads_without_a_subscriber_hold() {
    let (layer, log) = start(Options::default(), std::io::sink()).expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let written = || {
            tracing::info!("i");
            tracing::debug!("d");
            let stats = log.stats();
            stats.written + stats.queued
        };
        assert_eq!(written(), 1);
        let elsewhere = |text| {
            std::thread::scope(|scope| {
                scope.spawn(|| log.set_filter(filter(text)));
            });
        };
        elsewhere("debug");
        assert_eq!(written(), 3);
        elsewhere("info");
        assert_eq!(written(), 4);

        // the writer's own thread ends it
        log.override_filter(filter("trace"), Duration::from_millis(5));
        let late = Instant::now() + Duration::from_secs(60);
        while tracing::enabled!(Level::TRACE) {
            assert!(Instant::now() < late, "it never ended");
            std::thread::yield_now();
        }
        while log.overridden().is_some() {
            std::thread::yield_now();
        }
        assert_eq!(written(), 5);
    });
    assert!(log.shutdown(Duration::from_secs(60)));
}
