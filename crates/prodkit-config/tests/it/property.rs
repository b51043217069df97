//! What holds for all inputs.

use crate::kit::{Dir, read, yaml};
use prodkit_config::{Layers, Tree};
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Trees that agree on what is a map: `m` names are maps, the others are not.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::from)
    ];
    let leaves = prop::collection::btree_map("[a-d]", leaf, 0..4);
    let level = leaves.prop_map(|map| map.into_iter().collect::<Map<_, _>>());
    level
        .prop_recursive(3, 24, 4, |inner| {
            (prop::collection::btree_map("m[a-c]", inner.clone().prop_map(Value::from), 0..3), inner)
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_associative_and_the_right_wins(a in tree(), b in tree(), c in tree()) {
        let dir = Dir::new();
        let all = value(&layered(&dir, &[&a, &b, &c]));
        prop_assert_eq!(&all, &merged(&merged(&a, &b), &c));
        let right = value(&layered(&dir, &[&b, &c]));
        prop_assert_eq!(&all, &value(&layered(&dir, &[&a, &right])));
        prop_assert_eq!(value(&layered(&dir, &[&a, &a])), a);
    }

    #[test]
    fn every_value_is_from_its_last_writer(a in tree(), b in tree(), c in tree()) {
        let dir = Dir::new();
        let alone: Vec<BTreeMap<String, String>> = [&a, &b, &c]
            .map(|value| {
                let tree = layered(&Dir::new(), &[value]);
                tree.leaves().map(|leaf| (leaf.path().to_owned(), leaf.shown().to_owned())).collect()
            })
            .into();
        let tree = layered(&dir, &[&a, &b, &c]);
        for leaf in tree.leaves().filter(|leaf| leaf.shown() != "{}") {
            let last = |path: &str| alone.iter().rposition(|leaves| leaves.keys().any(|key| list(key) == list(path)));
            let file = leaf.origin().path().unwrap().file_stem().unwrap().to_str().unwrap().to_owned();
            prop_assert_eq!(Some(file.parse().unwrap()), last(leaf.path()), "{}", leaf);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in ["c.yaml", "c.toml", "c.json"] {
            let _ = read(name, &bytes).map(|tree| (tree.show().to_string(), tree.hash(), value_or_error(&tree)));
        }
    }

    #[test]
    fn text_that_is_nearly_right_never_panics(
        text in "([ \\t\\r\\n]|[a-c]|: |- |[\\[\\]{},&*!|>'\"#%@`?=.0-9]|---|<<|é|🚀|password|~|null|\\\\u){0,60}"
    ) {
        for name in ["c.yaml", "c.toml", "c.json"] {
            let _ = read(name, &text).map(|tree| (tree.show().to_string(), tree.hash(), value_or_error(&tree)));
        }
    }

    #[test]
    fn variables_and_flags_never_panic(name in "[A-Za-z_]{0,12}", text in any::<String>(), set in any::<String>()) {
        let layers = Layers::new().env("APP__", [(format!("APP__{name}"), text)]).set(set);
        let _ = layers.read().map(|tree| (tree.show().to_string(), value_or_error(&tree)));
    }

    #[test]
    fn json_reads_the_same_as_yaml(value in tree()) {
        let text = value.to_string();
        prop_assert!(read("c.json", &text).unwrap() == yaml(&text));
    }
}

/// The path of the list that holds a value: lists have one writer.
fn list(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// Against the type most prone to errors, so that every excerpt is drawn.
fn value_or_error(tree: &Tree) -> String {
    let text =
        tree.load_one::<BTreeMap<String, u8>>().map_or_else(|errors| errors.to_string(), |_| String::new());
    let value =
        tree.load_one::<Value>().map_or_else(|errors| errors.to_string(), |loaded| loaded.config.to_string());
    text + &value
}
