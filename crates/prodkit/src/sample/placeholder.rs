//! A value where there is no default: an example the author gave, or the plainest value of the type.

use serde_json::{Value, json};

use crate::schema::Object;

/// How deep a required value may nest before it is cut short: a type that requires itself has no value at all.
const DEPTH: usize = 16;

/// A value that the schema allows, as far as can be told without solving it.
pub(super) fn of(schema: &Object, definitions: Option<&Object>) -> Value {
    at(schema, definitions, DEPTH)
}

fn at(schema: &Object, definitions: Option<&Object>, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    let below = |schema: &Value| {
        schema.as_object().map_or_else(|| json!(""), |schema| at(schema, definitions, depth))
    };
    let first =
        |keyword: &str| schema.get(keyword).and_then(Value::as_array).and_then(|values| values.first());
    let referred = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    if let Some(given) = schema.get("default").filter(|default| !default.is_null()) {
        return given.clone();
    }
    if let Some(given) = first("examples").or_else(|| schema.get("const")).or_else(|| first("enum")) {
        return given.clone();
    }
    if let Some(definition) = referred.and_then(|name| definitions?.get(name)) {
        return below(definition);
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        let alternatives = schema.get(keyword).and_then(Value::as_array);
        let something = |schema: &&Value| schema.get("type").is_none_or(|found| found != "null");
        if let Some(alternative) = alternatives.and_then(|alternatives| alternatives.iter().find(something)) {
            return below(alternative);
        }
    }
    let number = |keyword: &str| schema.get(keyword).cloned();
    match kind(schema) {
        "boolean" => json!(false),
        "integer" | "number" => number("minimum").or_else(|| number("maximum")).unwrap_or_else(|| json!(0)),
        "array" => {
            let tuple = schema.get("prefixItems").and_then(Value::as_array).into_iter().flatten().map(below);
            let items = schema.get("items").map(below);
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default();
            let least = usize::try_from(least).unwrap_or_default().min(DEPTH);
            tuple.chain(items.into_iter().cycle().take(least)).collect()
        }
        "object" => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let named = required.filter_map(Value::as_str).filter_map(|name| {
                let schema = schema.get("properties")?.get(name)?;
                Some((name.to_owned(), below(schema)))
            });
            Value::Object(named.collect())
        }
        _ => text(schema),
    }
}

/// The first type that is not null.
fn kind(schema: &Object) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.contains_key("properties") => "object",
        _ => "",
    }
}

fn text(schema: &Object) -> Value {
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or_default();
    match schema.get("format").and_then(Value::as_str) {
        Some("ip" | "ipv4") => "127.0.0.1".into(),
        Some("ipv6") => "::1".into(),
        Some("uri" | "uri-reference") => "http://localhost".into(),
        Some("uuid") => "00000000-0000-0000-0000-000000000000".into(),
        _ => "x".repeat(usize::try_from(least).unwrap_or_default().min(WIDEST)).into(),
    }
}

/// Nobody requires a longer text.
const WIDEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_value() {
        let definitions =
            json!({"Loop": {"$ref": "#/$defs/Loop"}, "Port": {"type": "integer", "minimum": 1}});
        for (schema, expected) in [
            (json!({}), json!("")),
            (json!({"type": "string"}), json!("")),
            (json!({"type": "string", "minLength": 2}), json!("xx")),
            (json!({"type": ["string", "null"], "format": "ipv4"}), json!("127.0.0.1")),
            (json!({"type": "integer"}), json!(0)),
            (json!({"type": "integer", "minimum": 1}), json!(1)),
            (json!({"type": "number", "maximum": -1}), json!(-1)),
            (json!({"type": ["null", "boolean"]}), json!(false)),
            (json!({"type": "array", "items": {"type": "integer"}}), json!([])),
            (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!([0, 0])),
            (
                json!({"type": "array", "prefixItems": [{"type": "boolean"}, {}], "minItems": 2}),
                json!([false, ""]),
            ),
            (
                json!({"properties": {"a": {"type": "boolean"}, "b": {}}, "required": ["a"]}),
                json!({"a": false}),
            ),
            (json!({"anyOf": [{"type": "null"}, {"type": "integer"}]}), json!(0)),
            (json!({"oneOf": [{"enum": ["a", "b"]}, {"const": "c"}]}), json!("a")),
            (json!({"examples": ["db.internal"], "type": "string"}), json!("db.internal")),
            (json!({"$ref": "#/$defs/Port"}), json!(1)),
            (json!({"$ref": "#/$defs/Loop"}), json!(null)),
        ] {
            assert_eq!(of(schema.as_object().unwrap(), definitions.as_object()), expected, "{schema}");
        }
    }
}
