//! A TOML file, and the same text to the `toml` crate's own table: what both accept says the same.

#![no_main]

use serde_json::Value;

libfuzzer_sys::fuzz_target!(|text: &str| {
    prodkit_fuzz::document("config.toml", text);
    let (Ok(tree), Ok(table)) = (prodkit_fuzz::read("config.toml", text), text.parse::<toml::Table>()) else {
        return;
    };
    if let Some(value) = prodkit_fuzz::value(&tree) {
        assert_eq!(value, json(&toml::Value::Table(table)), "{text}");
    }
});

/// As the tree has it: dates are text, and JSON has no infinity.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
