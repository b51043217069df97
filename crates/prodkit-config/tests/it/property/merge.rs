//! Files over one another, whatever is in them.

use crate::kit::{Dir, read, yaml};
use prodkit_config::{Layers, Tree};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Trees that agree on what is a map: `m` names are maps, the others are not.
pub(super) fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::from)
    ];
    maps("[a-d]", "m[a-c]", leaf)
}

/// Trees that agree on nothing: a name may be a map here and a list there.
fn wild() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
        Just(json!([{"a": 1}, null])),
        any::<u8>().prop_map(Value::from),
    ];
    maps("[a-c]", "[a-c]", leaf)
}

fn maps(
    leaves: &'static str,
    sections: &'static str,
    leaf: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Value> {
    let level = prop::collection::btree_map(leaves, leaf, 0..4)
        .prop_map(|map| map.into_iter().collect::<Map<_, _>>());
    level
        .prop_recursive(3, 24, 4, move |inner| {
            (prop::collection::btree_map(sections, inner.clone().prop_map(Value::from), 0..3), inner)
                .prop_map(|(maps, mut leaves)| {
                    leaves.extend(maps);
                    leaves
                })
        })
        .prop_map(Value::from)
}

/// Merging, as the documentation says it.
fn merged(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let mut all = under.clone();
            for (name, value) in over {
                let value = under.get(name).map_or_else(|| value.clone(), |under| merged(under, value));
                all.insert(name.clone(), value);
            }
            all.into()
        }
        _ => over.clone(),
    }
}

fn layered(dir: &Dir, layers: &[&Value]) -> Tree {
    let files =
        layers.iter().enumerate().map(|(i, value)| dir.write(&format!("{i}.json"), value.to_string()));
    files.fold(Layers::new(), Layers::file).read().unwrap()
}

fn value(tree: &Tree) -> Value {
    tree.load_one::<Value>().unwrap().config
}

/// Every value that is not a section with something in it, by its JSON pointer. Lists are whole.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    gather(value, String::new(), &mut found);
    found
}

fn gather(value: &Value, path: String, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(name, value)| gather(value, format!("{path}/{name}"), into));
        }
        leaf => drop(into.insert(path, leaf.clone())),
    }
}

/// The pointers of all sections below the top, and of all lists that are in no other.
fn sections(value: &Value, path: &str, into: &mut Vec<String>) {
    let holds = |value: &Value| value.is_object() || value.is_array();
    for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| holds(value)) {
        let path = format!("{path}/{name}");
        into.push(path.clone());
        sections(value, &path, into);
    }
}

/// A file that says one thing at one pointer, in YAML, where nothing can be written behind a key.
fn only(pointer: &str, says: &str) -> String {
    let names = pointer.split('/').skip(1).enumerate();
    let lines: Vec<String> = names.map(|(depth, name)| format!("{}{name}:", "  ".repeat(depth))).collect();
    format!("{}{says}\n", lines.join("\n"))
}

/// The same, with the keys of every map in another order.
fn turned(value: &Value, by: usize) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(k, v)| format!("{k:?}: {}", turned(v, by + 1))).collect();
            let length = entries.len().max(1);
            entries.rotate_left(by % length);
            if by.is_multiple_of(2) {
                entries.reverse();
            }
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| turned(item, by)).collect();
            format!("[{}]", items.join(", "))
        }
        leaf => leaf.to_string(),
    }
}

