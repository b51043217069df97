//! Planted secrets, which no way out may show.

use crate::{document::said, read, value};
use serde_json::Value;

/// Nothing prints this by chance.
pub(crate) const CANARY: &str = "hunter2";

/// The document with the canary under a secret key in front, behind, and around everything: whatever is wrong with the
/// rest, nothing may repeat it.
pub(crate) fn planted(name: &str, text: &str) {
    if text.contains(CANARY) {
        return written(name, text);
    }
    let (front, behind) = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => (
            text.replacen('{', &format!("{{\"password\":\"{CANARY}\","), 1),
            match text.rsplit_once('}') {
                Some((head, tail)) => format!("{head},\"password\":\"{CANARY}\"}}{tail}"),
                None => return,
            },
        ),
        Some("toml") => (
            format!("password = '{CANARY}'\n{text}"),
            format!("{text}\n[planted]\npassword = \"{CANARY}\"\n"),
        ),
        _ => (format!("password: {CANARY}\n{text}"), format!("{text}\npassword: '{CANARY}'\n")),
    };
    silent(name, &front);
    silent(name, &behind);
}

/// The canary written by the fuzzer itself: when the only one is the value of a secret key, nothing may repeat it.
fn written(name: &str, text: &str) {
    if text.matches(CANARY).count() == 1
        && let Some(value) = read(name, text).ok().as_ref().and_then(value)
        && is_secret(&value, false)
    {
        silent(name, text);
    }
}

fn silent(name: &str, text: &str) {
    let said = said(&read(name, text));
    assert!(!said.contains(CANARY), "a secret is printed\n--- {name}\n{text}\n--- said\n{said}");
}

/// Whether the canary is the value of a secret key, and no key.
fn is_secret(value: &Value, secret: bool) -> bool {
    match value {
        Value::String(text) => secret && text.contains(CANARY),
        Value::Array(items) => items.iter().any(|item| is_secret(item, secret)),
        Value::Object(map) => {
            !map.keys().any(|key| key.contains(CANARY))
                && map.iter().any(|(key, value)| is_secret(value, secret || names_secret(key)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The plainest of the names, without the rules for the rest.
pub(crate) fn names_secret(key: &str) -> bool {
    matches!(key, "password" | "token" | "api_key" | "secret_key")
}
