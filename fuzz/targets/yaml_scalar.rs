//! One scalar, in YAML, in a flag and in quotes, against the grammar of the YAML 1.2 core schema (section 10.3.2).

#![no_main]

use prodkit_config::{Bytes, Layers, Tree, duration};
use prodkit_fuzz::{read, typed};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

#[derive(Deserialize)]
struct One<T> {
    a: T,
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let text = text.trim_matches([' ', '\t']);
    if text.contains(char::is_control) {
        return;
    }
    if let Ok(tree) = read("config.yaml", &format!("a: {text}\n")) {
        let null = matches!(text, "" | "~" | "null" | "Null" | "NULL");
        if null {
            assert_eq!((one(&tree), one::<String>(&tree)), (Some(Value::Null), None), "{text:?}");
        } else if one::<String>(&tree).as_deref() == Some(text) {
            // Neither quoted nor tagged nor commented: a plain scalar.
            plain(text, &tree);
        }
    }
    if let Ok(tree) = Layers::new().set(format!("a={text}")).read() {
        assert_eq!(one::<String>(&tree).as_deref(), Some(text));
        assert_eq!(one(&tree), Some(Value::from(text)), "without a type a flag is text");
        numbers(text, &tree);
        assert_eq!(one(&tree), text.to_ascii_lowercase().parse::<bool>().ok(), "{text:?} as a `bool`");
        assert_eq!(one(&tree), text.parse::<Bytes>().ok(), "{text:?} as a size");
    }
    quoted(text);
});

fn one<T: DeserializeOwned>(tree: &Tree) -> Option<T> {
    typed::<One<T>>(tree).ok().map(|one| one.a)
}

fn plain(text: &str, tree: &Tree) {
    let value: Option<Value> = one(tree);
    let expected = match kind(text) {
        Kind::Bool => Some(Value::from(text.eq_ignore_ascii_case("true"))),
        Kind::Whole(number) => whole(number),
        Kind::Float(number) => number.is_finite().then(|| Value::from(number)),
        Kind::NotFinite => Some(Value::Null),
        Kind::Text => Some(Value::from(text)),
    };
    assert_eq!(value, expected, "{text:?} without a type");
    let boolean = matches!(kind(text), Kind::Bool).then(|| text.eq_ignore_ascii_case("true"));
    assert_eq!(one::<bool>(tree), boolean, "{text:?} as a `bool`");
    numbers(text, tree);
    // The type of the field decides, wherever the text is written.
    let flag = Layers::new().set(format!("a={text}")).read().expect("a flag");
    assert_eq!(one::<Duration>(tree), one::<Duration>(&flag), "{text:?} as a duration");
}

fn numbers(text: &str, tree: &Tree) {
    // Not YAML's, but TOML's, and taken where a number is asked for.
    if text.starts_with("0b") {
        return;
    }
    let number = match kind(text) {
        Kind::Whole(number) => number,
        _ => None,
    };
    assert_eq!(one::<u64>(tree), number.and_then(|number| number.try_into().ok()), "{text:?} as a `u64`");
    assert_eq!(one::<i8>(tree), number.and_then(|number| number.try_into().ok()), "{text:?} as an `i8`");
    let float = match kind(text) {
        Kind::Whole(Some(number)) => Some(number as f64),
        // Beyond 128 bits; hexadecimal digits are no float then.
        Kind::Whole(None) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        Kind::Float(number) => Some(number).filter(|number| number.is_finite()),
        Kind::NotFinite if text.ends_with(['n', 'N']) => {
            assert!(one::<f64>(tree).is_some_and(f64::is_nan), "{text:?}");
            return;
        }
        Kind::NotFinite => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        Kind::Bool | Kind::Text => None,
    };
    assert_eq!(one::<f64>(tree), float, "{text:?} as an `f64`");
    let duration: Option<Duration> = one(tree);
    assert_eq!(duration, duration::parse(text).ok(), "{text:?} as a duration");
}

/// In quotes it is text, and what is shown can be told apart from every other value.
fn quoted(text: &str) {
    let json = format!("{{\"a\": {}}}", Value::from(text));
    let tree = read("config.json", &json).expect("a text in quotes");
    assert_eq!(one::<String>(&tree).as_deref(), Some(text));
    if let Ok(yaml) = read("quoted.yaml", &json) {
        assert_eq!(one::<String>(&yaml).as_deref(), Some(text), "in YAML");
        assert!(one::<u64>(&yaml).is_none() && one::<bool>(&yaml).is_none(), "{text:?} is text");
    }
    let Some(leaf) = tree.leaves().next() else { panic!("one value") };
    let shown = leaf.shown();
    if shown.contains("***") || text.chars().count() > 200 {
        return;
    }
    match shown.strip_prefix('"') {
        Some(rest) => assert_eq!(rest.strip_suffix('"'), Some(&*text.escape_debug().to_string())),
        None => {
            assert_eq!(shown, text);
            assert!(
                matches!(kind(text), Kind::Text) && !matches!(text, "~" | "null" | "Null" | "NULL"),
                "{text:?}"
            );
        }
    }
}

enum Kind {
    Bool,
    /// `None` beyond 128 bits.
    Whole(Option<i128>),
    Float(f64),
    NotFinite,
    Text,
}

/// The core schema as a matcher of its own, with the one departure: decimals with leading zeros are text.
fn kind(text: &str) -> Kind {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
        return Kind::Bool;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = text.strip_prefix(prefix)
            && !rest.is_empty()
            && rest.chars().all(|c| c.is_digit(radix))
        {
            return Kind::Whole(i128::from_str_radix(rest, radix).ok());
        }
    }
    if digits(unsigned) {
        let zeros = unsigned.len() > 1 && unsigned.starts_with('0');
        return if zeros { Kind::Text } else { Kind::Whole(text.parse().ok()) };
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Kind::NotFinite;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    let parts = (whole.is_empty() || digits(whole)) && (fraction.is_empty() || digits(fraction));
    if exponent && parts && !(whole.is_empty() && fraction.is_empty()) {
        return Kind::Float(text.parse().expect("Rust's floats are a superset"));
    }
    Kind::Text
}

fn whole(number: Option<i128>) -> Option<Value> {
    let number = number?;
    u64::try_from(number).map(Value::from).or_else(|_| i64::try_from(number).map(Value::from)).ok()
}
