//! Leases and static roles while time passes, by a clock that the test moves.

use crate::skipping::Skipping;
use crate::support::{HOUR, resolve, text, with};
use prodkit_fakes::{FakeVault, Terms};
use prodkit_secrets::{Driver, Event, Secret, Secrets};
use prodkit_vault::{Auth, Vault};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

struct Rig {
    vault: Arc<FakeVault>,
    clock: Arc<Skipping>,
    secrets: Secrets,
}

fn rig(auth: Auth, vault: FakeVault) -> Rig {
    let vault = Arc::new(vault);
    let clock = Skipping::new(vault.clone());
    let provider = Vault::new(with(&vault, auth)).unwrap().clock(clock.clone());
    let secrets = Secrets::new(|_| None, Default::default()).provider(provider);
    Rig { vault, clock, secrets }
}

impl Rig {
    async fn run(&self, driver: &mut Driver, end: Duration) -> Vec<Event> {
        self.clock.run(driver, end).await
    }
}

fn moves(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Moved { .. })).count()
}

fn root() -> Auth {
    Auth::Token(Secret::fixed(FakeVault::ROOT))
}

#[tokio::test]
async fn a_lease_is_renewed_with_one_request_each_time() {
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    let rig = rig(root(), vault);
    let made =
        resolve(&rig.secrets, &["vault:database/creds/app#username", "vault:database/creds/app#password"])
            .await
            .unwrap();
    let before = text(&made[0]);
    let events = rig.run(&mut rig.secrets.driver(), 24 * HOUR).await;
    assert_eq!((moves(&events), text(&made[0])), (0, before), "{events:?}");
    // each between a sixth and a third of an hour after the one before
    let renewals = rig.vault.count("sys/leases/renew");
    assert!((72..=144).contains(&renewals), "{renewals}");
    // the token's lookup, the read, the renewals: nothing else
    assert_eq!(rig.vault.requests(), 2 + renewals, "{:?}", rig.vault.counts());
}

#[tokio::test]
async fn a_credential_is_replaced_before_its_maximum_and_the_old_lease_let_go() {
    for terms in [Terms::ttl(HOUR).max_ttl(6 * HOUR), Terms::ttl(HOUR).not_renewable()] {
        let vault = FakeVault::start();
        vault.dynamic("database/creds/app", terms);
        let rig = rig(root(), vault);
        let made = resolve(&rig.secrets, &["vault:database/creds/app#username"]).await.unwrap();
        let before = text(&made[0]);
        let mut driver = rig.secrets.driver();
        let events = rig.run(&mut driver, 48 * HOUR).await;
        assert!(!events.iter().any(|event| matches!(event, Event::Failing { .. })), "{events:?}");
        assert!(moves(&events) >= 8 && text(&made[0]) != before, "{events:?}");
        // one in use, and none that nobody uses
        assert_eq!(rig.vault.leases().len(), 1, "{terms:?} {:?}", rig.vault.counts());
    }
}

#[tokio::test]
async fn a_lease_that_was_revoked_behind_our_back_is_replaced() {
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    let rig = rig(root(), vault);
    let made = resolve(&rig.secrets, &["vault:database/creds/app#username"]).await.unwrap();
    let before = text(&made[0]);
    let lease = rig.vault.leases().remove(0);
    rig.vault.write("sys/leases/revoke", json!({ "lease_id": lease }));
    let events = rig.run(&mut rig.secrets.driver(), HOUR).await;
    assert_eq!(moves(&events), 1, "{events:?}");
    assert_ne!(text(&made[0]), before);
}

#[tokio::test]
async fn a_token_is_renewed_and_at_its_maximum_replaced_together_with_its_leases() {
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    vault.approle("approle", "r", "s", Terms::ttl(HOUR).max_ttl(6 * HOUR));
    let rig = rig(Auth::app_role("r", Secret::fixed("s")), vault);
    let made = resolve(&rig.secrets, &["vault:database/creds/app#username"]).await.unwrap();
    let before = text(&made[0]);
    let mut driver = rig.secrets.driver();
    let events = rig.run(&mut driver, 24 * HOUR).await;
    assert!(!events.iter().any(|event| matches!(event, Event::Failing { .. })), "{events:?}");
    let logins = rig.vault.count("auth/approle/login");
    assert!((4..=6).contains(&logins), "{logins}");
    assert_eq!(moves(&events), logins - 1, "each login brings a new lease: {events:?}");
    assert_ne!(text(&made[0]), before);
    assert!(rig.vault.count("auth/token/renew-self") > 50, "{:?}", rig.vault.counts());
    assert_eq!(rig.vault.leases().len(), 1);
}

