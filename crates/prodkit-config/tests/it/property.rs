//! What holds for all inputs.

mod merge;

use crate::kit::{read, yaml};
use prodkit_config::{Layers, Tree};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

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
    fn json_reads_the_same_as_yaml(value in merge::tree()) {
        let text = value.to_string();
        prop_assert!(read("c.json", &text).unwrap() == yaml(&text));
    }
}

/// Against the type most prone to errors, so that every excerpt is drawn.
fn value_or_error(tree: &Tree) -> String {
    let text =
        tree.load_one::<BTreeMap<String, u8>>().map_or_else(|errors| errors.to_string(), |_| String::new());
    let value =
        tree.load_one::<Value>().map_or_else(|errors| errors.to_string(), |loaded| loaded.config.to_string());
    text + &value
}
