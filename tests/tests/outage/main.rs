//! A collector that fails in every way a collector can, and a service that must not care: it starts, serves and ends as
//! without one, says so once, and accounts for every span.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;
mod comes_back;
mod flood;
mod network;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use prodkit_e2e::tools;

use collector::{Collector, WAYS, Way};
use comes_back::{after_a_minute, at_once, between_attempts};
use flood::{a_million_of_each_to_nobody, flooded};
use service::{BEGAN, ENDED, REJECTED, count, end, requests, said, start};

/// Built with this; `released` is preferred.
const FLOOD: &str = env!("CARGO_BIN_EXE_flood");

/// Requests of each half of a cell.
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
            for way in WAYS.into_iter().filter(|way| possible(*way, protocol)) {
                let name = format!("{way:?}, {protocol}, {workers} workers");
                trials.push(of(way, name, move || cell(way, protocol, workers)));
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
        for protocol in ["http/protobuf", "grpc"] {
            for way in WAYS.into_iter().filter(|way| possible(*way, protocol)) {
                let name = format!("{way:?}, {protocol}, {flavour}");
                trials.push(of(way, name, move || drop(flooded(flavour, protocol, way, 3_000))));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A fake that speaks gRPC answers with gRPC's words for this.
fn possible(way: Way, protocol: &str) -> bool {
    !(protocol == "grpc" && way == Way::Resets)
}

/// A trial that needs what its way needs.
fn of(way: Way, name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    if way != Way::Drops {
        return trial(name, test);
    }
    tools::trial(&name, network::tools, |()| {
        test();
        Ok(())
    })
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
    requests(&main, REQUESTS);
    let lossless = way == Way::Slow;
    if way == Way::Partial {
        assert!(said(&mut service, REJECTED).is_some());
    } else if !lossless {
        let line = said(&mut service, BEGAN).unwrap_or_else(|| panic!("nothing said: {:#?}", service.seen()));
        assert_eq!(line["level"], "WARN");
        assert!(line["lost"].is_u64() && line["reason"].is_string(), "{line}");
        if matches!(way, Way::Swallows | Way::Drops) {
            assert_eq!(line["reason"], "no answer in time");
        }
    }
    if way == Way::Drops {
        assert!(network::dropped(service.pid()) > 0, "nothing was dropped");
    }
    // it goes on as if nothing were
    requests(&main, REQUESTS);
    let [exported, dropped, failed] = end(&mut service, 2 * REQUESTS, way.flush());
    match way {
        Way::Slow => assert_eq!((dropped, failed), (0, 0)),
        Way::Partial => assert!(exported > 0 && failed > 0 && dropped == 0),
        _ => assert_eq!(exported, 0),
    }
    let began = usize::from(!lossless && way != Way::Partial);
    assert_eq!((count(&service, BEGAN), count(&service, ENDED)), (began, 0), "{:#?}", service.seen());
}
