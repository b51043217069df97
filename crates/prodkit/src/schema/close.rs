//! As strict as the loader: no key that a section does not know, and nothing behind `section:` where that will do.
//!
//! What a type checks in code of its own only `config check` knows. Where serde buffers (`flatten`, tagged enums) the
//! schema is stricter: there the loader cannot see a key nobody knows.

use serde_json::{Value, json};

use super::{Object, Step, children};

/// Closes the root, the definitions it refers to, and all below.
pub(super) fn settle(root: &mut Value, definitions: &mut Object) {
    // A definition that describes a part of a map must not refuse the other keys of it.
    let mut shared = Vec::new();
    referred(root, false, &mut shared);
    definitions.values_mut().for_each(|definition| referred(definition, false, &mut shared));
    close(root, false);
    for (name, definition) in definitions {
        close(definition, shared.contains(name));
    }
}

/// Collects the names of definitions that are referred to as parts.
fn referred(schema: &mut Value, part: bool, names: &mut Vec<String>) {
    let Value::Object(object) = schema else { return };
    let composed = is_composed(object);
    if let Some(Value::String(name)) = object.get("$ref").filter(|_| part || composed) {
        names.extend(name.strip_prefix("#/$defs/").map(str::to_owned));
    }
    children(object).for_each(|(step, child)| referred(child, is_part(step, part, composed), names));
}

/// `part` is a schema for a map that other schemas describe, too.
fn close(schema: &mut Value, part: bool) {
    let Value::Object(object) = schema else { return };
    let composed = is_composed(object);
    children(object).for_each(|(step, child)| close(child, is_part(step, part, composed)));
    if part {
        return;
    }
    if is(object, "object") && !object.contains_key("additionalProperties") {
        // `additionalProperties` sees only the properties beside it, not those of the alternatives.
        let keyword = if composed { "unevaluatedProperties" } else { "additionalProperties" };
        object.entry(keyword).or_insert(false.into());
    }
    let needs = ["required", "minItems", "minProperties"].iter().any(|keyword| object.contains_key(*keyword));
    for container in ["object", "array"] {
        if !needs && object.get("type").is_some_and(|found| found == container) {
            object.insert("type".to_owned(), json!([container, "null"]));
        }
    }
}

fn is_part(step: Step, part: bool, composed: bool) -> bool {
    step == Step::Same && (part || composed)
}

/// Whether other schemas add to what this one says of a map.
fn is_composed(schema: &Object) -> bool {
    let others = |keywords: &[&str]| keywords.iter().any(|keyword| schema.contains_key(*keyword));
    schema.contains_key("allOf") || (is(schema, "object") && others(&["anyOf", "oneOf", "$ref"]))
}

fn is(schema: &Object, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|found| found == name),
        found => found.is_some_and(|found| found == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(mut schema: Value) -> Value {
        settle(&mut schema, &mut Object::new());
        schema
    }

    #[test]
    fn a_section_takes_no_other_key_and_may_be_empty() {
        assert_eq!(
            closed(json!({"type": "object", "properties": {"a": {"type": "string"}}})),
            json!({
                "type": ["object", "null"], "properties": {"a": {"type": "string"}}, "additionalProperties": false,
            })
        );
        let needy = json!({"type": "object", "properties": {"a": {}}, "required": ["a"]});
        assert_eq!(closed(needy.clone())["type"], "object");
        // A map, and a list.
        let map = json!({"type": "object", "additionalProperties": needy});
        assert_eq!(closed(map)["additionalProperties"]["additionalProperties"], false);
        assert_eq!(closed(json!({"type": "array", "items": true}))["type"], json!(["array", "null"]));
    }

    #[test]
    fn what_is_put_together_is_closed_around_all_of_it() {
        let variant = json!({"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]});
        let flat = json!({"type": "object", "properties": {"b": {}}, "required": ["b"], "oneOf": [variant]});
        let mut expected = flat.clone();
        expected["unevaluatedProperties"] = false.into();
        assert_eq!(closed(flat), expected);
        // Alone, an alternative closes itself.
        assert_eq!(closed(json!({"oneOf": [variant]}))["oneOf"][0]["additionalProperties"], false);
    }

    #[test]
    fn a_definition_that_is_a_part_somewhere_stays_open() {
        let mut definitions = Object::new();
        for name in ["Part", "Whole"] {
            definitions.insert(name.to_owned(), json!({"type": "object", "properties": {"a": {}}}));
        }
        let refer = |name| json!({"$ref": format!("#/$defs/{name}")});
        let mut root = json!({
            "type": "object",
            "properties": {"whole": refer("Whole"), "both": refer("Part")},
            "allOf": [refer("Part")],
        });
        settle(&mut root, &mut definitions);
        assert_eq!(definitions["Part"].get("additionalProperties"), None);
        assert_eq!(definitions["Whole"]["additionalProperties"], false);
    }
}
