//! YAML 1.2 events to a tree.
//!
//! The events of serde-saphyr's parser, not its deserializer: only events tell a quoted scalar from a plain one and
//! give the place of every key, both of which a strict reader needs.

use super::{Budget, Problem, duplicate, not_a_map, range};
use crate::node::{Entry, Kind, Map, Node};
use crate::scalar::Form;
use crate::source::{Alias, File, Origin, Place};
use crate::text::Text;
use serde_saphyr::granit_parser::{self as granit, Event, Parser, ScalarStyle, StrInput};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

struct Composer<'a> {
    file: &'a Arc<File>,
    parser: Parser<'a, StrInput<'a>>,
    budget: Budget,
    anchors: HashMap<usize, Anchor>,
    problems: &'a mut Vec<Problem>,
    aliases: &'a mut Vec<Alias>,
}

struct Anchor {
    node: Node,
    nodes: usize,
    text: usize,
    height: usize,
}

/// A node and how much of the budget it took, which an alias to it takes again.
struct Composed {
    node: Node,
    nodes: usize,
    text: usize,
    height: usize,
}

/// What a mapping key or value begins with.
type Begin<'a> = (Event<'a>, Range<usize>);

/// Problems that leave the rest readable are pushed; the one that does not is returned. `aliases` receives the place
/// of each alias to a scalar with the place of what it stands for.
pub(super) fn parse(
    file: &Arc<File>,
    problems: &mut Vec<Problem>,
    aliases: &mut Vec<Alias>,
) -> Result<Node, Problem> {
    let parser = Parser::new_from_str(&file.text);
    let mut composer =
        Composer { file, parser, budget: Budget::default(), anchors: HashMap::new(), problems, aliases };
    composer.document()
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        while let Some((event, at)) = self.event()? {
            match event {
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Problem::new(
                        at,
                        "a second document (`---`): a configuration file holds one",
                    ));
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node((event, at), 1)?.node),
            }
        }
        let top = Origin(Place::Span(self.file.span(0..0)));
        match root {
            None => Ok(Node::map(top)),
            Some(root) if root.is_empty() => Ok(Node::map(top)),
            Some(root) if matches!(root.kind, Kind::Map(_)) => Ok(root),
            Some(root) => Err(not_a_map(range(&root.origin))),
        }
    }

    // Inlined: an event is large, and would be copied at every step on its way.
    #[inline]
    fn event(&mut self) -> Result<Option<Begin<'a>>, Problem> {
        loop {
            return match self.parser.next_event() {
                None => Ok(None),
                // Comments arrive only when another crate of the build turns that feature on.
                Some(Ok((event, span))) if is_presentation(&event) => {
                    drop((event, span));
                    continue;
                }
                Some(Ok((event, span))) => {
                    let start = span.start.byte_offset().unwrap_or(0);
                    let end = span.end.byte_offset().unwrap_or(start);
                    Ok(Some((event, start..end)))
                }
                Some(Err(error)) => Err(syntax(&self.file.text, &error)),
            };
        }
    }

    #[inline]
    fn next(&mut self, within: &Range<usize>) -> Result<Begin<'a>, Problem> {
        let end = || Problem::new(within.clone(), "the file ends in the middle of this");
        self.event()?.ok_or_else(end)
    }

    fn node(&mut self, (event, at): Begin<'a>, depth: usize) -> Result<Composed, Problem> {
        if let Event::Alias(id) = event {
            return self.alias(id, at, depth);
        }
        self.budget.spend(1, &at)?;
        let (anchor, composed) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let form = self.form(style, tag.as_deref(), &text, &at);
                // The parser says `~` where nothing is written, and that is not the same here.
                let written =
                    style != ScalarStyle::Plain || text != "~" || self.file.text.get(at.clone()) == Some("~");
                let text = if written { &*text } else { "" };
                let length = text.len();
                let node = Node::scalar(self.file.part(at.clone(), text), form, self.origin(at));
                (anchor, Composed { node, nodes: 1, text: length, height: 0 })
            }
            Event::SequenceStart(_, anchor, tag) => {
                Budget::depth(depth, &at)?;
                self.collection_tag(tag.as_deref(), "seq", &at);
                (anchor, self.sequence(at, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                Budget::depth(depth, &at)?;
                self.collection_tag(tag.as_deref(), "map", &at);
                (anchor, self.mapping(at, depth)?)
            }
            _ => return Err(Problem::new(at, "expected a value")),
        };
        if anchor > 0 {
            let Composed { ref node, nodes, text, height } = composed;
            self.anchors.insert(anchor, Anchor { node: node.clone(), nodes, text, height });
        }
        Ok(composed)
    }

    fn alias(&mut self, id: usize, at: Range<usize>, depth: usize) -> Result<Composed, Problem> {
        let Some(Anchor { node, nodes, text, height }) = self.anchors.get(&id) else {
            return Err(Problem::new(at, "this alias stands for the value it is part of"));
        };
        self.budget.spend(*nodes, &at)?;
        self.budget.repeat(*text, &at)?;
        Budget::depth((depth + height).saturating_sub(1), &at)?;
        let (mut node, nodes, text, height) = (node.clone(), *nodes, *text, *height);
        let target = std::mem::replace(&mut node.origin, self.origin(at));
        if let (Kind::Scalar { .. }, Some(alias), Some(target)) =
            (&node.kind, node.origin.span(), target.span())
        {
            self.aliases.push((alias.start..alias.end, target.start..target.end));
        }
        Ok(Composed { node, nodes, text, height })
    }

    fn sequence(&mut self, at: Range<usize>, depth: usize) -> Result<Composed, Problem> {
        let (mut items, mut nodes, mut text, mut height) = (Vec::new(), 1, 0, 0);
        loop {
            let begin = self.next(&at)?;
            if matches!(begin.0, Event::SequenceEnd) {
                break;
            }
            let item = self.node(begin, depth + 1)?;
            nodes += item.nodes;
            text += item.text;
            height = height.max(item.height);
            items.push(item.node);
        }
        Ok(Composed {
            node: Node { kind: Kind::Seq(items), origin: self.origin(first(at)) },
            nodes,
            text,
            height: height + 1,
        })
    }

    fn mapping(&mut self, at: Range<usize>, depth: usize) -> Result<Composed, Problem> {
        let (mut map, mut merges) = (Map::default(), Vec::new());
        let (mut nodes, mut text, mut height) = (1, 0, 0);
        loop {
            let (event, key_at) = self.next(&at)?;
            let merge = matches!(event, Event::Scalar(ref name, ScalarStyle::Plain, ..) if name == "<<");
            let (name, key) = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, _, 0, None) => {
                    (Some(self.file.part(key_at.clone(), &name)), self.origin(key_at.clone()))
                }
                event => self.key((event, key_at.clone()), depth)?,
            };
            let begin = self.next(&at)?;
            let value = self.node(begin, depth + 1)?;
            nodes += value.nodes;
            text += value.text;
            height = height.max(value.height);
            let mut node = value.node;
            if node.is_empty() {
                // An empty value has no place of its own; parsers put it on the next line.
                node.origin = key.clone();
            }
            let Some(name) = name else { continue };
            if merge {
                merges.push(node);
            } else if let Err(first) = map.insert(Entry::new(name.clone(), key, node)) {
                let first = first.key.clone();
                self.problems.push(duplicate(self.file, &name, &first, key_at));
            }
        }
        for merge in merges {
            self.merge(&mut map, merge);
        }
        let node = Node { kind: Kind::Map(map), origin: self.origin(first(at)) };
        Ok(Composed { node, nodes, text, height: height + 1 })
    }

    /// A key that is more than a text. Keys are printed, so that none may be what a value is elsewhere.
    fn key(&mut self, begin: Begin<'a>, depth: usize) -> Result<(Option<Text>, Origin), Problem> {
        let at = begin.1.clone();
        let (name, wrong) = match &begin.0 {
            Event::Scalar(name, _, 0, _) => (Some(self.file.part(at.clone(), name)), None),
            Event::Scalar(..) => (None, Some("a key cannot have an anchor: put it behind the `:`")),
            Event::Alias(_) => (None, Some("a key cannot be an alias: write it out")),
            _ => (None, Some("a key must be text")),
        };
        let origin = self.node(begin, depth + 1)?.node.origin;
        self.budget.refund();
        self.problems.extend(wrong.map(|message| Problem::new(at, message)));
        Ok((name, origin))
    }

    /// `<<: *base` and `<<: [*one, *two]`: keys written out win, then the earlier of the list.
    fn merge(&mut self, map: &mut Map, from: Node) {
        let Node { kind, origin } = from;
        match kind {
            Kind::Map(from) => {
                for entry in from.iter().cloned() {
                    let _ = map.insert(entry);
                }
            }
            Kind::Seq(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => {
                items.into_iter().for_each(|item| self.merge(map, item));
            }
            Kind::Scalar { .. } | Kind::Seq(_) => {
                self.problems.push(Problem::new(range(&origin), "`<<` merges a map, or a list of maps"));
            }
        }
    }

    fn form(&mut self, style: ScalarStyle, tag: Option<&granit::Tag>, text: &str, at: &Range<usize>) -> Form {
        let written = if style == ScalarStyle::Plain { Form::Plain } else { Form::Text };
        match tag.map(|tag| (tag, tag.core_suffix())) {
            None => written,
            Some((_, Some("str"))) => Form::Text,
            // The tag repeats what the type of the field says, and that is checked.
            Some((_, Some("bool" | "int" | "float"))) => Form::Plain,
            Some((_, Some("null"))) if text.is_empty() => Form::Null,
            // The non-specific tag `!` means "not resolved": text.
            Some((tag, _)) if tag.original() == "!" => Form::Text,
            Some((tag, _)) => {
                self.tag(tag, at);
                written
            }
        }
    }

    fn collection_tag(&mut self, tag: Option<&granit::Tag>, natural: &str, at: &Range<usize>) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(natural)) {
            self.tag(tag, at);
        }
    }

    fn tag(&mut self, tag: &granit::Tag, at: &Range<usize>) {
        let name: String = tag.original().chars().take(64).collect();
        let message =
            format!("the tag `{}` has no meaning here; the type of the field decides", name.escape_debug());
        self.problems.push(Problem::new(at.clone(), message));
    }

    fn origin(&self, at: Range<usize>) -> Origin {
        Origin(Place::Span(self.file.span(at)))
    }
}

