//! JSON values as people write YAML, so that every reader of YAML 1.1 and 1.2 finds the same value.

use std::net::IpAddr;

use serde_json::Value;

/// `name: value`, over several lines where there is much to say.
pub(super) fn entry(name: &str, value: &Value) -> Vec<String> {
    let name = self::name(name);
    match one_line(value) {
        Some(value) => vec![format!("{name}: {value}")],
        None => std::iter::once(format!("{name}:")).chain(super::indented(block(value))).collect(),
    }
}

/// The name of a key.
pub(super) fn name(name: &str) -> String {
    text(name)
}

/// A value with nothing inside, as it stands behind a key.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        // JSON is YAML.
        other => other.to_string(),
    }
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn one_line(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) if items.iter().all(is_scalar) => {
            let items: Vec<_> = items.iter().map(scalar).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        value => is_scalar(value).then(|| scalar(value)),
    }
}

fn block(value: &Value) -> Vec<String> {
    match value {
        Value::Object(entries) => entries.iter().flat_map(|(name, value)| entry(name, value)).collect(),
        // An element over several lines is written as JSON: there is no nicer way that is also short.
        Value::Array(items) => items.iter().map(|item| format!("- {item}")).collect(),
        scalar => vec![self::scalar(scalar)],
    }
}

/// Without quotes where nobody could take it for anything else.
fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    // Words that are no text in YAML 1.1 or 1.2.
    const TAKEN: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
        // A colon inside a word is text; before a space or at the end it makes a key.
        let inside = |c: char| word(c) || matches!(c, ':' | '=');
        return text.chars().all(inside)
            && !text.ends_with(':')
            && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    }
    // Amounts with a unit (`1m 30s`, `2MiB`), but not `0x1f`.
    let amount = |part: &str| {
        let unit = part.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < part.len() && !unit.is_empty() && unit.chars().all(|c| c.is_ascii_alphabetic())
    };
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    (!hexadecimal && text.split(' ').all(amount))
        || text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quotes_where_a_reader_could_err() {
        for plain in [
            "info",
            "30s",
            "1m 30s",
            "2MiB",
            "0.0.0.0",
            "http/protobuf",
            "orders.db",
            "/var/lib/a",
            "collector:4317",
            "http://localhost:4318",
            "a-b_c",
            "hyper=warn",
        ] {
            assert_eq!(text(plain), plain);
        }
        for quoted in [
            "",
            "no",
            "On",
            "TRUE",
            "null",
            "~",
            "1.10",
            "010",
            "8080",
            "1e3",
            "0x1f",
            "0xff",
            "0b1",
            "1_000",
            "12:30:45",
            "2025-10-17",
            ".5",
            "-1",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "- a",
            "[a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "::",
            "::1",
            "é\n",
            "a\\b",
            "a b",
            "a,b",
            "\"",
            "'",
            " a",
            "a ",
            "{}",
            "<<",
            "=",
            "?",
            "a\tb",
        ] {
            assert_eq!(text(quoted), Value::from(quoted).to_string());
        }
    }

    #[test]
    fn values() {
        for (value, expected) in [
            (json!(8080), "key: 8080"),
            (json!(0.1), "key: 0.1"),
            (json!(true), "key: true"),
            (json!([]), "key: []"),
            (json!({}), "key: {}"),
            (json!(["a", "no", 1]), "key: [a, \"no\", 1]"),
            (json!({"a": 1, "b": {"c": "30s"}}), "key:\n  a: 1\n  b:\n    c: 30s"),
            (json!([{"a": 1}]), "key:\n  - {\"a\":1}"),
        ] {
            assert_eq!(entry("key", &value).join("\n"), expected);
        }
        assert_eq!(entry("8080", &json!(1)), ["\"8080\": 1"]);
    }
}
