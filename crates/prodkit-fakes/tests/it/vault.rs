//! The fake Vault, as HTTP sees it.

use prodkit_fakes::{Behaviour, Condition, FakeVault, Terms};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Status and body; the body is null where there is none.
async fn ask(vault: &FakeVault, method: &str, path: &str, headers: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} /v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(vault.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

async fn get(vault: &FakeVault, path: &str, token: &str) -> (u16, Value) {
    ask(vault, "GET", path, &format!("x-vault-token: {token}\r\n"), Value::Null).await
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn health_has_the_published_codes_and_everything_else_is_refused() {
    let vault = FakeVault::start();
    let standby = Condition::Standby(None);
    for (condition, health, read, error) in [
        (Condition::Active, 200, 404, ""),
        (Condition::PerformanceStandby, 473, 404, ""),
        (standby, 429, 500, "local node not active"),
        (Condition::RecoverySecondary, 472, 503, "DR secondary"),
        (Condition::Sealed, 503, 503, "Vault is sealed"),
        (Condition::Uninitialized, 501, 503, "not initialized"),
    ] {
        vault.condition(condition.clone());
        let (status, body) = get(&vault, "sys/health", "").await;
        assert_eq!(status, health, "{condition:?}");
        assert_eq!(body["sealed"], json!(matches!(health, 501 | 503)), "{condition:?}");
        let (status, body) = get(&vault, "secret/data/app", FakeVault::ROOT).await;
        assert_eq!(status, read, "{condition:?}");
        assert!(body["errors"].to_string().contains(error), "{body}");
    }
    vault.condition(Condition::Standby(Some("http://127.0.0.1:1".into())));
    assert_eq!(get(&vault, "secret/data/app", FakeVault::ROOT).await.0, 307);
    assert_eq!(get(&vault, "sys/health?standbyok=true", "").await.0, 200);
}

#[tokio::test]
async fn kv_2_has_versions_that_are_deleted_and_destroyed() {
    let vault = FakeVault::start();
    for n in 1..=3 {
        vault.write("secret/data/app", json!({"data": {"n": n}}));
    }
    let root = FakeVault::ROOT;
    let (status, body) = get(&vault, "secret/data/app", root).await;
    assert_eq!(
        (status, &body["data"]["data"]["n"], &body["data"]["metadata"]["version"]),
        (200, &json!(3), &json!(3))
    );
    assert_eq!(get(&vault, "secret/data/app?version=1", root).await.1["data"]["data"]["n"], 1);

    vault.delete("secret/data/app");
    let (status, body) = get(&vault, "secret/data/app", root).await;
    assert_eq!((status, &body["data"]["data"]), (404, &Value::Null));
    assert_ne!(body["data"]["metadata"]["deletion_time"], "");
    vault.write("secret/undelete/app", json!({"versions": [3]}));
    assert_eq!(get(&vault, "secret/data/app", root).await.0, 200);

    vault.write("secret/destroy/app", json!({"versions": [1]}));
    let (status, body) = get(&vault, "secret/data/app?version=1", root).await;
    assert_eq!((status, &body["data"]["metadata"]["destroyed"]), (404, &json!(true)));

    assert_eq!(get(&vault, "secret/data/none", root).await, (404, json!({"errors": []})));
    let (status, body) = get(&vault, "secret/app", root).await;
    assert_eq!(status, 404);
    assert!(body["warnings"][0].as_str().unwrap().starts_with("Invalid path for a versioned K/V"));
}

#[tokio::test]
async fn tokens_and_their_leases_end_when_the_clock_of_the_server_says_so() {
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(HOUR).max_ttl(3 * HOUR));
    let token = vault.token(Terms::ttl(2 * HOUR));
    let (_, body) = get(&vault, "database/creds/app", &token).await;
    assert_eq!((&body["lease_duration"], &body["renewable"]), (&json!(3_600), &json!(true)));
    let lease = json!({ "lease_id": body["lease_id"] });
    let as_token = format!("x-vault-token: {token}\r\n");

    vault.advance(HOUR / 2);
    let (status, body) = ask(&vault, "PUT", "sys/leases/renew", &as_token, lease.clone()).await;
    assert_eq!((status, &body["lease_duration"]), (200, &json!(3_600)));
    vault.advance(HOUR / 2);
    assert_eq!(ask(&vault, "POST", "auth/token/renew-self", &as_token, Value::Null).await.0, 200);
    assert_eq!(vault.leases().len(), 1);
    vault.advance(HOUR / 2);
    let (status, body) = ask(&vault, "PUT", "sys/leases/renew", &as_token, lease.clone()).await;
    assert_eq!((status, &body["errors"][0]), (400, &json!("lease not found")));

    let (_, body) = get(&vault, "database/creds/app", &token).await;
    vault.advance(HOUR - Duration::from_secs(1));
    let again = json!({ "lease_id": body["lease_id"] });
    assert_eq!(ask(&vault, "PUT", "sys/leases/renew", &as_token, again).await.0, 200);
    vault.revoke_token(&token);
    assert!(vault.leases().is_empty(), "a lease ends with its token");
    assert_eq!(get(&vault, "secret/data/app", &token).await, (403, json!({"errors": ["permission denied"]})));
}

#[tokio::test]
async fn a_renewal_reaches_no_further_than_the_maximum() {
    let vault = FakeVault::start();
    for (terms, status, seconds) in [
        (Terms::ttl(HOUR).max_ttl(HOUR + Duration::from_secs(60)), 200, json!(1_860)),
        (Terms::ttl(HOUR).max_ttl(HOUR).periodic(), 200, json!(3_600)),
        (Terms::ttl(HOUR).not_renewable(), 400, Value::Null),
    ] {
        let token = vault.token(terms);
        vault.advance(HOUR / 2);
        let headers = format!("x-vault-token: {token}\r\n");
        let (got, body) = ask(&vault, "POST", "auth/token/renew-self", &headers, Value::Null).await;
        assert_eq!((got, &body["auth"]["lease_duration"]), (status, &seconds), "{terms:?}");
    }
}

#[tokio::test]
async fn a_static_role_tells_the_time_to_the_next_rotation() {
    let vault = FakeVault::start();
    vault.static_role("database/static-creds/app", HOUR, Duration::from_secs(10));
    let mut told = Vec::new();
    for seconds in [600, 3_000, 5, 5] {
        vault.advance(Duration::from_secs(seconds));
        let data = vault.read("database/static-creds/app")["data"].clone();
        told.push((
            data["password"].as_str().unwrap().to_owned(),
            data["ttl"].as_u64().unwrap().div_ceil(60),
        ));
    }
    let expected = [("app-0", 50), ("app-0", 0), ("app-0", 0), ("app-1", 60)];
    assert_eq!(told, expected.map(|(password, ttl)| (password.to_owned(), ttl)));
}

#[tokio::test]
async fn logins_admit_who_brings_what_is_asked_for() {
    let vault = FakeVault::start();
    let terms = Terms::ttl(HOUR);
    vault.approle("approle", "r", "s", terms);
    vault.kubernetes("kubernetes", "app", "ey.k", terms);
    vault.jwt("jwt", "app", "ey.j", terms);
    for (path, body, status) in [
        ("auth/approle/login", json!({"role_id": "r", "secret_id": "s"}), 200),
        ("auth/approle/login", json!({"role_id": "r", "secret_id": "x"}), 400),
        ("auth/kubernetes/login", json!({"role": "app", "jwt": "ey.k"}), 200),
        ("auth/kubernetes/login", json!({"role": "app", "jwt": "x"}), 403),
        ("auth/kubernetes/login", json!({"role": "x", "jwt": "ey.k"}), 400),
        ("auth/jwt/login", json!({"role": "app", "jwt": "ey.j"}), 200),
        ("auth/jwt/login", json!({"role": "app", "jwt": "x"}), 400),
        ("auth/none/login", json!({}), 404),
    ] {
        let (got, answer) = ask(&vault, "POST", path, "", body.clone()).await;
        assert_eq!(got, status, "{path} {body} {answer}");
        if status == 200 {
            assert!(vault.is_valid(answer["auth"]["client_token"].as_str().unwrap()));
        }
    }
    assert_eq!(vault.tokens(), 3);
}

#[tokio::test]
async fn namespaces_are_worlds_of_their_own() {
    let vault = FakeVault::start();
    vault.namespace("team");
    vault.write("team/secret/data/app", json!({"data": {"a": 1}}));
    let root = format!("x-vault-token: {}\r\n", FakeVault::ROOT);
    let inside = format!("{root}x-vault-namespace: team/\r\n");
    assert_eq!(ask(&vault, "GET", "secret/data/app", &inside, Value::Null).await.0, 200);
    assert_eq!(ask(&vault, "GET", "secret/data/app", &root, Value::Null).await.0, 404);
    let elsewhere = format!("{root}x-vault-namespace: other\r\n");
    assert_eq!(ask(&vault, "GET", "secret/data/app", &elsewhere, Value::Null).await.0, 404);

    let (_, body) = ask(&vault, "POST", "auth/token/create", &inside, json!({"ttl": "1h"})).await;
    let theirs = format!("x-vault-token: {}\r\n", body["auth"]["client_token"].as_str().unwrap());
    assert_eq!(ask(&vault, "GET", "secret/data/app", &theirs, Value::Null).await.0, 403);
}

#[tokio::test]
async fn it_misbehaves_as_told_and_counts() {
    let vault = FakeVault::start();
    vault.behave_at("secret/data/a", Behaviour::status(429).header("retry-after", "1"));
    let (status, body) = get(&vault, "secret/data/a", FakeVault::ROOT).await;
    assert_eq!(status, 429);
    assert!(body["errors"][0].as_str().unwrap().contains("rate limit"), "{body}");
    assert_eq!(get(&vault, "secret/data/b", FakeVault::ROOT).await.0, 404);

    vault.deny("secret/data/hidden");
    let token = vault.token(Terms::ttl(HOUR));
    assert_eq!(get(&vault, "secret/data/hidden/x", &token).await.0, 403);
    assert_eq!(get(&vault, "secret/data/hidden/x", FakeVault::ROOT).await.0, 404);

    vault.wait_for("secret/data/hidden/x", 2).await;
    assert_eq!((vault.count("secret/data/a"), vault.count("secret/data/b"), vault.requests()), (1, 1, 4));
    vault.behave(Behaviour::Refuse);
    vault.listening(false).await;
    assert!(TcpStream::connect(vault.addr()).await.is_err());
    vault.behave(Behaviour::Answer);
    vault.listening(true).await;
    assert_eq!(get(&vault, "sys/health", "").await.0, 200);
}
