//! Single promises, about one text or one value.

use crate::secrets::names_secret;
use prodkit_config::Leaf;
use serde_json::Value;

/// Output goes to terminals and logs: nothing in it moves a cursor.
pub fn tidy(text: &str) {
    let odd = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(odd, None, "a control character is printed: {text:?}");
}

/// Whether a line and column, counted from 1, are in the text or right behind it.
pub fn inside(text: &str, (line, column): (usize, usize)) -> bool {
    let at = text.split('\n').nth(line.wrapping_sub(1));
    at.is_some_and(|line| (1..=line.chars().count() + 1).contains(&column))
}

/// A value written as one plain word is found where it is said to be.
pub fn place_of(leaf: &Leaf<'_>, text: &str, name: &str) {
    let Some((line, column)) = leaf.origin().position() else { return };
    assert!(inside(text, (line, column)), "{leaf} is not in the file");
    // TOML's numbers and dates are printed in their shortest form, and `inf` as YAML has it.
    if name.ends_with(".toml") {
        return;
    }
    let line = text.split('\n').nth(line - 1).unwrap_or_default();
    let written = line.char_indices().nth(column - 1).map_or("", |(at, _)| &line[at..]);
    let word = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let plain = word(leaf.shown()) && leaf.shown().chars().all(|c| c.is_ascii_alphanumeric());
    if plain && word(written) && leaf.shown() != "null" {
        assert!(written.starts_with(leaf.shown()), "{leaf} is elsewhere: {written:?}");
    }
}

/// Nothing below a key that names a secret is shown.
pub(crate) fn masked(leaf: &Leaf<'_>) {
    let secret = !leaf.path().contains('"')
        && leaf.path().split('.').any(|key| names_secret(key.split('[').next().unwrap_or(key)));
    assert!(!secret || matches!(leaf.shown(), "***" | "[]" | "{}"), "{leaf} is shown");
}

pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The path of the list that holds a value: lists have one writer.
pub fn list_of(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}
