//! Defaults where they are read: at the key they are the default of, and as the file would say them.
//!
//! serde's derive writes a `Duration` as a map of two numbers and a section's default as one value. The loader reads
//! `30s`, and a person looks for the default of a key beside the key.

use std::time::Duration;

use prodkit_config::duration;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::{Object, children};

/// Rewrites the schema and all below.
pub(super) fn settle(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    for keyword in ["default", "examples"] {
        if let Some(mut value) = object.remove(keyword) {
            written(object, keyword == "examples", &mut value);
            object.insert(keyword.to_owned(), value);
        }
    }
    if is_duration(object) {
        as_text(object);
    }
    push_down(object);
    children(object).for_each(|(_, child)| settle(child));
}

/// What schemars says of `std::time::Duration`. The loader takes two such fields for a duration, too.
fn is_duration(schema: &Object) -> bool {
    let named = |keyword: &str, names: [&str; 2]| match schema.get(keyword) {
        Some(Value::Object(found)) => found.keys().eq(names),
        Some(Value::Array(found)) => found.iter().filter_map(Value::as_str).eq(names),
        _ => false,
    };
    named("properties", ["secs", "nanos"]) && named("required", ["secs", "nanos"])
}

fn as_text(schema: &mut Object) {
    let nullable =
        schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&json!("null")));
    for gone in ["type", "properties", "required"] {
        // Keeps the order of what stays.
        schema.shift_remove(gone);
    }
    let Value::Object(text) = duration::schema(&mut SchemaGenerator::default()).to_value() else { return };
    for (keyword, value) in text {
        schema.entry(keyword).or_insert(value);
    }
    if nullable && let Some(Value::Array(types)) = schema.get_mut("type") {
        types.push("null".into());
    }
}

/// Whether a schema that lists several types lists this one.
fn may_be(schema: &Object, name: &str) -> bool {
    let types = schema.get("type").and_then(Value::as_array);
    types.is_some_and(|types| types.iter().any(|found| found == name))
}

/// A value as the loader would read it. `several` is for a list of values.
fn written(schema: &Object, several: bool, value: &mut Value) {
    match value {
        Value::Array(values) if several => values.iter_mut().for_each(|value| written(schema, false, value)),
        Value::Object(parts) if is_duration(schema) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_u64);
            if let (Some(secs), Some(nanos)) = (part("secs"), part("nanos")) {
                let nanos = u32::try_from(nanos).unwrap_or_default();
                let text = duration::serialize(&Duration::new(secs, nanos), serde_json::value::Serializer);
                *value = text.unwrap_or_default();
            }
        }
        Value::Object(parts) => {
            for (name, part) in parts {
                let named = schema.get("properties").and_then(|properties| properties.get(name));
                if let Some(Value::Object(schema)) = named.or_else(|| schema.get("additionalProperties")) {
                    written(schema, false, part);
                }
            }
        }
        Value::Array(items) => {
            if let Some(Value::Object(schema)) = schema.get("items") {
                items.iter_mut().for_each(|item| written(schema, false, item));
            }
        }
        // A size without a unit.
        Value::String(text) if may_be(schema, "integer") => {
            if let Ok(number) = text.parse::<u64>() {
                *value = number.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The default of a section becomes the defaults of its keys, and the section itself is empty by default.
///
/// The outer one wins, as it does where the section is not in the file at all.
fn push_down(schema: &mut Object) {
    let Some(Value::Object(default)) = schema.get("default").cloned() else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let all = default.keys().all(|name| properties.contains_key(name));
    for (name, value) in default {
        if let Some(Value::Object(property)) = properties.get_mut(&name) {
            property.insert("default".to_owned(), value);
        }
    }
    // Where a key is required, an empty section is not what a missing one means.
    if all && !schema.contains_key("required") {
        schema.insert("default".to_owned(), json!({}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;

    fn settled(mut schema: Value) -> Value {
        settle(&mut schema);
        schema
    }

    #[test]
    fn durations_are_text_wherever_they_are() {
        let raw = <Duration as JsonSchema>::json_schema(&mut SchemaGenerator::default()).to_value();
        let text = duration::schema(&mut SchemaGenerator::default()).to_value();
        assert_eq!(settled(raw.clone()), text);

        let parts = json!({"secs": 90, "nanos": 0});
        let mut with_default = raw.clone();
        with_default["default"] = parts.clone();
        assert_eq!(settled(with_default)["default"], "1m 30s");

        for (schema, default, expected) in [
            (json!({"items": raw}), json!([parts]), json!(["1m 30s"])),
            (json!({"additionalProperties": raw}), json!({"a": parts}), json!({"a": "1m 30s"})),
            (json!({"additionalProperties": {}}), json!({"a": parts}), json!({"a": parts})),
        ] {
            let mut schema = schema;
            schema["default"] = default;
            assert_eq!(settled(schema)["default"], expected);
        }

        let inline = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let optional = inline.into_generator().subschema_for::<Option<Duration>>().to_value();
        assert_eq!(settled(optional)["type"], json!(["string", "integer", "null"]));
    }

    #[test]
    fn the_default_of_a_section_is_told_at_its_keys_and_wins() {
        let inner = json!({"properties": {"b": {"default": 1}, "c": {"default": 2}}});
        let mut outer = json!({"properties": {"a": inner}, "default": {"a": {"b": 3}}});
        outer = settled(outer);
        assert_eq!(outer["default"], json!({}));
        assert_eq!(
            outer["properties"]["a"],
            json!({"properties": {"b": {"default": 3}, "c": {"default": 2}}, "default": {}})
        );

        let required = json!({"properties": {"a": {}}, "required": ["a"], "default": {"a": 1}});
        assert_eq!(settled(required)["default"], json!({"a": 1}));
    }
}
