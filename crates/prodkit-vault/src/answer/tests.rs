use super::*;
use proptest::prelude::*;
use serde_json::json;

#[expect(clippy::needless_pass_by_value, reason = "a body is written where it is used")]
fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, retry_after: None, body: Zeroizing::new(body.to_string().into_bytes()) }
}

fn fields(reading: &Reading) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    reading.fields.iter().map(|(name, bytes)| (name.as_str(), text(bytes))).collect()
}

#[test]
fn kv_1_and_2_and_what_only_looks_like_it() {
    let metadata = json!({"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false, "version": 3});
    for (data, version, expected) in [
        (
            json!({"a": "x", "n": 1, "t": true, "none": null}),
            None,
            vec![("a", "x"), ("n", "1"), ("t", "true")],
        ),
        (json!({"data": {"a": "x"}, "metadata": metadata}), Some(3), vec![("a", "x")]),
        // a KV 1 that was asked for with data/ and says what it was told: no version, so no KV 2
        (json!({"data": {"a": "x"}}), None, vec![("data", r#"{"a":"x"}"#)]),
        (
            json!({"data": {"a": "x"}, "metadata": {}}),
            None,
            vec![("data", r#"{"a":"x"}"#), ("metadata", "{}")],
        ),
    ] {
        let body = json!({"lease_id": "", "lease_duration": 2_764_800, "renewable": false, "data": data});
        let reading = reading(&reply(200, body), &[]).unwrap();
        assert_eq!(
            (fields(&reading), reading.version, &reading.nature),
            (expected, version, &Nature::Lasting)
        );
    }
}

#[test]
fn leases_and_static_roles_are_told_apart() {
    let grant = |ttl, renewable| Grant { ttl: Duration::from_secs(ttl), renewable };
    let rotated = json!({"password": "p", "last_vault_rotation": "2026-01-01T00:00:00Z", "ttl": 0});
    for (id, duration, renewable, data, nature) in [
        (
            "db/1",
            60,
            true,
            json!({"password": "p"}),
            Nature::Leased { id: "db/1".into(), grant: grant(60, true) },
        ),
        (
            "db/1",
            u64::MAX,
            false,
            json!({}),
            Nature::Leased { id: "db/1".into(), grant: grant(LONGEST, false) },
        ),
        ("", 0, false, rotated, Nature::Rotated { ttl: Duration::ZERO }),
        ("", 0, false, json!({"password": "p", "ttl": 60}), Nature::Lasting),
    ] {
        let body = json!({"lease_id": id, "lease_duration": duration, "renewable": renewable, "data": data});
        assert_eq!(reading(&reply(200, body), &[]).unwrap().nature, nature);
    }
}

#[test]
fn what_each_status_means() {
    let errors = |text: &str| json!({ "errors": [text] });
    for (status, body, kind, text) in [
        (400, errors("invalid role or secret ID"), Kind::Refused, "status 400, invalid role or secret ID"),
        (400, json!({"error": "as RustyVault says it"}), Kind::Refused, "status 400, as RustyVault says it"),
        (403, errors("permission denied"), Kind::Denied, "status 403, permission denied"),
        (429, errors("rate limit"), Kind::Unavailable(None), "status 429, rate limit"),
        (473, json!({}), Kind::Unavailable(None), "status 473"),
        (
            500,
            errors("1 error occurred:\n\t* x\n\n"),
            Kind::Unavailable(None),
            "status 500, 1 error occurred: * x",
        ),
        (503, errors("Vault is sealed"), Kind::Unavailable(None), "status 503, Vault is sealed"),
        (302, json!("<html>"), Kind::Unavailable(None), "status 302"),
        (404, json!({"errors": []}), Kind::Missing, "there is nothing at this path"),
        (200, json!([1]), Kind::Unavailable(None), "its answer is not one of Vault"),
        (200, json!({"data": 1}), Kind::Unavailable(None), "its answer is not one of Vault"),
        (200, json!({"data": null}), Kind::Missing, "there is nothing to read at this path"),
        (
            200,
            json!({"data": {}, "lease_duration": "1h"}),
            Kind::Unavailable(None),
            "its answer is not one of Vault",
        ),
    ] {
        let failure = reading(&reply(status, body), &[]).err().unwrap();
        assert_eq!((failure.kind, failure.text.as_str()), (kind, text));
    }
    let cut = reading(&reply(200, r#"{"data":{"password":"hun"#), &[]).err().unwrap();
    assert_eq!(cut.text, "its answer is not one of Vault");
}

#[test]
fn a_404_of_kv_2_says_why() {
    let metadata = |deleted: &str, destroyed| {
        let metadata =
            json!({"created_time": "x", "deletion_time": deleted, "destroyed": destroyed, "version": 2});
        json!({"data": {"data": null, "metadata": metadata}})
    };
    for (body, text) in [
        (metadata("2026-01-01T00:00:00Z", false), "version 2 was deleted at 2026-01-01T00:00:00Z"),
        (metadata("", true), "version 2 was destroyed"),
        (
            json!({"data": null, "warnings": ["Invalid path for a versioned K/V secrets engine."]}),
            "this is KV version 2",
        ),
        (json!(""), "there is nothing at this path"),
    ] {
        let failure = reading(&reply(404, body), &[]).err().unwrap();
        assert!(failure.text.starts_with(text), "{}", failure.text);
    }
}

#[test]
fn an_error_never_repeats_a_secret_nor_goes_on_for_ever() {
    let hostile = json!({ "errors": [format!("bad token hvs.hunter2 {}", "x".repeat(10_000))] });
    let failure = done(&reply(400, &hostile), &[b"", b"hvs.hunter2"]).unwrap_err();
    assert_eq!(failure.text, "status 400, and it repeats a secret");
    let failure = done(&reply(400, &hostile), &[]).unwrap_err();
    assert!(failure.text.len() < 2 * REPEATED, "{}", failure.text.len());
}

#[test]
fn tokens_are_looked_up_and_extended() {
    let root = looked_up(&reply(200, json!({"data": {"ttl": 0, "policies": ["root"]}})), &[]).unwrap();
    assert_eq!(root, Grant { ttl: Duration::ZERO, renewable: false });
    let auth = json!({"auth": {"client_token": "hvs.x", "lease_duration": 60, "renewable": true}});
    let login = login(&reply(200, auth), &[]).unwrap();
    assert_eq!((login.token.as_str(), login.grant.ttl.as_secs(), login.grant.renewable), ("hvs.x", 60, true));
    assert!(super::login(&reply(200, json!({"auth": null})), &[]).is_err());
    let lease = json!({"lease_id": "db/1", "lease_duration": 60, "renewable": true});
    assert_eq!(extended(&reply(200, lease), &[]).unwrap().ttl.as_secs(), 60);
    assert!(extended(&reply(200, json!({})), &[]).is_err(), "an empty answer extends nothing");
}

proptest! {
    /// Whatever comes back: an answer or an error, never a panic, and no error that holds what was in the body.
    #[test]
    fn no_answer_is_a_panic(status in 100_u16..600, body in ".{0,64}", at in 0_usize..200) {
        let _ = reading(&reply(status, &body), &[]);
        let whole = json!({"lease_id": "a", "lease_duration": 60, "renewable": true, "data": {"password": "canary"}}).to_string();
        let mut cut = whole.clone();
        cut.truncate(at.min(whole.len()));
        if let Err(failure) = reading(&reply(status, &cut), &[]) {
            prop_assert!(!failure.text.contains("canary"), "{}", failure.text);
        }
    }
}
