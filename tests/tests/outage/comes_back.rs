//! Collectors that come back.

use std::time::{Duration, Instant};

use prodkit_fakes::{Behaviour, FakeCollector};
use tokio::runtime::Builder;

use crate::collector::Way;
use crate::service::{BEGAN, ENDED, SPANS, count, end, requests, said, start};
use crate::{LONG_FLUSH, REQUESTS};

/// Away for a while, and then there: what waited arrives, and two lines are said about it.
pub(crate) fn at_once(workers: usize) {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503));
    let (mut service, main, _folder) = start(&collector.url(), "http/protobuf", workers, Way::Slow, &[]);
    requests(&main, REQUESTS);
    assert!(said(&mut service, BEGAN).is_some());
    requests(&main, REQUESTS);
    collector.behave(Behaviour::Answer);
    requests(&main, REQUESTS);
    let line = said(&mut service, ENDED).unwrap_or_else(|| panic!("never again: {:#?}", service.seen()));
    assert_eq!(line["level"], "INFO");
    assert!(line["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
    requests(&main, REQUESTS);
    let [exported, ..] = end(&mut service, 4 * REQUESTS, LONG_FLUSH);
    assert!(exported >= REQUESTS * SPANS, "{exported}");
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (1, 1), "{:#?}", service.seen());
}

/// The pauses before the second to the sixth attempt: half of 250 ms, doubled each time, is the least there is to them.
const PAUSES: Duration = Duration::from_millis(125 + 250 + 500 + 1_000 + 2_000);
const ATTEMPTS: usize = 6;

/// Back when the pauses have grown long: it was left in peace meanwhile, all that waited arrives, and without a signal to
/// end.
pub(crate) fn between_attempts(protocol: &str, workers: usize) {
    away(protocol, workers, Duration::ZERO);
}

pub(crate) fn after_a_minute() {
    away("http/protobuf", 1, Duration::from_secs(60));
}

/// Away for so long, and for so many attempts.
fn away(protocol: &str, workers: usize, least: Duration) {
    let path = match protocol {
        "grpc" => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        _ => "/v1/traces",
    };
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(503));
    // points are given up where the next are due, and the next have all that those had
    let patient = ["otlp.retry.max_elapsed_time=5m", "otlp.metric_interval=5m"];
    let (mut service, main, _folder) = start(&collector.url(), protocol, workers, Way::Slow, &patient);
    let waiting = Builder::new_current_thread().enable_time().build().unwrap();
    let begun = Instant::now();
    requests(&main, REQUESTS);
    let mut attempts = ATTEMPTS;
    waiting.block_on(collector.wait_for_at(path, attempts));
    while begun.elapsed() < least {
        attempts += 1;
        waiting.block_on(collector.wait_for_at(path, attempts));
    }
    assert!(begun.elapsed() >= PAUSES, "{attempts} attempts in {:?}", begun.elapsed());
    requests(&main, REQUESTS);
    collector.behave(Behaviour::Answer);
    let line = said(&mut service, ENDED).unwrap_or_else(|| panic!("never again: {:#?}", service.seen()));
    assert!(line["seconds"].as_f64().is_some_and(|seconds| seconds >= PAUSES.as_secs_f64()), "{line}");
    assert_eq!(line["lost"], 0, "{line}");
    requests(&main, REQUESTS);
    assert_eq!(end(&mut service, 3 * REQUESTS, LONG_FLUSH), [3 * REQUESTS * SPANS, 0, 0]);
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (1, 1), "{:#?}", service.seen());
}
