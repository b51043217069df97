//! A collector that fails in every way a collector can, and a service that must not care: it starts, serves and ends as
//! without one, says so once, and accounts for every span.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;
mod comes_back;
mod flood;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

use collector::{Collector, WAYS, Way};
use comes_back::{after_a_minute, at_once, between_attempts};
use flood::{a_million_of_each_to_nobody, flooded};
use service::{BEGAN, ENDED, REJECTED, count, end, requests, said, start};

/// Requests of each cell, each a span.
const REQUESTS: u64 = 20;
/// What the last telemetry may take of a collector that gets nothing, and of one that answers.
const FLUSH: Duration = Duration::from_millis(800);
const LONG_FLUSH: Duration = Duration::from_secs(20);
/// What anything may take besides, on a machine under load.
const SLACK: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // most of them wait for a clock
    arguments.test_threads.get_or_insert(6);
    // the longest, which does nothing but wait
    let mut trials = vec![trial("it comes back after a minute".to_owned(), after_a_minute)];
    for protocol in ["http/protobuf", "grpc"] {
        for workers in [1, 4] {
            for way in WAYS {
                // a fake that speaks gRPC answers with gRPC's words for these
                let name = format!("{way:?}, {protocol}, {workers} workers");
                if protocol == "grpc" && matches!(way, Way::Resets) {
                    continue;
                }
                trials.push(trial(name, move || cell(way, protocol, workers)));
            }
        }
    }
    for workers in [1, 4] {
        trials.push(trial(format!("it comes back, {workers} workers"), move || at_once(workers)));
        for protocol in ["http/protobuf", "grpc"] {
            let name = format!("it comes back between two attempts, {protocol}, {workers} workers");
            trials.push(trial(name, move || between_attempts(protocol, workers)));
        }
    }
    for flavour in ["current_thread", "one", "many"] {
        let name = format!("a million of each to nobody, {flavour}");
        trials.push(trial(name, move || a_million_of_each_to_nobody(flavour)));
        for way in [
            Way::Refuses,
            Way::Swallows,
            Way::Silent,
            Way::Unavailable,
            Way::Tls,
            Way::Plain,
            Way::Untrusted,
            Way::Demands,
        ] {
            trials.push(trial(format!("{way:?}, {flavour}"), move || drop(flooded(flavour, way, 3_000))));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn cell(way: Way, protocol: &str, workers: usize) {
    let collector = Collector::start(way);
    let (mut service, main, _folder) = start(&collector.url(), protocol, workers, way, &[]);
    requests(main, REQUESTS);
    let lossless = way == Way::Slow;
    if way == Way::Partial {
        assert!(said(&mut service, REJECTED).is_some());
    } else if !lossless {
        let line = said(&mut service, BEGAN).unwrap_or_else(|| panic!("nothing said: {:#?}", service.seen()));
        assert_eq!(line["level"], "WARN");
        assert!(line["lost"].is_u64() && line["reason"].is_string(), "{line}");
    }
    // it goes on as if nothing were
    requests(main, REQUESTS);
    let [exported, dropped, failed] = end(&mut service, 2 * REQUESTS, way.flush());
    match way {
        Way::Slow => assert_eq!((dropped, failed), (0, 0)),
        Way::Partial => assert!(exported > 0 && failed > 0 && dropped == 0),
        _ => assert_eq!(exported, 0),
    }
    let began = usize::from(!lossless && way != Way::Partial);
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (began, 0), "{:#?}", service.seen());
}
