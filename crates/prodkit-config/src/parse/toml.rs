//! TOML 1.1 to a tree.

use super::{Budget, Problem};
use crate::node::{Entry, Kind, Map, Node};
use crate::scalar::Form;
use crate::source::{File, Origin, Place};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn parse(file: &Arc<File>) -> Result<Node, Problem> {
    let table = DeTable::parse(&file.text).map_err(|error| {
        // Further lines of the message repeat the text of the file.
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        Problem::new(error.span().unwrap_or(0..0), message)
    })?;
    Walk { file, budget: Budget::default() }.table(table.get_ref(), 0..0, 1)
}

struct Walk<'a> {
    file: &'a Arc<File>,
    budget: Budget,
}

impl Walk<'_> {
    fn value(&self, value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Problem> {
        let at = value.span();
        let scalar = |text: &str, form| {
            Ok(Node::scalar(self.file.part(at.clone(), text), form, self.origin(at.clone())))
        };
        match value.get_ref() {
            DeValue::Table(table) => return self.table(table, at, depth),
            DeValue::Array(items) => {
                self.budget.spend(1, &at)?;
                Budget::depth(depth, &at)?;
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item, depth + 1)).collect();
                return Ok(Node { kind: Kind::Seq(items?), origin: self.origin(at.start..at.start) });
            }
            _ => self.budget.spend(1, &at)?,
        }
        match value.get_ref() {
            DeValue::String(text) => scalar(text, Form::Text),
            DeValue::Integer(number) => scalar(&number.to_string(), Form::Int),
            DeValue::Float(number) => scalar(&float(number.as_str()), Form::Float),
            DeValue::Boolean(value) => scalar(if *value { "true" } else { "false" }, Form::Bool),
            DeValue::Datetime(time) => scalar(&time.to_string(), Form::Text),
            DeValue::Array(_) | DeValue::Table(_) => Err(Problem::new(at, "expected a value")),
        }
    }

    fn table(&self, table: &DeTable<'_>, at: Range<usize>, depth: usize) -> Result<Node, Problem> {
        self.budget.spend(1, &at)?;
        Budget::depth(depth, &at)?;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = Map::default();
        for (key, value) in entries {
            let node = self.value(value, depth + 1)?;
            let entry = Entry::new(self.file.part(key.span(), key.get_ref()), self.origin(key.span()), node);
            // The parser has refused duplicates, naming the place.
            let _ = map.insert(entry);
        }
        Ok(Node { kind: Kind::Map(map), origin: self.origin(at.start..at.start) })
    }

    fn origin(&self, at: Range<usize>) -> Origin {
        Origin(Place::Span(self.file.span(at)))
    }
}

/// TOML writes `inf` and `nan` where the tree has YAML's `.inf` and `.nan`.
fn float(text: &str) -> String {
    match text {
        "inf" | "+inf" => ".inf".into(),
        "-inf" => "-.inf".into(),
        "nan" | "+nan" | "-nan" => ".nan".into(),
        number => number.into(),
    }
}
