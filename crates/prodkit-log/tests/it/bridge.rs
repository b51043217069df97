use prodkit_log::install_log_bridge;
use tracing_log::log;

use crate::support::{json, logged};

#[test]
fn records_of_the_log_crate_are_events() {
    install_log_bridge().expect("the only one in this process");
    assert_eq!(
        install_log_bridge().expect_err("taken").to_string(),
        "install the log bridge: another logger is already installed"
    );
    let options = json().filter("info,noisy=off,quiet=debug".parse().expect("a filter"));
    let lines = logged(options.rate_limit(1, std::time::Duration::from_secs(3600)), |log| {
        log::info!("from {}", "log");
        log::debug!("below the filter");
        log::error!(target: "noisy", "off");
        log::debug!(target: "quiet", "on");
        for _ in 0..2 {
            log::info!("twice from one place");
        }
        assert_eq!(log.stats().suppressed, 1, "each place has a limit of its own");
    });
    let rest: Vec<_> = lines.iter().map(|line| crate::support::golden(line)).collect();
    assert_eq!(
        rest[..3],
        [
            r#"{"level":"INFO","ts":"T","caller":"it/bridge.rs:N","msg":"from log"}"#,
            r#"{"level":"DEBUG","ts":"T","caller":"it/bridge.rs:N","target":"quiet","msg":"on"}"#,
            r#"{"level":"INFO","ts":"T","caller":"it/bridge.rs:N","msg":"twice from one place"}"#,
        ]
    );
}
