//! The same JSON to us, to serde_json, and to our own reader of YAML: what two of them accept, they read alike.

#![no_main]

use prodkit_fuzz::{read, typed, value};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What both deserializers read by the same rules: no structs from lists, no enums, no durations.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default)]
struct Plain {
    a: u8,
    b: Option<String>,
    c: Vec<i64>,
    d: f64,
    e: BTreeMap<String, bool>,
    f: (Option<char>, f32),
    g: i128,
}

impl Default for Plain {
    fn default() -> Self {
        Self { a: 1, b: None, c: vec![2], d: 0.5, e: BTreeMap::new(), f: (None, 0.0), g: -1 }
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let tree = read("config.json", text);
    let theirs = serde_json::from_str::<Value>(text.strip_prefix('\u{feff}').unwrap_or(text));
    let Ok(tree) = tree else {
        if let Ok(value) = &theirs {
            refused_for_a_reason(value, text);
        }
        return;
    };
    if let (Some(ours), Ok(theirs)) = (value(&tree), &theirs) {
        assert!(same(&ours, theirs), "{text}\n{ours}\n{theirs}");
    }
    let plain = serde_json::from_str::<Plain>(text.strip_prefix('\u{feff}').unwrap_or(text));
    match (typed::<Plain>(&tree), plain) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
        // serde_json reads a struct from a map with keys it does not know.
        (Err(errors), Ok(_)) => {
            assert!(
                errors.iter().all(|error| error.message().starts_with("unknown key")),
                "{errors}\n{text}"
            );
        }
        // `-0` is a float to serde_json, and a whole number here.
        (Ok(_), Err(error)) if error.to_string().contains("floating point `-0.0`") => {}
        (Ok(ours), Err(error)) => panic!("only ours: {ours:?}: {error}\n{text}"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(yaml) = read("config.yaml", text) {
        assert!(yaml == tree && yaml.hash() == tree.hash(), "YAML reads JSON in another way: {text}");
    }
    if let Ok(theirs) = theirs {
        let (mut forth, mut back) = (String::new(), String::new());
        write(&theirs, false, &mut forth);
        write(&theirs, true, &mut back);
        let (forth, back) = (read("forth.json", &forth), read("back.json", &back));
        let (forth, back) = (forth.expect("written just now"), back.expect("written just now"));
        assert!(forth == back && forth.hash() == back.hash(), "the order of keys matters: {text}");
    }
});

/// serde_json reads numbers that are too large for 64 bits as floats, and `-0` too.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours == theirs || ours.as_f64() == theirs.as_f64(),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| ours.0 == theirs.0 && same(ours.1, theirs.1))
        }
        _ => ours == theirs,
    }
}

/// What JSON may say and a configuration may not: no map at the top, two keys of one name, too much of anything.
fn refused_for_a_reason(theirs: &Value, text: &str) {
    let errors = read("config.json", text).expect_err("refused before").to_string();
    let reasons = ["the top level must be a map", "duplicate key", "too deep", "too large"];
    assert!(reasons.iter().any(|reason| errors.contains(reason)), "{theirs}: {errors}");
}

/// The value, with the keys of every map in one order or the other.
fn write(value: &Value, back: bool, into: &mut String) {
    let Value::Object(map) = value else {
        let Value::Array(items) = value else {
            let _ = write!(into, "{value}");
            return;
        };
        into.push('[');
        for (i, item) in items.iter().enumerate() {
            into.push_str(if i > 0 { "," } else { "" });
            write(item, back, into);
        }
        into.push(']');
        return;
    };
    let mut entries: Vec<_> = map.iter().collect();
    if back {
        entries.reverse();
    }
    into.push('{');
    for (i, (key, value)) in entries.into_iter().enumerate() {
        let _ = write!(into, "{}{}:", if i > 0 { "," } else { "" }, Value::from(key.as_str()));
        write(value, back, into);
    }
    into.push('}');
}
