//! One file's text to a tree, within bounds.

mod json;
mod toml;
mod yaml;

use crate::error::{Error, Errors};
use crate::node::{Kind, Node};
use crate::secrecy;
use crate::source::{File, Origin, Place, Span, echoes, offset};
use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How deep maps and lists may nest, the top level included.
pub(crate) const DEPTH: usize = 64;
/// How many values one file may hold, after its aliases are expanded.
pub(crate) const NODES: usize = 100_000;

/// How many bytes of text the aliases of one file may repeat.
const TEXT: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Toml,
    Json,
}

pub(crate) const KNOWN: &str = "`.yaml`, `.yml`, `.toml` and `.json`";

impl Format {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Something wrong in the text, by byte range.
#[derive(Debug)]
struct Problem {
    at: Range<usize>,
    message: String,
}

impl Problem {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Counts values and depth down.
#[derive(Default)]
struct Budget {
    nodes: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn spend(&self, nodes: usize, at: &Range<usize>) -> Result<(), Problem> {
        let spent = self.nodes.get().saturating_add(nodes);
        self.nodes.set(spent);
        if spent <= NODES {
            return Ok(());
        }
        Err(Problem::new(at.clone(), format!("too large: a file may hold {NODES} values, aliases expanded")))
    }

    /// A key is part of its value.
    fn refund(&self) {
        self.nodes.set(self.nodes.get().saturating_sub(1));
    }

    /// Texts that aliases repeat. Written once, they would cost what the file costs.
    fn repeat(&self, text: usize, at: &Range<usize>) -> Result<(), Problem> {
        let spent = self.text.get().saturating_add(text);
        self.text.set(spent);
        if spent <= TEXT {
            return Ok(());
        }
        Err(Problem::new(at.clone(), "too large: the aliases of a file may repeat 4 MiB of text"))
    }

    fn depth(depth: usize, at: &Range<usize>) -> Result<(), Problem> {
        if depth <= DEPTH {
            return Ok(());
        }
        Err(Problem::new(at.clone(), format!("too deep: maps and lists may nest {DEPTH} levels")))
    }
}

/// Parses a file. All problems that can be told apart are reported; a tree is returned only without any.
pub(crate) fn parse(file: &Arc<File>, format: Format) -> Result<Node, Vec<Error>> {
    let mut problems = Vec::new();
    let mut aliases = Vec::new();
    let root = match format {
        Format::Yaml => yaml::parse(file, &mut problems, &mut aliases),
        Format::Toml => toml::parse(file),
        Format::Json => json::parse(file, &mut problems),
    };
    let root = match root {
        Ok(root) => Some(root),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match root {
        Some(root) if problems.is_empty() => {
            let mut masks = Vec::new();
            mask(&root, true, false, &mut masks);
            let hidden: HashSet<u32> = masks.iter().map(|mask| mask.start).collect();
            masks.extend(echoes(&aliases, &hidden));
            file.mask(masks, aliases);
            Ok(root)
        }
        _ => Err(errors(file, problems)),
    }
}

/// Each with its excerpt, which costs up to the length of its line: no more of them than are kept.
fn errors(file: &Arc<File>, mut problems: Vec<Problem>) -> Vec<Error> {
    problems.sort_by(|a, b| (a.at.start, &a.message).cmp(&(b.at.start, &b.message)));
    problems.dedup_by(|a, b| (a.at.start, &a.message) == (b.at.start, &b.message));
    let drawn = |(i, Problem { at, message })| {
        let span = file.span(at);
        let excerpt = if i < Errors::KEPT { span.careful_excerpt() } else { None };
        Error::new("", Origin(Place::Span(span)), message).with_excerpt(excerpt)
    };
    problems.into_iter().enumerate().map(drawn).collect()
}

/// Collects the byte ranges of everything that may be secret.
fn mask(node: &Node, root: bool, secret: bool, masks: &mut Vec<Range<u32>>) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|item| mask(item, false, secret, masks)),
        Kind::Map(map) => map.iter().for_each(|entry| {
            mask(&entry.node, false, secret || entry.is_secret(root), masks);
        }),
        Kind::Scalar { text, .. } => {
            let Some(Span { file, start, end }) = node.origin.span() else { return };
            if secret {
                masks.push(*start..*end);
            } else if secrecy::text_is_secret(text) {
                let raw = file.text.get(*start as usize..*end as usize).unwrap_or_default();
                match secrecy::userinfo(raw) {
                    Some(part) if secrecy::userinfo(text).is_some() && raw.contains("://") => {
                        masks.push(start + offset(part.start)..start + offset(part.end));
                    }
                    _ => masks.push(*start..*end),
                }
            }
        }
    }
}

fn duplicate(file: &Arc<File>, name: &str, first: &Origin, at: Range<usize>) -> Problem {
    let line = first.span().map_or(0, |span| file.position(span.start).0);
    let name: String = name.chars().take(64).collect();
    Problem::new(at, format!("duplicate key `{}`, already set at line {line}", name.escape_debug()))
}

fn not_a_map(at: Range<usize>) -> Problem {
    Problem::new(at, "the top level must be a map of keys and values")
}

fn range(origin: &Origin) -> Range<usize> {
    origin.span().map_or(0..0, |span| span.start as usize..span.end as usize)
}
