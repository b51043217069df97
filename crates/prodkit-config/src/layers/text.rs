//! Variables and flags: text that sets one path.

use super::Alias;
use crate::error::Error;
use crate::node::{Entry, Kind, Node};
use crate::parse::DEPTH;
use crate::path::push_key;
use crate::scalar::Form;
use crate::source::{Origin, Place, escaped};
use crate::tree::Tree;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

type Vars = [(OsString, OsString)];

pub(super) fn aliases(aliases: &[Alias], tree: &mut Tree, errors: &mut Vec<Error>) {
    for Alias { variable, path, value } in aliases.iter().filter(|alias| !alias.value.is_empty()) {
        let origin = Origin(Place::Env(Arc::from(variable.as_str())));
        match steps(path.split('.')) {
            Some(steps) => put_text(tree, &steps, value, &origin, errors),
            None => errors.push(Error::new("", origin, format!("`{}` is not a path", escaped(path)))),
        }
    }
}

pub(super) fn env(prefix: Option<&str>, vars: &Vars, tree: &mut Tree, errors: &mut Vec<Error>) {
    let Some(prefix) = prefix else { return };
    // Sorted, because an environment has no order of its own.
    let mut found: BTreeMap<Vec<String>, (&str, &OsStr)> = BTreeMap::new();
    for (name, value) in vars {
        // A name that is not UTF-8 cannot start with the prefix and then name a key.
        let Some((name, rest)) = name.to_str().and_then(|name| Some((name, name.strip_prefix(prefix)?)))
        else {
            continue;
        };
        let origin = || Origin(Place::Env(Arc::from(name)));
        let Some(steps) = steps(rest.split("__").map(str::to_lowercase)) else {
            errors.push(Error::new("", origin(), "names no key: write `__` between two names"));
            continue;
        };
        if let Some((other, _)) = found.insert(steps, (name, value)) {
            errors.push(Error::new("", origin(), format!("sets the same key as {}", escaped(other))));
        }
    }
    for (steps, (name, value)) in &found {
        let origin = Origin(Place::Env(Arc::from(*name)));
        let above = (1..steps.len()).find_map(|n| found.get(steps.get(..n)?));
        if let Some((above, _)) = above {
            errors.push(Error::new(
                "",
                origin,
                format!("contradicts {}, which sets the section to a text", escaped(above)),
            ));
        } else {
            put_text(tree, steps, value, &origin, errors);
        }
    }
}

pub(super) fn sets(sets: &[String], tree: &mut Tree, errors: &mut Vec<Error>) {
    for (index, set) in sets.iter().enumerate() {
        // Without a `=` the whole text may be a value, so it is not repeated.
        let (path, value) = set.split_once('=').map_or(("", None), |(path, value)| (path, Some(value)));
        let origin = Origin(Place::Set { index, path: Arc::from(path) });
        match (steps(path.split('.')), value) {
            (Some(steps), Some(value)) => put_text(tree, &steps, OsStr::new(value), &origin, errors),
            _ => {
                let message = format!("the --set number {} is not of the form `path=value`", index + 1);
                errors.push(Error::new("", Origin::DEFAULT, message));
            }
        }
    }
}

fn steps<T: Into<String>>(names: impl Iterator<Item = T>) -> Option<Vec<String>> {
    let names: Vec<String> = names.map(Into::into).collect();
    (names.len() < DEPTH && names.iter().all(|name| !name.is_empty())).then_some(names)
}

fn put_text(tree: &mut Tree, steps: &[String], value: &OsStr, origin: &Origin, errors: &mut Vec<Error>) {
    match value.to_str() {
        Some(text) => {
            let node = Node::scalar(text, Form::Bare, origin.clone());
            if let Err(error) = put(tree, steps, node, origin) {
                errors.push(error);
            }
        }
        None => errors.push(Error::new(dotted(steps), origin.clone(), "the value is not UTF-8")),
    }
}

/// Walks to the place, making sections on the way, and puts the node there. A section that exists keeps its origin:
/// whoever looks for it looks in the file.
fn put(tree: &mut Tree, steps: &[String], node: Node, origin: &Origin) -> Result<(), Error> {
    let Tree { root, replaced, .. } = tree;
    let mut at = root;
    for (depth, name) in steps.iter().enumerate() {
        if let Kind::Seq(_) = at.kind {
            let list = dotted(steps.get(..depth).unwrap_or_default());
            let message = format!("`{list}` is a list, which is set whole: `a,b,c`, or in a file");
            return Err(Error::new(dotted(steps), origin.clone(), message));
        }
        if !matches!(at.kind, Kind::Map(_)) {
            at.replace(Node::map(origin.clone()), replaced);
        }
        let Kind::Map(map) = &mut at.kind else { return Ok(()) };
        if map.find(name).is_none() {
            let entry = Entry::new(name.as_str(), origin.clone(), Node::map(origin.clone()));
            // Looked for just now.
            let _ = map.insert(entry);
        }
        let Some(entry) = map.find_mut(name) else { return Ok(()) };
        if depth + 1 == steps.len() {
            entry.key = origin.clone();
        }
        at = &mut entry.node;
    }
    at.replace(node, replaced);
    Ok(())
}

fn dotted(steps: &[String]) -> String {
    let mut path = String::new();
    steps.iter().for_each(|step| push_key(&mut path, step));
    path
}

#[cfg(test)]
mod tests {
    use crate::Layers;

    #[test]
    fn names_of_any_kind_are_printed_on_one_line() {
        let tree = Layers::new().env("APP__", [("APP__A\n\u{1b}[2J", "1")]).set("b\r=2").read().unwrap();
        assert_eq!(
            tree.show().to_string(),
            "\"a\\n\\u{1b}[2j\" = 1    # environment variable APP__A\\n\\u{1b}[2J\n\
             \"b\\r\" = 2    # --set b\\r\n"
        );
        for vars in [["APP__A\n", "APP__a\n"], ["APP__A\n", "APP__A\n__B"]] {
            let errors = Layers::new().env("APP__", vars.map(|name| (name, "1"))).read().unwrap_err();
            assert_eq!(errors.to_string().lines().count(), 1, "{errors}");
        }
    }
}
