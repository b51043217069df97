//! What is found at a path, and what is said where there is nothing.

use crate::support::{refusal, resolve, root, secrets, text};
use prodkit_fakes::FakeVault;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn kv_1_and_2_versions_and_values_that_are_no_text() {
    let vault = FakeVault::start();
    vault.write("kv/app", json!({"password": "one", "port": 5432, "tls": true, "hosts": ["a", "b"]}));
    vault.write("secret/data/app", json!({"data": {"password": "old"}}));
    vault.write("secret/data/app", json!({"data": {"password": "new"}}));
    let secrets = secrets(root(&vault));
    let made = resolve(
        &secrets,
        &[
            "vault:kv/app#password",
            "vault:kv/app#port",
            "vault:kv/app#tls",
            "vault:kv/app#hosts",
            "vault:secret/data/app#password",
            "vault:secret/data/app?version=1#password",
        ],
    )
    .await
    .unwrap();
    let values: Vec<_> = made.iter().map(text).collect();
    assert_eq!(values, ["one", "5432", "true", r#"["a","b"]"#, "new", "old"]);
    // several fields of one path are one fetch
    assert_eq!((vault.count("kv/app"), vault.count("secret/data/app")), (1, 2));
    let version = secrets.standing().into_iter().find(|standing| standing.source == "vault:secret/data/app");
    assert_eq!(version.unwrap().version.as_deref(), Some("2"));
}

#[tokio::test]
async fn what_is_not_there_is_said_and_the_next_place_has_its_turn() {
    let vault = FakeVault::start();
    for n in 1..=3 {
        vault.write("secret/data/app", json!({"data": {"password": n.to_string()}}));
    }
    vault.write("secret/delete/app", json!({"versions": [3]}));
    vault.write("secret/destroy/app", json!({"versions": [2]}));
    let secrets = secrets(root(&vault));
    for (reference, said) in [
        ("vault:secret/data/none#password", "there is nothing at this path"),
        ("vault:secret/data/app#password", "version 3 was deleted at 20"),
        ("vault:secret/data/app?version=2#password", "version 2 was destroyed"),
        ("vault:secret/data/app?version=1#user", "there is no such field"),
        ("vault:secret/app#password", "this is KV version 2: write its path with data/ after the mount"),
        ("vault:none/app#password", "there is nothing at this path"),
        ("vault:secret/../sys/seal#x", "it is not a path of Vault"),
        ("vault:v1/secret/data/app#x", "written without v1/"),
    ] {
        let refusal = refusal(&secrets, reference).await;
        assert!(refusal.starts_with(&format!("{reference}: ")) && refusal.contains(said), "{refusal}");
    }
    let (made, found) = prodkit_secrets::collect(|| {
        serde_json::from_value::<Vec<prodkit_secrets::Secret>>(json!([[
            "vault:secret/data/none#a",
            "vault:secret/data/app#a",
            "fallback"
        ]]))
    });
    secrets.keep(secrets.resolve(&found).await.unwrap());
    assert_eq!(text(&made.unwrap()[0]), "fallback");
}

#[tokio::test]
async fn a_namespace_and_a_prefix_before_v1() {
    let vault = FakeVault::start();
    vault.namespace("team");
    vault.write("team/secret/data/app", json!({"data": {"password": "theirs"}}));
    let inside = secrets(root(&vault).namespace("team/").unwrap());
    assert_eq!(text(&resolve(&inside, &["vault:secret/data/app#password"]).await.unwrap()[0]), "theirs");
    let outside = secrets(root(&vault));
    assert_eq!(
        text(&resolve(&outside, &["vault:team/secret/data/app#password"]).await.unwrap()[0]),
        "theirs"
    );
    assert!(refusal(&outside, "vault:secret/data/app#password").await.contains("nothing at this path"));
}

/// How long it takes to have them all.
async fn ten_thousand() -> Duration {
    let vault = FakeVault::start();
    let references: Vec<_> = (0..10_000).map(|n| format!("vault:secret/data/app{n}#password")).collect();
    for n in 0..10_000 {
        vault.write(&format!("secret/data/app{n}"), json!({"data": {"password": n.to_string()}}));
    }
    let secrets = secrets(root(&vault));
    let references: Vec<_> = references.iter().map(String::as_str).collect();
    let started = Instant::now();
    let made = resolve(&secrets, &references).await.unwrap();
    let took = started.elapsed();
    assert!(made.iter().enumerate().all(|(n, secret)| text(secret) == n.to_string()));
    // the token was looked up once
    assert_eq!(vault.requests(), 10_001);
    took
}

#[tokio::test]
async fn ten_thousand_paths_are_had_with_one_request_each() {
    let took = ten_thousand().await;
    // far beyond what it takes without optimization, too
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// The least of five, since others want the machine as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for a release build: -- --ignored --nocapture ten_thousand_secrets_take"]
async fn ten_thousand_secrets_take_a_second_at_most() {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let took = ten_thousand().await;
        eprintln!("10,000 secrets in {took:?}");
        least = least.min(took);
    }
    assert!(least <= Duration::from_secs(1), "{least:?}");
}
