//! The value tree: every node knows where it was written.

use crate::scalar::{Form, core_schema};
use crate::secrecy;
use crate::source::{Origin, Span};
use crate::text::Text;
use crate::veil::Veil;
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Scalar { text: Text, form: Form },
    Seq(Vec<Node>),
    Map(Map),
}

/// Entries in the order they were first written.
#[derive(Clone, Default)]
pub(crate) struct Map {
    entries: Vec<Entry>,
    /// Only of a map with many entries: a look at few names is faster than a hash, and most maps are sections.
    #[expect(clippy::box_collection, reason = "a tree is mostly small maps, which carry the pointer only")]
    index: Option<Box<HashMap<Text, usize>>>,
}

/// Entries from which on a map has an index.
const INDEXED: usize = 16;

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Text,
    pub(crate) key: Origin,
    pub(crate) node: Node,
    /// What its name says. Every look at the tree asks for it.
    secret: bool,
}

impl Node {
    pub(crate) fn scalar(text: impl Into<Text>, form: Form, origin: Origin) -> Self {
        Self { kind: Kind::Scalar { text: text.into(), form }, origin }
    }

    pub(crate) fn map(origin: Origin) -> Self {
        Self { kind: Kind::Map(Map::default()), origin }
    }

    /// A YAML value nobody wrote: `database:` and nothing behind it.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, form: Form::Plain } if text.is_empty())
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(self.kind, Kind::Seq(_) | Kind::Map(_))
    }

    /// Puts `over` on top of this: maps merge key by key, everything else is replaced.
    ///
    /// A section or list whose content is all commented out (`database:`) adds nothing and removes nothing; `database:
    /// null` removes, and so does `hosts: []`. The places of what is no more are `replaced`.
    pub(crate) fn merge(&mut self, over: Self, replaced: &mut Vec<Span>) {
        match (&mut self.kind, over) {
            (Kind::Map(_) | Kind::Seq(_), over) if over.is_empty() => {}
            (Kind::Map(under), Self { kind: Kind::Map(over), origin }) => {
                self.origin = origin;
                for entry in over.entries {
                    under.merge(entry, replaced);
                }
            }
            (_, over) => self.replace(over, replaced),
        }
    }

    /// Puts `over` in the place of this.
    pub(crate) fn replace(&mut self, over: Self, replaced: &mut Vec<Span>) {
        self.spans(replaced);
        *self = over;
    }

    /// The places in files of all single values here.
    pub(crate) fn spans(&self, into: &mut Vec<Span>) {
        match &self.kind {
            Kind::Scalar { .. } => into.extend(self.origin.span().cloned()),
            Kind::Seq(items) => items.iter().for_each(|item| item.spans(into)),
            Kind::Map(map) => map.iter().for_each(|entry| entry.node.spans(into)),
        }
    }

    /// How the value prints, secrets aside: numbers and words bare, anything ambiguous quoted.
    pub(crate) fn show(text: &str, form: Form) -> Cow<'_, str> {
        const LONGEST: usize = 200;
        let text = match text.char_indices().nth(LONGEST) {
            Some((cut, _)) => Cow::Owned(format!("{}…", text.get(..cut).unwrap_or_default())),
            None => Cow::Borrowed(text),
        };
        let text_form = matches!(form, Form::Text | Form::Bare);
        if form == Form::Plain && text.is_empty() {
            return Cow::Borrowed("null");
        }
        let ambiguous = form == Form::Text && core_schema(&text) != Form::Text;
        let odd = text.is_empty()
            || text.contains(|c: char| c.is_control() || c == '"' || c == '#')
            || text.trim() != text;
        if ambiguous || (odd && text_form) || text.contains(char::is_control) {
            return Cow::Owned(format!("\"{}\"", text.escape_debug()));
        }
        text
    }

    /// Whether the tree says the same, wherever it was written.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Scalar { text, form }, Kind::Scalar { text: other, form: other_form }) => {
                if form == other_form && text == other {
                    return true;
                }
                let (form, other_form) = (settled(text, *form), settled(other, *other_form));
                form == other_form && (text == other || form == Form::Null)
            }
            (Kind::Seq(items), Kind::Seq(others)) => {
                items.len() == others.len() && items.iter().zip(others).all(|(item, other)| item.same(other))
            }
            (Kind::Map(map), Kind::Map(others)) => {
                map.len() == others.len()
                    && map.iter().zip(others.iter()).all(|(entry, beside)| {
                        // Who edits a file leaves most of it in its order.
                        let other =
                            if entry.name == beside.name { Some(beside) } else { others.find(&entry.name) };
                        other.is_some_and(|other| entry.node.same(&other.node))
                    })
            }
            (Kind::Scalar { .. } | Kind::Seq(_) | Kind::Map(_), _) => false,
        }
    }

    /// Whether it stands where its file, or `veil`, has something that may be a secret.
    ///
    /// Only single values are known by where they stand: one with nothing behind its key stands where the key does, and so
    /// does the whole map whose first key that is.
    pub(crate) fn is_masked(&self, veil: &Veil) -> bool {
        matches!(self.kind, Kind::Scalar { .. })
            && self.origin.span().is_some_and(|span| span.file.is_masked(span.start) || veil.covers(span))
    }
}

impl Entry {
    pub(crate) fn new(name: impl Into<Text>, key: Origin, node: Node) -> Self {
        let name = name.into();
        let secret = secrecy::name_is_secret(&name);
        Self { name, key, node, secret }
    }

    /// Whether values under this key are never printed. `root` says that it is a key of the top, where `secrets` holds
    /// the settings of the secret providers, not secrets.
    pub(crate) fn is_secret(&self, root: bool) -> bool {
        self.secret && !(root && &*self.name == "secrets")
    }
}

/// The form that text has when no type asks.
pub(crate) fn settled(text: &str, form: Form) -> Form {
    match form {
        Form::Plain => core_schema(text),
        Form::Bare => Form::Text,
        Form::Text | Form::Null | Form::Bool | Form::Int | Form::Float => form,
    }
}

impl Map {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(self.position(name)?)
    }

    pub(crate) fn find_mut(&mut self, name: &str) -> Option<&mut Entry> {
        let at = self.position(name)?;
        self.entries.get_mut(at)
    }

    fn position(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.entries.iter().position(|entry| entry.name.is(name)),
        }
    }

    /// Adds an entry; the one already there is handed back untouched, with the refused one dropped.
    pub(crate) fn insert(&mut self, entry: Entry) -> Result<(), &Entry> {
        if let Some(at) = self.position(&entry.name) {
            return Err(&self.entries[at]);
        }
        let at = self.entries.len();
        if let Some(index) = &mut self.index {
            index.insert(entry.name.clone(), at);
        } else if at >= INDEXED {
            let names = self.entries.iter().chain([&entry]).map(|entry| entry.name.clone());
            self.index = Some(Box::new(names.zip(0..).collect()));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn merge(&mut self, over: Entry, replaced: &mut Vec<Span>) {
        match self.find_mut(&over.name) {
            Some(under) => {
                if !over.node.is_empty() {
                    under.key = over.key;
                }
                under.node.merge(over.node, replaced);
            }
            None => {
                let added = self.insert(over);
                debug_assert!(added.is_ok(), "just looked");
            }
        }
    }
}
