//! Dotted paths: `server.port`, `relays[0].url`, `hosts."a.b"`.

use crate::node::{Kind, Node};
use std::fmt::Write as _;

/// Adds one step to a dotted path; names that would be misread are quoted.
pub(crate) fn push_key(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= 256 && name.chars().all(plain) {
        path.push_str(name);
    } else {
        let cut: String = name.chars().take(256).collect();
        // Writing to a String does not fail.
        let _ = write!(path, "\"{}\"", cut.escape_debug());
    }
}

pub(crate) fn push_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

/// Whether the first path leads further than the second.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    if above.is_empty() {
        return !path.is_empty();
    }
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The path without its last step; quoted names may hold any character.
pub(crate) fn parent(path: &str) -> Option<&str> {
    let (mut quoted, mut escaped, mut last) = (false, false, 0);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => last = at,
            _ => {}
        }
    }
    if path.is_empty() { None } else { path.get(..last) }
}

/// The node at a path that was written by the functions above.
pub(crate) fn find<'t>(root: &'t Node, path: &str) -> Option<&'t Node> {
    let (mut node, mut rest) = (root, path);
    while !rest.is_empty() {
        (node, rest) = match (&node.kind, rest.strip_prefix('[')) {
            (Kind::Seq(items), Some(index)) => {
                let (index, rest) = index.split_once(']')?;
                (items.get(index.parse::<usize>().ok()?)?, rest)
            }
            (Kind::Map(map), None) => {
                let (name, rest) = name(rest.strip_prefix('.').unwrap_or(rest))?;
                (&map.find(&name)?.node, rest)
            }
            _ => return None,
        };
    }
    Some(node)
}

/// The first name of a path, and what follows. Names that were too long to be written out have no way back.
fn name(path: &str) -> Option<(String, &str)> {
    let Some(quoted) = path.strip_prefix('"') else {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        return Some((path.get(..end)?.to_owned(), path.get(end..)?));
    };
    let (mut name, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((name, quoted.get(at + 1..)?)),
            '\\' => name.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let hex: String =
                        chars.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
                }
                plain => plain,
            }),
            plain => name.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents() {
        for (path, expected) in [
            ("", None),
            ("a", Some("")),
            ("a.b", Some("a")),
            ("a[1]", Some("a")),
            ("a[1].b", Some("a[1]")),
            ("a.\"b.c\"", Some("a")),
            ("a.\"b\\\".c[0]\"", Some("a")),
        ] {
            assert_eq!(parent(path), expected, "{path}");
        }
        assert!(is_below("a[0]", "a") && is_below("a.b", "a") && is_below("a", "") && !is_below("ab", "a"));
        assert!(!is_below("", ""));
    }

    #[test]
    fn what_was_written_is_found() {
        use crate::node::{Entry, Map};
        use crate::scalar::Form;
        use crate::source::Origin;
        let leaf = || Node::scalar("x", Form::Text, Origin::DEFAULT);
        for name in ["plain", "a.b", "q\"[0]\\", "", "\n\u{301}\u{7f}", "größe", "0"] {
            let mut map = Map::default();
            let items = vec![leaf(), leaf()];
            let list = Node { kind: Kind::Seq(items), origin: Origin::DEFAULT };
            assert!(map.insert(Entry::new(name, Origin::DEFAULT, list)).is_ok());
            let root = Node { kind: Kind::Map(map), origin: Origin::DEFAULT };
            let mut path = String::new();
            push_key(&mut path, name);
            assert!(find(&root, &path).is_some_and(Node::is_container), "{path}");
            push_index(&mut path, 1);
            assert!(find(&root, &path).is_some_and(|node| !node.is_container()), "{path}");
            assert!(find(&root, &format!("{path}.x")).is_none() && find(&root, "other").is_none());
        }
        assert!(find(&leaf(), "").is_some());
    }
}
