//! JSON (RFC 8259) to a tree.
//!
//! serde_json checks the grammar, then the text is walked once more for places, which it does not tell.

use super::{Budget, Problem, duplicate, not_a_map};
use crate::node::{Entry, Kind, Map, Node};
use crate::scalar::Form;
use crate::source::{File, Origin, Place};
use crate::text::Text;
use serde_json::value::RawValue;
use std::ops::Range;
use std::sync::Arc;

pub(super) fn parse(file: &Arc<File>, problems: &mut Vec<Problem>) -> Result<Node, Problem> {
    let _: &RawValue = serde_json::from_str(&file.text).map_err(|error| {
        let at = file.byte_at(error.line(), error.column());
        Problem::new(at..at, message(&error))
    })?;
    let mut walk = Walk { file, text: &file.text, at: 0, budget: Budget::default(), problems };
    let root = walk.value(1)?;
    match root.kind {
        Kind::Map(_) => Ok(root),
        Kind::Scalar { .. } | Kind::Seq(_) => Err(not_a_map(super::range(&root.origin))),
    }
}

/// serde_json's message without its place, which is given in front.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

/// Walks a text that is known to be JSON; what could not be told apart otherwise is never looked at twice.
struct Walk<'a> {
    file: &'a Arc<File>,
    text: &'a str,
    at: usize,
    budget: Budget,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        let first = self.peek();
        let start = self.at;
        let here = start..start + 1;
        self.budget.spend(1, &here)?;
        match first {
            Some(b'{') => {
                Budget::depth(depth, &here)?;
                let map = self.map(depth)?;
                Ok(Node { kind: Kind::Map(map), origin: self.origin(start..start) })
            }
            Some(b'[') => {
                Budget::depth(depth, &here)?;
                let mut items = Vec::new();
                while self.more(b']') {
                    items.push(self.value(depth + 1)?);
                }
                Ok(Node { kind: Kind::Seq(items), origin: self.origin(start..start) })
            }
            Some(b'"') => {
                let (text, at) = self.string()?;
                Ok(Node::scalar(text, Form::Text, self.origin(at)))
            }
            _ => {
                let text = self.word();
                let form = match first {
                    Some(b't' | b'f') => Form::Bool,
                    Some(b'n') => Form::Null,
                    _ if text.contains(['.', 'e', 'E']) => Form::Float,
                    _ => Form::Int,
                };
                Ok(Node::scalar(self.file.part(start..self.at, text), form, self.origin(start..self.at)))
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Map, Problem> {
        let mut map = Map::default();
        while self.more(b'}') {
            let (name, at) = self.string()?;
            self.peek();
            self.at += ":".len();
            let node = self.value(depth + 1)?;
            let entry = Entry::new(name.clone(), self.origin(at.clone()), node);
            if let Err(first) = map.insert(entry) {
                let first = first.key.clone();
                self.problems.push(duplicate(self.file, &name, &first, at));
            }
        }
        Ok(map)
    }

    /// Steps over the opening bracket or a comma to the next element, or over the closing bracket.
    fn more(&mut self, close: u8) -> bool {
        let open = self.peek();
        self.at += 1;
        if open.is_none() || open == Some(close) {
            return false;
        }
        // The bracket may be followed by the one that closes it; a comma never is.
        if self.peek() == Some(close) {
            self.at += 1;
            return false;
        }
        true
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blank.unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }

    fn word(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}');
        let length = rest.bytes().position(end).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn string(&mut self) -> Result<(Text, Range<usize>), Problem> {
        self.peek();
        let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let (mut length, mut escapes) = (0, false);
        while let Some(step) =
            rest.get(length..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\\')))
        {
            length += step;
            if rest.get(length) == Some(&b'"') {
                break;
            }
            (length, escapes) = (length + 2, true);
        }
        let at = self.at..self.at + length + 2;
        self.at = at.end;
        if !escapes {
            return Ok((Text::Part(self.file.span(at.start + 1..at.end - 1)), at));
        }
        // Lone surrogates pass the first reading and are refused here.
        let text: Result<String, _> = serde_json::from_str(self.text.get(at.clone()).unwrap_or_default());
        text.map(|text| (text.into(), at.clone())).map_err(|error| Problem::new(at, message(&error)))
    }

    fn origin(&self, at: Range<usize>) -> Origin {
        Origin(Place::Span(self.file.span(at)))
    }
}
