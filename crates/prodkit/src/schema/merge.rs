//! Two types read from one file: a section that both declare takes the keys of both.

use serde_json::{Value, json};

use super::Object;

/// Adds what `other` declares. What only one can say, such as a title, `base` says.
pub(super) fn into(base: &mut Object, other: Object) {
    for (keyword, theirs) in other {
        match (keyword.as_str(), base.get_mut(&keyword)) {
            (_, None) => drop(base.insert(keyword, theirs)),
            ("properties", Some(Value::Object(ours))) => properties(ours, theirs),
            ("required", Some(Value::Array(ours))) => {
                let Value::Array(theirs) = theirs else { continue };
                let new: Vec<_> = theirs.into_iter().filter(|name| !ours.contains(name)).collect();
                ours.extend(new);
            }
            ("default", Some(Value::Object(ours))) => {
                let Value::Object(theirs) = theirs else { continue };
                for (name, value) in theirs {
                    ours.entry(name).or_insert(value);
                }
            }
            _ => {}
        }
    }
}

fn properties(ours: &mut Object, theirs: Value) {
    let Value::Object(theirs) = theirs else { return };
    for (name, theirs) in theirs {
        match (ours.get_mut(&name), theirs) {
            (None, theirs) => drop(ours.insert(name, theirs)),
            (Some(Value::Object(section)), Value::Object(theirs))
                if section.contains_key("properties") && theirs.contains_key("properties") =>
            {
                into(section, theirs);
            }
            // One value that has to suit both.
            (Some(ours), theirs) => *ours = json!({ "allOf": [ours.take(), theirs] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(mut base: Value, other: &Value) -> Value {
        into(base.as_object_mut().unwrap(), other.as_object().unwrap().clone());
        base
    }

    #[test]
    fn a_section_of_both_has_the_keys_of_both() {
        let ours = json!({
            "description": "ours", "type": "object", "default": {"port": 1},
            "properties": {"port": {"type": "integer"}}, "required": ["port"],
        });
        let theirs = json!({
            "description": "theirs", "type": "object", "default": {"name": "a", "port": 2},
            "properties": {"name": {"type": "string"}, "port": {"minimum": 1}}, "required": ["name", "port"],
        });
        let both = json!({
            "description": "ours", "type": "object", "default": {"port": 1, "name": "a"},
            "properties": {
                "port": {"allOf": [{"type": "integer"}, {"minimum": 1}]},
                "name": {"type": "string"},
            },
            "required": ["port", "name"],
        });
        assert_eq!(merged(ours.clone(), &theirs), both);
        let file = |section: &Value| json!({"properties": {"server": section}});
        assert_eq!(merged(file(&ours), &file(&theirs)), file(&both));
    }
}
