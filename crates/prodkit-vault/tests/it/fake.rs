//! The fake Vault, checked by vaultrs's own client.

use crate::support::HOUR;
use prodkit_fakes::{Condition, FakeVault, Terms};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Once;
use vaultrs::api::database::requests::GenerateCredentialsRequest;
use vaultrs::client::{Client, VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use vaultrs::sys::ServerStatus;
use vaultrs::{auth, kv1, kv2, token};

#[derive(Debug, Deserialize, PartialEq, serde::Serialize)]
struct Password {
    password: String,
}

fn client(vault: &FakeVault, token: &str, namespace: Option<&str>) -> VaultClient {
    static PROVIDER: Once = Once::new();
    // reqwest wants one, for http too
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let mut settings = VaultClientSettingsBuilder::default();
    settings.address(vault.url()).token(token).verify(true);
    if let Some(namespace) = namespace {
        settings.set_namespace(namespace.into());
    }
    VaultClient::new(settings.build().unwrap()).unwrap()
}

fn code(error: &ClientError) -> u16 {
    match error {
        ClientError::APIError { code, .. } => *code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn vaultrs_writes_reads_and_deletes_kv_1_and_2() {
    let vault = FakeVault::start();
    let client = client(&vault, FakeVault::ROOT, None);
    let password = |text: &str| Password { password: text.into() };

    kv1::set(&client, "kv", "app", &HashMap::from([("password", "one")])).await.unwrap();
    assert_eq!(kv1::get::<Password>(&client, "kv", "app").await.unwrap(), password("one"));
    assert_eq!(kv1::list(&client, "kv", "").await.unwrap().data.keys, ["app"]);

    for (text, version) in [("one", 1), ("two", 2)] {
        assert_eq!(kv2::set(&client, "secret", "app", &password(text)).await.unwrap().version, version);
    }
    assert_eq!(kv2::read::<Password>(&client, "secret", "app").await.unwrap(), password("two"));
    assert_eq!(kv2::read_version::<Password>(&client, "secret", "app", 1).await.unwrap(), password("one"));
    kv2::destroy_versions(&client, "secret", "app", vec![1]).await.unwrap();
    let metadata = kv2::read_metadata(&client, "secret", "app").await.unwrap();
    assert!(metadata.versions["1"].destroyed && !metadata.versions["2"].destroyed);
    kv2::delete_latest(&client, "secret", "app").await.unwrap();
    assert!(kv2::read::<Password>(&client, "secret", "app").await.is_err());
    kv2::undelete_versions(&client, "secret", "app", vec![2]).await.unwrap();
    assert_eq!(kv2::read::<Password>(&client, "secret", "app").await.unwrap(), password("two"));
}

#[tokio::test]
async fn vaultrs_looks_up_renews_and_revokes_tokens() {
    let vault = FakeVault::start();
    let mine = vault.token(Terms::ttl(HOUR));
    let client = client(&vault, &mine, None);
    vault.advance(HOUR / 2);
    assert_eq!(token::lookup_self(&client).await.unwrap().ttl, 1_800);
    assert_eq!(token::renew_self(&client, None).await.unwrap().lease_duration, 3_600);
    assert_eq!(token::renew_self(&client, Some("60s")).await.unwrap().lease_duration, 60);
    token::revoke_self(&client).await.unwrap();
    assert_eq!(code(&token::lookup_self(&client).await.unwrap_err()), 403);
}

#[tokio::test]
async fn vaultrs_logs_in() {
    let vault = FakeVault::start();
    vault.approle("approle", "r", "s", Terms::ttl(HOUR));
    vault.kubernetes("kubernetes", "app", "ey.k", Terms::ttl(HOUR));
    vault.jwt("jwt", "app", "ey.j", Terms::ttl(HOUR));
    let client = client(&vault, "", None);
    let tokens = [
        auth::approle::login(&client, "approle", "r", "s").await.unwrap(),
        auth::kubernetes::login(&client, "kubernetes", "app", "ey.k").await.unwrap(),
        auth::oidc::login(&client, "jwt", "ey.j", Some("app".into())).await.unwrap(),
    ];
    for auth in tokens {
        assert!(vault.is_valid(&auth.client_token) && auth.renewable && auth.lease_duration == 3_600);
    }
    assert_eq!(code(&auth::approle::login(&client, "approle", "r", "x").await.unwrap_err()), 400);
    assert_eq!(code(&auth::kubernetes::login(&client, "kubernetes", "app", "x").await.unwrap_err()), 403);
}

#[tokio::test]
async fn vaultrs_reads_health_credentials_and_namespaces() {
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR));
    vault.namespace("team");
    vault.write("team/secret/data/app", json!({"data": {"password": "theirs"}}));
    let root = client(&vault, FakeVault::ROOT, None);
    let endpoint = GenerateCredentialsRequest::builder().mount("database").name("app").build().unwrap();
    let credentials = vaultrs::api::exec_with_result(&root, endpoint).await.unwrap();
    assert!(credentials.username.starts_with("v-") && vault.leases().len() == 1);

    let inside = client(&vault, FakeVault::ROOT, Some("team"));
    assert_eq!(kv2::read::<Password>(&inside, "secret", "app").await.unwrap().password, "theirs");
    assert!(kv2::read::<Password>(&root, "secret", "app").await.is_err());

    for (condition, expected) in [
        (Condition::Active, "OK"),
        (Condition::Standby(None), "STANDBY"),
        (Condition::PerformanceStandby, "PERFSTANDBY"),
        (Condition::RecoverySecondary, "RECOVERY"),
        (Condition::Sealed, "SEALED"),
        (Condition::Uninitialized, "UNINITIALIZED"),
    ] {
        vault.condition(condition);
        let status: ServerStatus = root.status().await.unwrap();
        assert_eq!(format!("{status:?}"), expected);
    }
    vault.condition(Condition::Sealed);
    match kv2::read::<Password>(&root, "secret", "app").await.unwrap_err() {
        ClientError::APIError { code: 503, errors } => assert_eq!(errors, ["Vault is sealed"]),
        other => panic!("{other:?}"),
    }
}
