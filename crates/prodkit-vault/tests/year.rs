//! A year of leases and tokens against a real socket, by a clock that skips what nobody waits for. A process of its own,
//! since it weighs itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use prodkit_fakes::{FakeVault, Terms};
use prodkit_secrets::{Event, Secret, Secrets, collect};
use prodkit_vault::{Auth, Clock as _, Settings, Vault};
use serde_json::json;
use skipping::Skipping;
use std::sync::Arc;
use std::time::Duration;

#[path = "it/skipping.rs"]
mod skipping;

const DAY: Duration = Duration::from_secs(86_400);
/// What a year may add to the resident set, the server's side included, which is in this process as well.
const HEAVIER: u64 = 1 << 20;

/// Resident memory of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::test]
async fn a_year_of_renewals_costs_one_request_each_and_no_memory() {
    let vault = Arc::new(FakeVault::start());
    // three days: a renewal every 12 to 24 hours, and for one of them a rotation every two weeks
    vault.dynamic("database/creds/a", Terms::ttl(3 * DAY).max_ttl(14 * DAY));
    vault.dynamic("database/creds/b", Terms::ttl(3 * DAY));
    vault.approle("approle", "r", "s", Terms::ttl(3 * DAY).periodic());
    let clock = Skipping::new(vault.clone());
    let settings = Settings::new(&vault.url(), Auth::app_role("r", Secret::fixed("s"))).unwrap();
    let provider = Vault::new(settings).unwrap().clock(clock.clone());
    let secrets = Secrets::new(|_| None, Default::default()).provider(provider);
    let references = ["vault:database/creds/a#username", "vault:database/creds/b#username"];
    let (made, found) = collect(|| serde_json::from_value::<Vec<Secret>>(json!(references)).unwrap());
    secrets.keep(secrets.resolve(&found).await.unwrap());
    let mut driver = secrets.driver();

    let mut moves = 0;
    let mut before = 0;
    let started = std::time::Instant::now();
    // four weeks to warm up, then a year
    for end in [28 * DAY, 28 * DAY + 365 * DAY] {
        before = resident();
        for event in clock.run(&mut driver, end).await {
            match event {
                Event::Moved { .. } => moves += 1,
                Event::Failing { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
    }
    let heavier = resident().saturating_sub(before);
    let counts = vault.counts();
    eprintln!("{:?} with the waits; {heavier} bytes heavier; {moves} moves; {counts:?}", started.elapsed());

    assert!(clock.now() > 392 * DAY, "{:?}", clock.now());
    assert!(heavier <= HEAVIER, "{heavier} bytes heavier");
    // one request for each renewal, each rotation and each lease given back: nothing else
    let renewals = counts["sys/leases/renew"] + counts["auth/token/renew-self"];
    assert!((3 * 393..=3 * 393 * 2).contains(&renewals), "{counts:?}");
    assert!(moves >= 25 && vault.leases().len() == 2, "{moves} {:?}", vault.leases());
    let others = counts["auth/approle/login"] + counts["database/creds/a"] + counts["database/creds/b"];
    assert_eq!(counts["auth/approle/login"], 1);
    assert_eq!(vault.requests(), renewals + others + counts["sys/leases/revoke"], "{counts:?}");
    drop(made);
}
