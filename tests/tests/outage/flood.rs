//! Very much telemetry for a collector that fails, without a service around it: by the crates, on any kind of runtime. The
//! order-service has workers, so `current_thread` is here only.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use prodkit_e2e::process::{DEADLINE, released};
use serde_json::Value;

use crate::collector::{Collector, Way};
use crate::{FLOOD, SLACK, network};

/// What `flood` came to.
pub(crate) fn flooded(flavour: &str, protocol: &str, way: Way, count: u64) -> Value {
    let collector = Collector::start(way);
    let folder = tempfile::tempdir().unwrap();
    let ca = way.over_tls(folder.path());
    let binary = released("flood").unwrap_or_else(|| PathBuf::from(FLOOD));
    let mut command = match way {
        Way::Drops => network::command(&binary, folder.path()),
        _ => Command::new(&binary),
    };
    let begun = Instant::now();
    let output = command
        .args([flavour, protocol, &way.spell(&collector.url()), &count.to_string()])
        .args(ca)
        .env_clear()
        .envs([network::PATH])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    assert!(output.status.success(), "{output:?}");
    assert!(begun.elapsed() < DEADLINE * 5);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |signal: &str, what: &str| report[signal][what].as_u64().unwrap();
    for signal in ["traces", "logs", "metrics"] {
        let [exported, dropped, failed] = ["exported", "dropped", "failed"].map(|what| number(signal, what));
        assert_eq!(number(signal, "offered"), exported + dropped + failed, "{signal}: {report}");
        assert_eq!(number(signal, "queued"), 0, "{signal}: {report}");
        match way {
            Way::Slow => assert_eq!(failed, 0, "{signal}: {report}"),
            Way::Partial => assert!(exported > 0 && failed > 0, "{signal}: {report}"),
            _ => assert_eq!(exported, 0, "{signal}: {report}"),
        }
    }
    let offered = count / 4 * 4;
    assert_eq!((number("traces", "offered"), number("logs", "offered")), (offered, offered), "{report}");
    assert!(report["start_ms"].as_u64().unwrap() < 1_000, "{report}");
    assert!(report["shutdown_ms"].as_u64().unwrap() < 1_000 + SLACK.as_millis() as u64, "{report}");
    report
}

pub(crate) fn a_million_of_each_to_nobody(flavour: &str) {
    let report = flooded(flavour, "http/protobuf", Way::Refuses, 1_000_000);
    let [idle, peak] = ["idle_kib", "peak_kib"].map(|what| report[what].as_u64().unwrap());
    assert!(peak <= idle + 24 * 1024, "{report}");
}
