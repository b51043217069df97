//! Leases of a few seconds, in real time.

use crate::support::{resolve, secrets, text, with};
use prodkit_fakes::{FakeVault, Terms};
use prodkit_secrets::{Event, Secret};
use prodkit_vault::Auth;
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Twelve seconds: the token lives four and cannot be renewed beyond eight, one lease two, the other cannot be renewed.
#[tokio::test]
async fn short_leases_and_tokens_never_run_out() {
    let vault = FakeVault::start();
    vault.approle("approle", "r", "s", Terms::ttl(seconds(4)).max_ttl(seconds(8)));
    vault.dynamic("database/creds/renewed", Terms::ttl(seconds(2)));
    vault.dynamic("database/creds/replaced", Terms::ttl(seconds(3)).not_renewable());
    let secrets = secrets(with(&vault, Auth::app_role("r", Secret::fixed("s"))));
    let references = ["vault:database/creds/renewed#username", "vault:database/creds/replaced#username"];
    let made = resolve(&secrets, &references).await.unwrap();
    let first: Vec<_> = made.iter().map(text).collect();
    let mut driver = secrets.driver();
    let mut moves = 0;
    let over = tokio::time::sleep(seconds(12));
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            event = driver.next() => match event {
                Event::Moved { .. } => moves += 1,
                // a machine under load may be late with a renewal; never with the lease itself
                Event::Failing { left, .. } => assert!(left.is_some_and(|left| !left.is_zero())),
                _ => {}
            }
        }
        assert!(vault.leases().len() >= 2, "a lease that is in use has run out: {:?}", vault.counts());
    }
    assert!(moves >= 4, "{moves}");
    assert!(made.iter().map(text).zip(&first).all(|(now, first)| now != *first), "both have moved");
    secrets.close().await;
    assert_eq!((vault.tokens(), vault.leases().len()), (0, 0), "{:?}", vault.counts());
}