/// Where each value was written, by path.
fn origins(tree: &Tree) -> BTreeMap<String, String> {
    tree.leaves().map(|leaf| (leaf.path().to_owned(), leaf.origin().to_string())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn is_associative_where_layers_agree_on_what_is_a_section(a in tree(), b in tree(), c in tree()) {
        let dir = Dir::new();
        let all = value(&layered(&dir, &[&a, &b, &c]));
        let right = value(&layered(&dir, &[&b, &c]));
        prop_assert_eq!(&all, &value(&layered(&dir, &[&a, &right])));
    }

    #[test]
    fn is_what_the_documentation_says(a in wild(), b in wild(), c in wild()) {
        prop_assert_eq!(value(&layered(&Dir::new(), &[&a, &b, &c])), merged(&merged(&a, &b), &c));
    }

    #[test]
    fn an_empty_file_changes_nothing(a in wild(), empty in prop_oneof![
        Just(("e.yaml", "")), Just(("e.yaml", "# only a comment\n")), Just(("e.json", "{}")), Just(("e.toml", ""))
    ]) {
        let dir = Dir::new();
        let (file, empty) = (dir.write("a.json", a.to_string()), dir.write(empty.0, empty.1));
        let alone = Layers::new().file(&file).read().unwrap();
        for layers in [[&file, &empty], [&empty, &file], [&file, &file]] {
            let tree = layers.into_iter().fold(Layers::new(), Layers::file).read().unwrap();
            prop_assert!(tree == alone && tree.hash() == alone.hash());
            prop_assert_eq!(origins(&tree), origins(&alone));
        }
    }

    #[test]
    fn the_later_value_wins_and_the_others_stay(a in tree(), b in tree()) {
        let (both, over) = (leaves(&value(&layered(&Dir::new(), &[&a, &b]))), leaves(&b));
        let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        for (path, value) in over.iter().filter(|(_, value)| !empty(value)) {
            prop_assert_eq!(both.get(path), Some(value), "{}", path);
        }
        for (path, value) in leaves(&a).iter().filter(|(path, value)| !over.contains_key(*path) && !empty(value)) {
            prop_assert_eq!(both.get(path), Some(value), "{}", path);
        }
    }

    #[test]
    fn a_list_is_replaced_whole(under in prop::collection::vec(wild(), 0..4), over in prop::collection::vec(wild(), 0..4)) {
        let tree = layered(&Dir::new(), &[&json!({"m": {"a": under}}), &json!({"m": {"a": over.clone()}})]);
        prop_assert_eq!(value(&tree), json!({"m": {"a": over}}));
        prop_assert!(tree.leaves().all(|leaf| leaf.origin().path().unwrap().ends_with("1.json")));
    }

    #[test]
    fn null_removes_a_section_or_list_and_nothing_does_not(a in tree(), pick in any::<prop::sample::Index>()) {
        let mut all = Vec::new();
        sections(&a, "", &mut all);
        prop_assume!(!all.is_empty());
        let section = pick.get(&all);
        let dir = Dir::new();
        let file = dir.write("a.json", a.to_string());
        let alone = Layers::new().file(&file).read().unwrap();
        let with = |name: &str, says: &str| {
            Layers::new().file(&file).file(dir.write(name, only(section, says))).read().unwrap()
        };

        let mut expected = a.clone();
        *expected.pointer_mut(section).unwrap() = Value::Null;
        prop_assert_eq!(value(&with("null.yaml", " null")), expected);

        let emptied = with("empty.yaml", "");
        prop_assert!(emptied == alone && emptied.hash() == alone.hash());
        prop_assert_eq!(origins(&emptied), origins(&alone));
    }

    #[test]
    fn every_value_is_from_its_last_writer(a in tree(), b in tree(), c in tree()) {
        let alone = [&a, &b, &c].map(leaves);
        let tree = layered(&Dir::new(), &[&a, &b, &c]);
        let mut seen = 0;
        for leaf in tree.leaves().filter(|leaf| leaf.shown() != "{}") {
            let pointer = format!("/{}", leaf.path().split('[').next().unwrap().replace('.', "/"));
            let last = alone.iter().rposition(|leaves| leaves.contains_key(&pointer)).unwrap();
            let file = leaf.origin().path().unwrap();
            prop_assert!(file.ends_with(format!("{last}.json")), "{}", leaf);
            seen += 1;
        }
        let written: usize = leaves(&value(&tree)).values().map(|leaf| match leaf {
            Value::Array(items) => items.len().max(1),
            Value::Object(_) => 0,
            _ => 1,
        }).sum();
        prop_assert_eq!(seen, written);
    }

    #[test]
    fn the_order_of_keys_says_nothing(a in wild(), by in 1usize..9) {
        let (tree, other) = (read("a.json", a.to_string()).unwrap(), read("b.json", turned(&a, by)).unwrap());
        prop_assert!(tree == other);
        prop_assert_eq!(tree.hash(), other.hash());
        let other = yaml(&turned(&a, by));
        prop_assert!(tree == other);
        prop_assert_eq!(tree.hash(), other.hash());
    }

    #[test]
    fn another_value_is_another_tree(a in wild(), pick in any::<prop::sample::Index>()) {
        let all: Vec<String> = leaves(&a).into_keys().filter(|path| !path.is_empty()).collect();
        prop_assume!(!all.is_empty());
        let mut b = a.clone();
        match b.pointer_mut(pick.get(&all).as_str()).unwrap() {
            Value::Array(items) if !items.is_empty() => items[0] = "other".into(),
            leaf => *leaf = "other".into(),
        }
        let (tree, other) = (read("a.json", a.to_string()).unwrap(), read("b.json", b.to_string()).unwrap());
        prop_assert!(tree != other);
        prop_assert_ne!(tree.hash(), other.hash());
    }
}
