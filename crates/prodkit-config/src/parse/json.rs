//! JSON (RFC 8259) to a tree.
//!
//! serde_json checks the grammar and hands out raw slices; their place in the text is where they point.

use super::{Budget, Problem, duplicate, not_a_map};
use crate::node::{Entry, Kind, Map, Node};
use crate::scalar::Form;
use crate::source::{File, Origin, Place};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub(super) fn parse(file: &Arc<File>, problems: &mut Vec<Problem>) -> Result<Node, Problem> {
    let raw: &RawValue = serde_json::from_str(&file.text).map_err(|error| {
        let at = file.byte_at(error.line(), error.column());
        Problem::new(at..at, message(&error))
    })?;
    let mut walk = Walk { file, budget: Budget::default(), problems };
    let root = walk.value(raw, 1)?;
    match root.kind {
        Kind::Map(_) => Ok(root),
        Kind::Scalar { .. } | Kind::Seq(_) => Err(not_a_map(walk.range(raw))),
    }
}

/// serde_json's message without its place, which is given in front.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

struct Walk<'a> {
    file: &'a Arc<File>,
    budget: Budget,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn value(&mut self, raw: &RawValue, depth: usize) -> Result<Node, Problem> {
        let at = self.range(raw);
        self.budget.spend(1, &at)?;
        let text = raw.get();
        let scalar = |text: &str, form| Ok(Node::scalar(text, form, self.origin(at.clone())));
        match text.as_bytes().first() {
            Some(b'{') => {
                Budget::depth(depth, &at)?;
                let entries = self.inner(text, &at, |json, left| json.deserialize_map(Entries(left)))?;
                let mut map = Map::default();
                for (key, value) in entries {
                    let key_at = self.range(key);
                    let name = self.text(key, &key_at)?;
                    let node = self.value(value, depth + 1)?;
                    let entry = Entry { name: Arc::from(&*name), key: self.origin(key_at.clone()), node };
                    if let Err(first) = map.insert(entry) {
                        let first = first.key.clone();
                        self.problems.push(duplicate(self.file, &name, &first, key_at));
                    }
                }
                Ok(Node { kind: Kind::Map(map), origin: self.origin(at.start..at.start) })
            }
            Some(b'[') => {
                Budget::depth(depth, &at)?;
                let items = self.inner(text, &at, |json, left| json.deserialize_seq(Items(left)))?;
                let items: Result<Vec<_>, _> =
                    items.into_iter().map(|item| self.value(item, depth + 1)).collect();
                Ok(Node { kind: Kind::Seq(items?), origin: self.origin(at.start..at.start) })
            }
            Some(b'"') => {
                let text = self.text(raw, &at)?;
                Ok(Node::scalar(text, Form::Text, self.origin(at)))
            }
            Some(b't' | b'f') => scalar(text, Form::Bool),
            Some(b'n') => scalar(text, Form::Null),
            _ if text.contains(['.', 'e', 'E']) => scalar(text, Form::Float),
            _ => scalar(text, Form::Int),
        }
    }

    /// Reads one level of a map or list, at most as many entries as the budget has left.
    fn inner<'t, T>(
        &self,
        text: &'t str,
        at: &Range<usize>,
        read: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::StrRead<'t>>,
            usize,
        ) -> serde_json::Result<T>,
    ) -> Result<T, Problem> {
        let left = super::NODES.saturating_sub(self.budget.nodes.get());
        read(&mut serde_json::Deserializer::from_str(text), left).map_err(|error| {
            let problem = self.budget.spend(super::NODES, at).err();
            problem
                .filter(|_| error.is_data())
                .unwrap_or_else(|| Problem::new(at.start..at.start, message(&error)))
        })
    }

    fn text(&self, raw: &RawValue, at: &Range<usize>) -> Result<String, Problem> {
        // Lone surrogates pass the first reading and are refused here.
        serde_json::from_str(raw.get()).map_err(|error| Problem::new(at.clone(), message(&error)))
    }

    fn range(&self, raw: &RawValue) -> Range<usize> {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.file.text.as_ptr() as usize);
        start..start + raw.get().len()
    }

    fn origin(&self, at: Range<usize>) -> Origin {
        Origin(Place::Span(self.file.span(at)))
    }
}

struct Entries(usize);

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() >= self.0 {
                return Err(A::Error::custom("too many"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct Items(usize);

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            if items.len() >= self.0 {
                return Err(A::Error::custom("too many"));
            }
            items.push(item);
        }
        Ok(items)
    }
}
