//! A Vault that is away, sealed, slow, hostile.

use crate::support::{HOUR, refusal, resolve, root, secrets, text, until};
use bytes::Bytes;
use prodkit_fakes::{Behaviour, Condition, FakeVault, Terms};
use prodkit_secrets::{ErrorKind, Event};
use serde_json::json;
use std::time::{Duration, Instant};

const REFERENCE: &str = "vault:secret/data/app#password";

fn vault() -> FakeVault {
    let vault = FakeVault::start();
    vault.write("secret/data/app", json!({"data": {"password": "hunter2"}}));
    vault
}

#[tokio::test]
async fn every_fault_is_an_error_that_says_what_and_may_pass() {
    for (behaviour, said) in [
        (Behaviour::status(500), "status 500"),
        (Behaviour::status(503), "status 503, Vault is sealed"),
        (Behaviour::status(429).header("retry-after", "1"), "status 429, request path"),
        (Behaviour::status(472), "status 472"),
        // before its head has left, or after
        (Behaviour::Reset, "br"),
        (Behaviour::Body(Bytes::from_static(b"{\"data\":{\"password\":\"can")), "not one of Vault"),
        (Behaviour::Body(Bytes::from_static(b"<html>canary</html>")), "not one of Vault"),
        (Behaviour::Body(Bytes::from_static(b"{\"data\":[\"canary\"]}")), "not one of Vault"),
        (Behaviour::Body(Bytes::from_static(b"{\"data\":{},\"lease_duration\":-1}")), "not one of Vault"),
        (Behaviour::Body(Bytes::from("[".repeat(100_000))), "not one of Vault"),
        (Behaviour::Body(Bytes::from(vec![b'x'; 8 << 20])), "larger than 4 MiB"),
    ] {
        let vault = vault();
        vault.behave_at("secret/data/app", behaviour.clone());
        let secrets = secrets(root(&vault));
        let errors = resolve(&secrets, &[REFERENCE]).await.unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!(error.error().kind(), ErrorKind::Unavailable, "{behaviour:?}: {error}");
        assert!(error.to_string().contains(said) && !error.to_string().contains("can"), "{said}: {error}");
    }
}

#[tokio::test]
async fn no_call_takes_longer_than_five_seconds_and_a_closed_port_no_time() {
    let vault = vault();
    let started = Instant::now();
    vault.behave(Behaviour::Hang);
    let silent = secrets(root(&vault));
    assert!(refusal(&silent, REFERENCE).await.contains("no answer within 5 s"));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());

    vault.behave(Behaviour::Refuse);
    vault.listening(false).await;
    let refused = refusal(&secrets(root(&vault)), REFERENCE).await;
    assert!(refused.contains("no connection"), "{refused}");
}

#[tokio::test]
async fn a_vault_that_is_away_is_asked_once_however_many_secrets_there_are() {
    let vault = vault();
    vault.behave(Behaviour::status(503));
    let secrets = secrets(root(&vault));
    let references: Vec<_> = (0..1_000).map(|n| format!("vault:secret/data/app{n}#password")).collect();
    let references: Vec<_> = references.iter().map(String::as_str).collect();
    let errors = resolve(&secrets, &references).await.unwrap_err();
    assert!(errors.is_transient() && errors.iter().count() == 1_000);
    assert!(errors.to_string().contains("Vault is sealed"), "{errors}");
    // one at first, and whatever the jitter allows while a thousand ask
    assert!(vault.requests() <= 10, "{}", vault.requests());
}

#[tokio::test]
async fn a_standby_sends_us_to_the_active_node_once() {
    let active = vault();
    let standby = FakeVault::start();
    standby.condition(Condition::Standby(Some(active.url())));
    let secrets = secrets(root(&standby));
    assert_eq!(text(&resolve(&secrets, &[REFERENCE]).await.unwrap()[0]), "hunter2");

    let first = FakeVault::start();
    first.condition(Condition::Standby(Some(standby.url())));
    assert!(refusal(&crate::support::secrets(root(&first)), REFERENCE).await.contains("redirects twice"));
}

#[tokio::test]
async fn an_outage_is_told_with_what_is_in_use_and_so_is_its_end() {
    let vault = vault();
    vault.dynamic("database/creds/app", Terms::ttl(Duration::from_secs(3)));
    let secrets = secrets(root(&vault));
    let made = resolve(&secrets, &["vault:database/creds/app#password"]).await.unwrap();
    let before = text(&made[0]);
    let mut driver = secrets.driver();

    vault.condition(Condition::Sealed);
    let told = until(&mut driver, |event| matches!(event, Event::Failing { .. })).await;
    let Event::Failing { source, reason, left } = told else { unreachable!() };
    assert_eq!(source, "vault:database/creds/app");
    assert!(reason.contains("is not renewed: status 503, Vault is sealed"), "{reason}");
    assert!(left.is_some_and(|left| left > Duration::ZERO), "told before it is over: {left:?}");
    assert_eq!(text(&made[0]), before, "the last good value stays");

    vault.condition(Condition::Active);
    until(&mut driver, |event| matches!(event, Event::Recovered { .. } | Event::Moved { .. })).await;
    assert!(!vault.leases().is_empty());
}

#[tokio::test]
async fn a_refused_value_is_given_back_and_the_old_one_kept_alive() {
    let vault = vault();
    vault.dynamic("database/creds/app", Terms::ttl(Duration::from_secs(6)).not_renewable());
    let secrets = secrets(root(&vault));
    let made = resolve(&secrets, &["vault:database/creds/app#password"]).await.unwrap();
    let first = text(&made[0]);
    let wanted = first.clone();
    let pool = made[0].live().try_map(move |value| {
        let good = value.is(wanted.as_bytes());
        async move { if good { Ok(()) } else { Err(std::io::Error::other("cannot log in")) } }
    });
    let _pool = pool.await.unwrap();
    let mut driver = secrets.driver();
    let refused = until(&mut driver, |event| matches!(event, Event::Refused { .. })).await;
    assert!(format!("{refused:?}").contains("cannot log in"), "{refused:?}");
    assert_eq!(text(&made[0]), first);
    // the new lease goes back
    let returned = vault.wait_for("sys/leases/revoke", 1);
    tokio::select! {
        () = returned => {}
        _ = async { loop { driver.next().await; } } => {}
    }
}

#[tokio::test]
async fn a_lease_has_the_time_left_that_it_was_granted() {
    // that the time of day has no part in it is shown from outside, where it can be set: `tests/tests/vaults/clock.rs`
    let vault = vault();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    let secrets = secrets(root(&vault));
    let made = resolve(&secrets, &["vault:database/creds/app#password"]).await.unwrap();
    let left = |secrets: &prodkit_secrets::Secrets| secrets.standing()[0].expires_in.unwrap();
    assert!(left(&secrets) > HOUR - Duration::from_secs(30) && left(&secrets) <= HOUR);
    assert!(!text(&made[0]).is_empty());
}