#[tokio::test]
async fn a_periodic_token_is_renewed_for_ever() {
    let vault = FakeVault::start();
    let token = vault.token(Terms::ttl(HOUR).periodic());
    vault.dynamic("database/creds/app", Terms::ttl(24 * HOUR));
    let rig = rig(Auth::Token(Secret::fixed(&token)), vault);
    let made = resolve(&rig.secrets, &["vault:database/creds/app#username"]).await.unwrap();
    let events = rig.run(&mut rig.secrets.driver(), 100 * HOUR).await;
    assert!(rig.vault.is_valid(&token) && !made.is_empty(), "{events:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_told_of_before_it_ends() {
    let vault = FakeVault::start();
    let token = vault.token(Terms::ttl(HOUR).not_renewable());
    vault.write("secret/data/app", json!({"data": {"password": "x"}}));
    let rig = rig(Auth::Token(Secret::fixed(&token)), vault);
    let _made = resolve(&rig.secrets, &["vault:secret/data/app#password"]).await.unwrap();
    let mut driver = rig.secrets.driver();
    // it has 900 s left when three quarters are over
    let told = rig.run(&mut driver, HOUR - Duration::from_secs(60)).await;
    assert!(rig.vault.is_valid(&token));
    let told = format!("{told:?}");
    assert!(told.contains("the token ends in 9"), "{told}");
}

#[tokio::test]
async fn a_static_role_is_read_after_each_rotation_and_until_it_has_happened() {
    let vault = FakeVault::start();
    vault.static_role("database/static-creds/app", HOUR, Duration::from_secs(7));
    let rig = rig(root(), vault);
    let made = resolve(&rig.secrets, &["vault:database/static-creds/app#password"]).await.unwrap();
    assert_eq!(text(&made[0]), "app-0");
    let events = rig.run(&mut rig.secrets.driver(), 10 * HOUR + Duration::from_secs(60)).await;
    assert_eq!((moves(&events), text(&made[0]).as_str()), (10, "app-10"), "{events:?}");
    // one when it was due, and one each second until it happened
    let reads = rig.vault.count("database/static-creds/app");
    assert!((20..=110).contains(&reads), "{reads}");
}

#[tokio::test]
async fn what_has_no_lease_is_read_now_and_then_and_moves_with_its_version() {
    let vault = FakeVault::start();
    vault.write("secret/data/app", json!({"data": {"password": "one"}}));
    vault.write("kv/app", json!({"password": "one"}));
    let rig = rig(root(), vault);
    let made =
        resolve(&rig.secrets, &["vault:secret/data/app#password", "vault:kv/app#password"]).await.unwrap();
    let mut driver = rig.secrets.driver();
    assert_eq!(moves(&rig.run(&mut driver, HOUR).await), 0);
    let reads = rig.vault.count("secret/data/app");
    assert!((12..=25).contains(&reads), "every 150 to 300 s: {reads}");

    rig.vault.write("secret/data/app", json!({"data": {"password": "two"}}));
    rig.vault.write("kv/app", json!({"password": "two"}));
    assert_eq!(moves(&rig.run(&mut driver, 2 * HOUR).await), 2);
    assert_eq!((text(&made[0]), text(&made[1])), ("two".into(), "two".into()));

    // deleted: what was good stays, and it is told
    rig.vault.delete("secret/data/app");
    let events = rig.run(&mut driver, 3 * HOUR).await;
    let told = events.iter().find(|event| matches!(event, Event::Failing { .. })).expect("it is told");
    assert!(format!("{told:?}").contains("was deleted at"), "{told:?}");
    assert_eq!(text(&made[0]), "two");
}
