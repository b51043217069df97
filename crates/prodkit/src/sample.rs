//! A configuration file to start from: every key with what it means and its default. Made from the schema.

mod placeholder;
mod yaml;

use serde_json::Value;

use crate::schema::{Object, UNDESCRIBED};

/// Where comments are wrapped, not counting how far they are indented.
const WIDTH: usize = 110;

/// The file. It loads, and says nothing but the defaults, and examples for what is required.
pub(crate) fn file(service: &str, schema: &Value) -> String {
    let mut lines = comment(&format!(
        "The configuration of {service}, as `{service} config sample` prints it: every key, with its default.\n\n\
         `#key: value` is a key that is not set, with an example. Later ones win: this file, variables \
         (`APP__SERVER__PORT` is `server.port`), `--set server.port=8081`. `config check` finds mistakes."
    ));
    if schema.get("$comment").is_some_and(|comment| comment == UNDESCRIBED) {
        lines.extend(comment(&format!("\n{UNDESCRIBED}")));
    }
    if let Value::Object(schema) = schema {
        let sample = Sample { definitions: schema.get("$defs").and_then(Value::as_object) };
        for section in sample.keys(schema) {
            lines.push(String::new());
            lines.extend(section);
        }
    }
    lines.iter().fold(String::new(), |file, line| file + line + "\n")
}

/// Blocks of lines, each indented as if it were the file.
struct Sample<'s> {
    definitions: Option<&'s Object>,
}

/// What a key of the sample says.
enum Says<'s> {
    /// What holds without it, or an example for what is required.
    Value(Value),
    /// Nothing: an example, commented out.
    Example(Value),
    /// A section.
    Section { keys: &'s Object, set: bool },
}

impl<'s> Sample<'s> {
    /// The keys of a section, one block for each.
    fn keys(&self, section: &'s Object) -> Vec<Vec<String>> {
        let Some(Value::Object(properties)) = section.get("properties") else { return Vec::new() };
        let required = section.get("required").and_then(Value::as_array);
        let keys = properties.iter().filter_map(|(name, schema)| {
            let needed = required.is_some_and(|names| names.iter().any(|required| required == name));
            Some(self.key(name, schema.as_object()?, needed))
        });
        keys.collect()
    }

    fn key(&self, name: &str, schema: &'s Object, required: bool) -> Vec<String> {
        let mut lines = documentation(schema, required);
        match self.says(schema, required) {
            Says::Value(value) => {
                let empty = value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(Object::is_empty);
                lines.extend(yaml::entry(name, &value));
                if empty {
                    lines.extend(commented(self.element(name, schema)));
                }
            }
            Says::Example(example) => lines.extend(commented(yaml::entry(name, &example))),
            Says::Section { keys, set } => {
                let mut section = vec![format!("{}:", yaml::name(name))];
                section.extend(indented(self.keys(keys).concat()));
                lines.extend(if set { section } else { commented(section) });
            }
        }
        lines
    }

    fn says(&self, schema: &'s Object, required: bool) -> Says<'s> {
        let default = schema.get("default").filter(|default| !default.is_null());
        let set = default.is_some() || required;
        if schema.contains_key("properties") && !schema.contains_key("oneOf") {
            return Says::Section { keys: schema, set };
        }
        let value = default.cloned().unwrap_or_else(|| placeholder::of(schema, self.definitions));
        if set { Says::Value(value) } else { Says::Example(value) }
    }

    /// What one element of a list or map of sections looks like; nothing where that goes without saying.
    fn element(&self, name: &str, schema: &'s Object) -> Vec<String> {
        let of = |keyword: &str| {
            let element = schema.get(keyword).and_then(Value::as_object);
            element
                .filter(|element| element.contains_key("properties"))
                .map(|element| self.keys(element).concat())
        };
        let mut lines = vec![format!("{}:", yaml::name(name))];
        if let Some(keys) = of("items") {
            let dashed = indented(keys).into_iter().enumerate();
            lines.extend(indented(
                dashed.map(|(i, line)| if i == 0 { line.replacen(' ', "-", 1) } else { line }).collect(),
            ));
        } else if let Some(keys) = of("additionalProperties") {
            lines.push("  name:".to_owned());
            lines.extend(indented(indented(keys)));
        } else {
            lines.clear();
        }
        lines
    }
}

/// What the author of the type has written, and what else there is to say in a word.
fn documentation(schema: &Object, required: bool) -> Vec<String> {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str).unwrap_or_default();
    let mut lines: Vec<_> = [text("title"), text("description")].into_iter().flat_map(comment).collect();
    let choices = choices(schema);
    if choices.len() > 1 {
        lines.extend(comment(&format!("One of: {}.", choices.join(", "))));
    }
    if required {
        lines.push("# Required.".to_owned());
    }
    if schema.get("deprecated").is_some_and(|deprecated| deprecated == true) {
        lines.push("# Deprecated.".to_owned());
    }
    lines
}

/// The values of an enum whose variants hold nothing, with what the author says of each.
fn choices(schema: &Object) -> Vec<String> {
    let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
    let mut choices: Vec<_> = list("enum").filter(|choice| !choice.is_null()).map(yaml::scalar).collect();
    for variant in list("oneOf").chain(list("anyOf")).filter_map(Value::as_object) {
        choices.extend(self::choices(variant));
        if let Some(constant) = variant.get("const") {
            let about =
                variant.get("description").and_then(Value::as_str).unwrap_or_default().trim_end_matches('.');
            let about = if about.is_empty() { String::new() } else { format!(" ({about})") };
            choices.push(yaml::scalar(constant) + &about);
        }
    }
    choices
}

/// As comments. Paragraphs are filled anew; a list stays one.
fn comment(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut filling = false;
    for line in text.lines() {
        let mut words = line.split_whitespace().peekable();
        let item = words.peek().is_some_and(|word| matches!(*word, "-" | "*" | "|"));
        if !filling || item || words.peek().is_none() {
            lines.push("#".to_owned());
        }
        filling = words.peek().is_some();
        for word in words {
            match lines.last_mut() {
                Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => lines.push(format!("# {word}")),
            }
        }
    }
    lines
}

fn indented(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

fn commented(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("#{line}")).collect()
}

#[cfg(test)]
mod tests;
