//! What has to hold for one file, whatever is in it.

use crate::checks::{depth, inside, masked, place_of, tidy};
use crate::secrets;
use crate::types::{App, Map, Rich, Settings};
use crate::{read, value};
use prodkit_config::{Errors, Loaded, Tree};
use serde_json::Value;
use std::fmt::Write as _;

/// The bounds of one file.
const NODES: usize = 100_000;
const DEPTH: usize = 64;
const ERRORS: usize = 50;

/// Reads a file of this name and checks all that holds for any.
pub fn document(name: &str, whole: &str) {
    // What is read of it, and what columns count.
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let first = read(name, whole);
    let again = read(name, whole);
    assert_eq!(said(&first), said(&again), "the second reading says something else");
    match (&first, &again) {
        (Ok(tree), Ok(other)) => {
            assert!(tree == other && tree.hash() == other.hash(), "the second reading is another tree");
            of_tree(name, text, tree);
        }
        (Err(errors), _) => failure(errors, text),
        (Ok(_), Err(_)) => unreachable!("they said the same"),
    }
    secrets::planted(name, whole);
}

fn of_tree(name: &str, text: &str, tree: &Tree) {
    let leaves: Vec<_> = tree.leaves().collect();
    assert!(leaves.len() <= NODES, "{} values", leaves.len());
    for leaf in &leaves {
        masked(leaf);
        place_of(leaf, text, name);
    }
    for errors in [tree.load_one::<Rich>().err(), tree.load_one::<Map>().err()].into_iter().flatten() {
        failure(&errors, text);
    }
    let Some(value) = value(tree) else { return };
    assert!(depth(&value) <= DEPTH, "nested deeper than allowed");
    same_as_json(&value);
}

/// What a file says can be written down and read again, as JSON and as YAML, which JSON is part of.
fn same_as_json(said: &Value) {
    let text = said.to_string();
    if text.len() > 4 << 20 {
        return;
    }
    let json = read("again.json", &text).expect("our own JSON is JSON");
    assert_eq!(value(&json).as_ref(), Some(said), "{text}");
    // Keys of more than 1024 characters are not YAML without a `?` before them.
    if let Ok(yaml) = read("again.yaml", &text) {
        assert!(yaml == json, "YAML reads JSON in another way: {text}");
        assert_eq!(yaml.hash(), json.hash(), "equal trees have equal hashes: {text}");
    }
}

/// What holds for errors of any kind about a file with this text, behind its byte order mark if it has one.
pub fn failure(errors: &Errors, text: &str) {
    let count = errors.iter().count();
    assert!((1..=ERRORS).contains(&count), "{count} errors");
    assert!(errors.omitted() == 0 || count == ERRORS, "omitted without need");
    for error in errors {
        assert!(!error.message().is_empty(), "an error without words");
        assert!(!error.to_string().contains('\n'), "an error of several lines: {error}");
        assert!(error.excerpt().is_none_or(|excerpt| excerpt.lines().count() == 2), "{error:#}");
        if let Some(place) = error.origin().position() {
            assert!(inside(text, place), "{place:?} is not in the file: {error}");
        }
    }
    tidy(&errors.to_string());
}

/// Every way out of a tree, or of the errors in its place, as one text.
pub fn said(read: &Result<Tree, Errors>) -> String {
    let tree = match read {
        Ok(tree) => tree,
        Err(errors) => return format!("{errors}\n{errors:?}\n"),
    };
    let mut said = format!("{}\n{tree:?}\n{:016x}\n", tree.show(), tree.hash());
    tidy(&tree.show().to_string());
    loaded(tree, &mut said, tree.load_one::<Rich>());
    loaded(tree, &mut said, tree.load_one::<Map>());
    loaded(tree, &mut said, tree.load_one::<Value>());
    loaded(tree, &mut said, tree.load::<Settings, App>(&["server", "log", "health"]));
    said
}

fn loaded<S, C>(tree: &Tree, said: &mut String, loaded: Result<Loaded<S, C>, Errors>) {
    // Writing to a String does not fail.
    let _ = match loaded {
        Ok(loaded) => {
            let _ = writeln!(said, "{loaded:?}");
            loaded.warnings.iter().for_each(|warning| tidy(&warning.to_string()));
            writeln!(said, "{}", tree.show().hiding(loaded.secrets))
        }
        Err(errors) => writeln!(said, "{errors}\n{errors:?}"),
    };
}
