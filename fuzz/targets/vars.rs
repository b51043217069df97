//! Variables and flags over a file: a line each, `NAME=value` behind the prefix for a variable, `@name path=value` for
//! a well-known one, `.path=value` for a flag. What was set is what is read, with its source.

#![no_main]

use prodkit_config::{Layers, Tree};
use prodkit_fuzz::{failure, file, inside, said, tidy, value};
use serde_json::Value;
use std::collections::BTreeMap;

const BASE: &str = "name: x\nport: 1\nrelays: [{url: a}]\nlive:\n  rate: 1\nempty:\nserver: {timeout: 1s}\n";
const CANARY: &str = "hunter2";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (mut vars, mut aliases, mut sets) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.split('\n').take(100) {
        if let Some((name, assignment)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
            let (path, value) = assignment.split_once('=').unwrap_or((assignment, ""));
            aliases.push((name, path, value));
        } else if let Some(set) = line.strip_prefix('.') {
            sets.push(set);
        } else if let Some((name, value)) = line.split_once('=') {
            vars.push((format!("APP__{name}"), value));
        }
    }
    let base = file("base.yaml", BASE);
    let layers = || {
        let layers = Layers::new().file(&base).env("APP__", vars.iter().map(|(name, value)| (name, value)));
        let layers =
            aliases.iter().fold(layers, |layers, (name, path, value)| layers.alias(*name, *path, value));
        sets.iter().fold(layers, |layers, set| layers.set(*set))
    };
    let silent = |output: &str| {
        let shown = text.matches(CANARY).count() == text.matches("PASSWORD=hunter2").count()
            && output.contains(CANARY);
        assert!(!shown, "a secret is printed: {output}");
    };
    let (read, again) = (layers().read(), layers().read());
    silent(&format!("{:?}", layers()));
    assert_eq!(said(&read), said(&again), "the second reading says something else");
    silent(&said(&read));
    match read {
        Err(errors) => failure(&errors, BASE),
        Ok(tree) => {
            tidy(&tree.show().to_string());
            sources(&tree, &sets);
            if let Some(errors) = tree.load_one::<prodkit_fuzz::Rich>().err() {
                failure(&errors, BASE);
            }
            let lower = vars.iter().map(|(name, value)| (name["APP__".len()..].to_lowercase(), *value));
            let sorted: BTreeMap<Vec<String>, &str> =
                lower.map(|(name, value)| (name.split("__").map(str::to_owned).collect(), value)).collect();
            let mut expected =
                value(&Layers::new().file(&base).read().expect("well-formed")).expect("small numbers");
            let dots = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
            for (_, path, value) in aliases.iter().filter(|(_, _, value)| !value.is_empty()) {
                put(&mut expected, &dots(path), value);
            }
            sorted.iter().for_each(|(steps, value)| put(&mut expected, steps, value));
            for (path, value) in sets.iter().filter_map(|set| set.split_once('=')) {
                put(&mut expected, &dots(path), value);
            }
            assert_eq!(value(&tree), Some(expected));
        }
    }
});

/// Setting a path, as the documentation says it: sections are made on the way, what was there is replaced.
fn put(at: &mut Value, steps: &[String], text: &str) {
    let Some((name, rest)) = steps.split_first() else {
        *at = text.into();
        return;
    };
    if !at.is_object() {
        *at = Value::Object(serde_json::Map::new());
    }
    put(&mut at[name.as_str()], rest, text);
}

/// Every value is from the file, from a variable, or from the flag that names it.
fn sources(tree: &Tree, sets: &[&str]) {
    for leaf in tree.leaves() {
        let origin = leaf.origin();
        let known = [origin.variable().is_some(), origin.set_index().is_some(), origin.path().is_some()];
        assert_eq!(known.iter().filter(|known| **known).count(), 1, "{leaf}");
        assert!(origin.position().is_none_or(|place| inside(BASE, place)), "{leaf}");
        if let (Some(index), false) = (origin.set_index(), leaf.path().contains('"')) {
            assert_eq!(sets[index].split_once('=').map(|(path, _)| path), Some(leaf.path()), "{leaf}");
        }
    }
}
