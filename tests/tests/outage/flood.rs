//! Very much telemetry for a collector that is not there, without a service around it.

use std::process::Command;
use std::time::Instant;

use prodkit_e2e::process::DEADLINE;
use serde_json::Value;

use crate::SLACK;
use crate::collector::{Collector, Way};

const FLOOD: &str = env!("CARGO_BIN_EXE_flood");

/// What `flood` came to.
pub(crate) fn flooded(flavour: &str, way: Way, count: u64) -> Value {
    let collector = Collector::start(way);
    let folder = tempfile::tempdir().unwrap();
    let ca = way.over_tls(folder.path());
    let begun = Instant::now();
    let output = Command::new(FLOOD)
        .args([flavour, &way.spell(&collector.url()), &count.to_string()])
        .args(ca)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(begun.elapsed() < DEADLINE * 5);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |signal: &str, what: &str| report[signal][what].as_u64().unwrap();
    for signal in ["traces", "logs", "metrics"] {
        let ends = ["exported", "dropped", "failed"].map(|what| number(signal, what));
        assert_eq!(number(signal, "offered"), ends.iter().sum::<u64>(), "{signal}: {report}");
        assert_eq!((number(signal, "queued"), ends[0]), (0, 0), "{signal}: {report}");
    }
    let offered = count / 4 * 4;
    assert_eq!((number("traces", "offered"), number("logs", "offered")), (offered, offered), "{report}");
    assert!(report["start_ms"].as_u64().unwrap() < 1_000, "{report}");
    assert!(report["shutdown_ms"].as_u64().unwrap() < 1_000 + SLACK.as_millis() as u64, "{report}");
    report
}

pub(crate) fn a_million_of_each_to_nobody(flavour: &str) {
    let report = flooded(flavour, Way::Refuses, 1_000_000);
    let [idle, peak] = ["idle_kib", "peak_kib"].map(|what| report[what].as_u64().unwrap());
    assert!(peak <= idle + 24 * 1024, "{report}");
}
