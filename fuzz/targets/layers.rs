//! Files over one another: each begins with a line `%% yaml`, `%% toml` or `%% json`. Merging is what the documentation
//! says, and every value is from the last file that says it.

#![no_main]

use prodkit_config::{Layers, Tree};
use prodkit_fuzz::{file, list_of, read, said, tidy, value};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n').skip_while(|line| !line.starts_with("%% ")) {
        match line.strip_prefix("%% ").map(str::trim_end) {
            Some(extension @ ("yaml" | "toml" | "json")) => {
                files.push((format!("{}.{extension}", files.len()), String::new()));
            }
            Some(_) => {}
            None => files.last_mut().into_iter().for_each(|(_, text)| text.push_str(line)),
        }
    }
    files.truncate(6);
    let mut alone: Vec<(String, Tree)> = Vec::new();
    let mut layers = Layers::new();
    for (name, text) in &files {
        if let Ok(tree) = read(name, text) {
            layers = layers.file(file(name, text));
            alone.push((name.clone(), tree));
        }
    }
    let tree = layers.read().expect("each of them was read");
    assert!(layers.read().is_ok_and(|again| again == tree && again.hash() == tree.hash()));
    tidy(&said(&Ok(tree.clone())));
    sources(&tree, &alone);

    // An empty file below or above says nothing.
    let empty = file("empty.yaml", "");
    assert!(layers.clone().file(&empty).read().is_ok_and(|with| with == tree), "an empty file on top");
    let below =
        alone.iter().fold(Layers::new().file(&empty), |layers, (name, _)| layers.file(beside(&empty, name)));
    assert!(below.read().is_ok_and(|with| with == tree), "an empty file below");
    let twice = alone.last().map_or(layers.clone(), |(name, _)| layers.clone().file(beside(&empty, name)));
    assert!(twice.read().is_ok_and(|with| with == tree), "the last file twice");

    // `section:` with nothing behind it is told apart from `null` in YAML alone, and not in a value without a type.
    let odd = |(name, tree): &(String, Tree)| {
        name.ends_with(".yaml") && tree.leaves().any(|leaf| matches!(leaf.shown(), "null" | "***"))
    };
    if alone.iter().any(odd) {
        return;
    }
    let values: Option<Vec<Value>> = alone.iter().map(|(_, tree)| value(tree)).collect();
    if let (Some(values), Some(ours)) = (values, value(&tree)) {
        let expected =
            values.into_iter().reduce(merged).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        assert_eq!(ours, expected);
    }
});

fn beside(path: &std::path::Path, name: &str) -> std::path::PathBuf {
    path.with_file_name(name)
}

/// Merging, as the documentation says it.
fn merged(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (name, value) in over {
                let value = match under.remove(&name) {
                    Some(under) => merged(under, value),
                    None => value,
                };
                under.insert(name, value);
            }
            under.into()
        }
        (_, over) => over,
    }
}

/// Each value is one of the file it is from, and no later file says anything about it.
fn sources(tree: &Tree, alone: &[(String, Tree)]) {
    for leaf in tree.leaves().filter(|leaf| !leaf.path().contains('"')) {
        let Some(path) = leaf.origin().path().and_then(|path| path.file_name()?.to_str()) else {
            panic!("{leaf} is from nowhere");
        };
        let from = alone.iter().position(|(name, _)| name == path).expect("one of the files");
        let same = |other: &prodkit_config::Leaf<'_>| other.to_string() == leaf.to_string();
        assert!(alone[from].1.leaves().any(|other| same(&other)), "{leaf} is not in its file");
        for (later, tree) in &alone[from + 1..] {
            let over = tree.leaves().find(|over| {
                let nothing = matches!(over.shown(), "null" | "{}" | "***");
                !nothing && (list_of(over.path()) == list_of(leaf.path()) || above(over.path(), leaf.path()))
            });
            assert!(over.is_none(), "{later} has a later word about {leaf}");
        }
    }
}

fn above(over: &str, path: &str) -> bool {
    path.strip_prefix(over).is_some_and(|rest| rest.starts_with(['.', '[']))
}
