//! Every way to log in, and what is done when a token ends.

use crate::support::{HOUR, refusal, resolve, root, secrets, text, until, with};
use prodkit_fakes::{FakeVault, Terms};
use prodkit_secrets::{Event, Secret, Secrets, collect};
use prodkit_vault::{Auth, Vault};
use serde_json::json;
use std::time::Duration;

const REFERENCE: &str = "vault:secret/data/app#password";

fn vault() -> FakeVault {
    let vault = FakeVault::start();
    vault.write("secret/data/app", json!({"data": {"password": "hunter2"}}));
    vault
}

#[tokio::test]
async fn each_method_logs_in_once() {
    let vault = vault();
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, "ey.k\n").unwrap();
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    vault.approle("elsewhere", "r2", "s2", Terms::ttl(HOUR));
    vault.kubernetes("kubernetes", "app", "ey.k", Terms::ttl(HOUR));
    vault.jwt("jwt", "app", "ey.j", Terms::ttl(HOUR));
    let token = vault.token(Terms::ttl(HOUR));
    let kubernetes = Auth::Kubernetes { mount: "kubernetes".into(), role: "app".into(), token_file };
    for (auth, login) in [
        (Auth::app_role("r", Secret::fixed("s")), "auth/approle/login"),
        (Auth::app_role("r2", Secret::fixed("s2")).at("elsewhere"), "auth/elsewhere/login"),
        (kubernetes, "auth/kubernetes/login"),
        (Auth::jwt("app", Secret::fixed("ey.j")), "auth/jwt/login"),
        (Auth::Token(Secret::fixed(format!("{token}\n"))), "auth/token/lookup-self"),
    ] {
        let secrets = secrets(with(&vault, auth));
        let made = resolve(&secrets, &[REFERENCE, "vault:secret/data/app?version=1#password"]).await.unwrap();
        assert_eq!(text(&made[0]), "hunter2");
        assert_eq!(vault.count(login), 1, "{login}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_says_so_without_what_was_logged_in_with() {
    let vault = vault();
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    vault.kubernetes("kubernetes", "app", "ey.k", Terms::ttl(HOUR));
    let missing = Auth::Kubernetes { mount: "k".into(), role: "r".into(), token_file: "/none/token".into() };
    for (auth, said) in [
        (Auth::app_role("r", Secret::fixed("canary")), "(approle): status 400, invalid role or secret ID"),
        (Auth::Token(Secret::fixed("canary")), "(token): status 403, permission denied"),
        (Auth::Token(Secret::fixed("can\nary")), "(token): the token has characters no token has"),
        (Auth::jwt("app", Secret::fixed("canary")), "(jwt): status 404, no handler for route"),
        (missing, "/none/token: No such file"),
    ] {
        let refusal = refusal(&secrets(with(&vault, auth)), REFERENCE).await;
        assert!(
            refusal.contains(said) && !refusal.contains("canary") && !refusal.contains("ary"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_token_that_ended_is_replaced_by_a_new_login_and_a_missing_policy_is_not() {
    let vault = vault();
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    vault.deny("secret/data/hidden");
    let secrets = secrets(with(&vault, Auth::app_role("r", Secret::fixed("s"))));
    resolve(&secrets, &[REFERENCE]).await.unwrap();

    // not for us: one look at the token, no new login
    let denied = refusal(&secrets, "vault:secret/data/hidden#password").await;
    assert!(denied.contains("status 403"), "{denied}");
    assert_eq!((vault.count("auth/approle/login"), vault.count("auth/token/lookup-self")), (1, 1));

    vault.advance(2 * HOUR);
    let made = resolve(&secrets, &["vault:secret/data/app?version=1#password"]).await.unwrap();
    assert_eq!(text(&made[0]), "hunter2");
    assert_eq!(vault.count("auth/approle/login"), 2);
}

#[tokio::test]
async fn what_was_leased_with_a_token_that_ended_is_replaced() {
    let vault = vault();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    let secrets = secrets(with(&vault, Auth::app_role("r", Secret::fixed("s"))));
    let made = resolve(&secrets, &["vault:database/creds/app#username"]).await.unwrap();
    let before = text(&made[0]);
    let mut driver = secrets.driver();

    vault.advance(2 * HOUR);
    assert!(vault.leases().is_empty());
    // any request finds out
    resolve(&secrets, &[REFERENCE]).await.unwrap();
    until(&mut driver, |event| matches!(event, Event::Moved { .. })).await;
    assert_ne!(text(&made[0]), before);
    assert_eq!(vault.leases().len(), 1);
}

#[tokio::test]
async fn a_token_from_a_file_is_followed_when_the_old_one_ends() {
    let vault = vault();
    let directory = tempfile::tempdir().unwrap();
    let sink = directory.path().join("token");
    std::fs::write(&sink, vault.token(Terms::ttl(HOUR))).unwrap();

    // as the facade does it: the token is a secret like others
    let files = Secrets::new(|_| None, Default::default());
    let reference = format!("file:{}", sink.display());
    let (token, found) = collect(|| serde_json::from_value::<Secret>(json!(reference)).unwrap());
    files.keep(files.resolve(&found).await.unwrap());
    let mut watching = files.driver();
    let secrets = secrets(with(&vault, Auth::Token(token)));
    resolve(&secrets, &[REFERENCE]).await.unwrap();

    vault.advance(2 * HOUR);
    assert!(refusal(&secrets, "vault:secret/data/app?version=1#password").await.contains("status 403"));
    std::fs::write(&sink, vault.token(Terms::ttl(HOUR))).unwrap();
    until(&mut watching, |event| matches!(event, Event::Moved { .. })).await;
    resolve(&secrets, &["vault:secret/data/app?version=1#password"]).await.unwrap();
}

#[tokio::test]
async fn the_end_revokes_the_tokens_that_were_made_here_and_of_others_the_leases_only() {
    let vault = vault();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    let own = secrets(with(&vault, Auth::app_role("r", Secret::fixed("s"))));
    let _made = resolve(&own, &["vault:database/creds/app#username"]).await.unwrap();
    assert_eq!((vault.tokens(), vault.leases().len()), (1, 1));
    own.close().await;
    assert_eq!((vault.tokens(), vault.leases().len()), (0, 0));

    let token = vault.token(Terms::ttl(HOUR));
    let handed = secrets(with(&vault, Auth::Token(Secret::fixed(&token))));
    let _made = resolve(&handed, &["vault:database/creds/app#username"]).await.unwrap();
    handed.close().await;
    assert_eq!((vault.is_valid(&token), vault.leases().len()), (true, 0));

    // nobody to give it back to: no waiting
    let away = secrets(root(&vault));
    let _made = resolve(&away, &["vault:database/creds/app#username"]).await.unwrap();
    vault.behave(prodkit_fakes::Behaviour::Hang);
    let closed = tokio::time::timeout(Duration::from_secs(20), away.close()).await;
    assert!(closed.is_ok(), "each call has a limit of its own");
}

#[test]
fn nothing_secret_is_printed() {
    let vault = FakeVault::start();
    let settings = with(&vault, Auth::app_role("r", Secret::fixed("canary")));
    let shown = format!("{settings:?} {:?}", Vault::new(settings.clone()).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}