fn is_presentation(event: &Event<'_>) -> bool {
    !matches!(
        event,
        Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Alias(_)
            | Event::UnresolvedAlias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd
    )
}

/// Collections are marked by where they begin: their end is often lines away.
fn first(at: Range<usize>) -> Range<usize> {
    at.start..at.start
}

fn syntax(text: &str, error: &granit::ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    if matches!(error.kind(), granit::ErrorKind::RecursionLimitExceeded) {
        // The parser reads ahead and has a limit of its own, beyond this one.
        return Budget::depth(usize::MAX, &(at..at))
            .err()
            .unwrap_or_else(|| Problem::new(at..at, "too deep"));
    }
    let info = error.info();
    let line = text
        .as_bytes()
        .get(..at)
        .and_then(|before| before.rsplit(|b| *b == b'\n').next())
        .unwrap_or_default();
    let blank = line.iter().all(|b| matches!(b, b' ' | b'\t')) && line.contains(&b'\t');
    let tab = blank || text.as_bytes().get(at) == Some(&b'\t') || info.contains("tab");
    let hint = if tab { ": YAML indents with spaces, never with tabs" } else { "" };
    let info = if info.is_empty() { "not YAML".to_owned() } else { info };
    Problem::new(at..at, format!("{info}{hint}"))
}
