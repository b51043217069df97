//! Nothing prints a secret. Each sink is first shown to be read, by something that must be in it.

use prodkit_secrets::{Document, Secret, SecretRef};
use serde_json::json;

use super::kit::{Safe, load, named, read, secrets};

const CANARY: &str = "canary-5f3a91";

#[tokio::test]
async fn no_debug_and_no_display_shows_a_secret() {
    let safe = Safe::default();
    safe.put("a", named(&[("b", CANARY)]).version("shown-1"));
    let secrets = secrets(&[("CANARY_1", CANARY)]).provider(safe.clone());
    let json = json!({ "written": CANARY, "vaulted": "vault:a#b", "set": "env:CANARY_1", "list": ["env:NONE", CANARY] });
    let (config, found) = read(&json);
    let resolved = secrets.resolve(&found).await.unwrap();
    let printed = [
        (format!("{config:?}{config:#?}"), "written"),
        (format!("{found:?}"), "Found"),
        (format!("{resolved:?}"), "Resolved"),
        (format!("{:?}", config["written"].load()), "***"),
        (format!("{:?}", config["written"].live()), "***"),
        (format!("{}{:?}", config["list"].reference(), config["list"].reference()), "env:NONE"),
        (format!("{:?}", named(&[("b", CANARY)])), "\"b\""),
        (format!("{:?}", Document::whole(CANARY.into())), "Document"),
        (format!("{:?}", Secret::fixed(CANARY)), "***"),
        (format!("{:?}", SecretRef::parse(CANARY)), "written out"),
    ];
    secrets.keep(resolved);
    let mut driver = secrets.driver();
    let more = [
        (format!("{secrets:?}"), "secrets: 4"),
        (format!("{driver:?}"), "Driver"),
        (format!("{:?}", secrets.standing()), "shown-1"),
        (format!("{:?}", safe.outbox()), "Outbox"),
        (secrets.mask(&format!("the server said {CANARY}!")), "the server said ***!"),
    ];
    for (text, shown) in printed.iter().chain(&more) {
        assert!(text.contains(shown), "not searched: {text}");
        assert!(!text.contains(CANARY), "{text}");
    }
    safe.outbox().failing("a", &format!("cannot renew {CANARY}, shown-2"));
    let event = format!("{:?}", super::kit::next(&mut driver).await);
    assert!(event.contains("shown-2") && !event.contains(CANARY), "{event}");
}

#[tokio::test]
async fn a_panic_of_what_follows_is_a_refusal_without_the_secret() {
    let safe = Safe::default();
    safe.put("a", named(&[("b", "first")]));
    let secrets = secrets(&[]).provider(safe.clone());
    let config = load(&secrets, &json!({ "a": "vault:a#b" })).await;
    let _derived = config["a"].live().map(|value| {
        assert!(value.is(b"first"), "unhappy with {}", value.expose_text().unwrap());
    });
    let _driver = secrets.driver();
    let refused = safe.outbox().offer(vec![("a".into(), named(&[("b", CANARY)]))]).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("unhappy with ***") && !text.contains(CANARY), "{text}");
}
