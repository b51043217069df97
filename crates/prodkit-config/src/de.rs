//! serde's side of the tree: a deserializer that knows the path, the place and the type at every step.

mod access;
mod deserializer;
mod fault;
mod joker;
mod number;
mod pass;

pub(crate) use fault::{Fault, Place, Reason};
pub(crate) use pass::{Plan, Run, Section, Seen, Stand, View};

use crate::node::{Entry, Kind, Map, Node, settled};
use crate::path::{push_index, push_key};
use crate::scalar::{self, Form};
use crate::secrecy;
use crate::source::{Origin, Span};
use access::{Entries, Items};
use prodkit_live::registry;
use serde::de::{Deserialize, Expected, Visitor};

/// The newtype name a secret type asks for, so that this crate knows not to print what is below it.
///
/// `deserializer.deserialize_newtype_struct(SECRET_NAME, visitor)`: nothing below it appears in an error, and
/// [`Loaded::secrets`](crate::Loaded::secrets) lists its path. A type that [adds](prodkit_live::registry::add) a `Live` of
/// its own under the [path](prodkit_live::registry::take_path) it is given there moves as any `Live` does.
pub const SECRET_NAME: &str = "$prodkit_secrets::Secret";

pub(crate) enum Path<'p> {
    Root,
    /// A field of a struct, or a variant.
    Key(&'p Self, &'p str),
    /// A key of a map that takes any.
    Entry(&'p Self, &'p str),
    Index(&'p Self, usize),
}

#[derive(Clone, Copy)]
pub(crate) enum Value<'t> {
    Scalar(&'t str, Form),
    Seq(&'t [Node]),
    Map(&'t Map),
}

#[derive(Clone, Copy)]
pub(crate) struct De<'t, 'p> {
    value: Value<'t>,
    /// Where the value is, and where its key is: a missing field is reported at the key of its section.
    origin: &'t Origin,
    key: &'t Origin,
    path: &'p Path<'p>,
    run: &'p Run<'p>,
    secret: bool,
    /// Inside a part whose loss of strictness has been warned about.
    buffered: bool,
}

impl Path<'_> {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        match self {
            Path::Root => {}
            Path::Key(above, name) | Path::Entry(above, name) => {
                above.write(text);
                push_key(text, name);
            }
            Path::Index(above, index) => {
                above.write(text);
                push_index(text, *index);
            }
        }
    }

    /// The lists and maps on the way here: what they hold may come and go.
    fn containers(&self) -> Vec<String> {
        match self {
            Path::Root => Vec::new(),
            Path::Key(above, _) => above.containers(),
            Path::Entry(above, _) | Path::Index(above, _) => {
                let mut containers = above.containers();
                containers.push(above.text());
                containers
            }
        }
    }
}

impl<'t> Value<'t> {
    pub(crate) fn of(node: &'t Node) -> Self {
        match &node.kind {
            Kind::Scalar { text, form } => Self::Scalar(text, *form),
            Kind::Seq(items) => Self::Seq(items),
            Kind::Map(map) => Self::Map(map),
        }
    }

    fn is_null(self) -> bool {
        matches!(self, Self::Scalar(text, form) if settled(text, form) == Form::Null)
    }

    /// A section or list whose content is commented out: `database:`.
    fn is_empty(self) -> bool {
        matches!(self, Self::Scalar("", Form::Plain))
    }

    /// Text for a field that wants text. YAML's plain scalars are text as written; `null` is not.
    fn text(self) -> Option<&'t str> {
        match self {
            Self::Scalar(text, Form::Text | Form::Bare) => Some(text),
            Self::Scalar(text, Form::Plain) if !self.is_null() => Some(text),
            _ => None,
        }
    }
}

// What does not depend on the type that is read is not inlined: there are a hundred places that would have it.
impl<'t, 'p> De<'t, 'p> {
    pub(crate) fn root(node: &'t Node, path: &'p Path<'p>, run: &'p Run<'p>) -> Self {
        let Node { origin, .. } = node;
        Self { value: Value::of(node), origin, key: origin, path, run, secret: false, buffered: false }
    }

    pub(crate) fn read<T: Deserialize<'t>>(self) -> Result<T, Fault> {
        T::deserialize(self).map_err(|fault| self.locate(fault))
    }

    /// A made-up value. Whatever it causes is put at its path, where the plan is.
    fn stand_in<T>(&self, path: &Path<'_>, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        read().map_err(|fault| self.moved(path, fault))
    }

    #[cold]
    fn moved(&self, path: &Path<'_>, fault: Fault) -> Fault {
        fault.moved(path.text(), self.origin)
    }

    #[inline(never)]
    fn entry<'q>(self, entry: &'t Entry, path: &'q Path<'q>) -> De<'t, 'q>
    where
        'p: 'q,
    {
        let root = self.is_root();
        let secret = self.secret || entry.is_secret(root) || self.run.hides(&entry.node);
        let Entry { key, node, .. } = entry;
        De {
            value: Value::of(node),
            origin: &node.origin,
            key,
            path,
            run: self.run,
            secret,
            buffered: self.buffered,
        }
    }

    fn item<'q>(self, item: &'t Node, path: &'q Path<'q>) -> De<'t, 'q>
    where
        'p: 'q,
    {
        let secret = self.secret || self.run.hides(item);
        let Node { origin, .. } = item;
        De {
            value: Value::of(item),
            origin,
            key: origin,
            path,
            run: self.run,
            secret,
            buffered: self.buffered,
        }
    }

    /// The name of a key, or one part of a text, as a value.
    fn part<'q>(self, text: &'t str, origin: &'t Origin, path: &'q Path<'q>) -> De<'t, 'q>
    where
        'p: 'q,
    {
        let value = Value::Scalar(text, Form::Bare);
        De { value, origin, key: origin, path, run: self.run, secret: self.secret, buffered: self.buffered }
    }

    #[inline(never)]
    fn know(&self, map: &'t Map, fields: Option<&'static [&'static str]>) {
        let mut seen = self.run.seen.borrow_mut();
        let section = seen.sections.entry(std::ptr::from_ref(map)).or_default();
        let view = if self.is_root() { self.run.view } else { View::All };
        match fields {
            Some(fields) => section.learn(fields),
            None => {
                section.open |= !matches!(view, View::Settings(_));
                section.open_reserved |= !matches!(view, View::App(_));
            }
        }
    }

    fn warn(&self, expecting: &str) {
        if self.buffered {
            return;
        }
        let end = "unknown keys here are not noticed";
        let message = if let Some(name) = expecting.strip_prefix("struct variant ") {
            format!("`{name}` is a struct variant of a tagged enum: {end}")
        } else if let Some(name) = expecting.strip_prefix("struct ") {
            format!("`{name}` uses `#[serde(flatten)]`: {end}, and nothing here is live")
        } else if let Some(name) = expecting.strip_prefix("internally tagged enum ") {
            format!("`{name}` is an internally tagged enum: {end}, and nothing here is live")
        } else {
            format!("read without a schema, as {expecting}: {end}, and nothing here is live")
        };
        self.run.seen.borrow_mut().warnings.entry(self.path.text()).or_insert(message);
    }

    fn hide(&mut self) {
        self.secret = true;
        let mut seen = self.run.seen.borrow_mut();
        seen.secrets.insert(self.path.text());
        spans(self.value, self.origin, &mut seen.secret_spans);
    }

    /// The map of a struct or map; `None` for a section with nothing in it.
    #[inline(never)]
    fn section(&self, expected: &dyn Expected) -> Result<Option<&'t Map>, Fault> {
        match self.value {
            Value::Map(map) => Ok(Some(map)),
            empty if empty.is_empty() => Ok(None),
            _ => Err(self.not_whole(&describe(expected))),
        }
    }

    /// One value where several belong: none of their types has looked at it, and one of them may have known a secret in it.
    fn not_whole(&self, expected: &str) -> Fault {
        match self.value {
            Value::Scalar(text, form) if settled(text, form) != Form::Null => {
                spans(self.value, self.origin, &mut self.run.seen.borrow_mut().secret_spans);
                let message =
                    format!("expected {expected}, found one value; it may be a secret and is not shown");
                self.says(Reason::Shape, message)
            }
            _ => self.expected(expected, None),
        }
    }

    /// A struct: its fields in their own order, made-up values last, so that real ones are looked at first.
    fn fields<V: Visitor<'t>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let map = self.section(&visitor)?;
        if let Some(map) = map {
            self.know(map, Some(fields));
        }
        registry::section(&self.path.text(), || visitor.visit_map(Entries::fields(self, map, fields)))
    }

    fn any_map<V: Visitor<'t>>(mut self, map: Option<&'t Map>, visitor: V) -> Result<V::Value, Fault> {
        let expecting = (&visitor as &dyn Expected).to_string();
        if expecting.starts_with("struct ") {
            self.warn(&expecting);
            self.buffered = true;
        }
        if let Some(map) = map {
            self.know(map, None);
        }
        visitor.visit_map(Entries::all(self, map))
    }

    fn list<V: Visitor<'t>>(self, length: Option<usize>, visitor: V) -> Result<V::Value, Fault> {
        let items = match self.value {
            Value::Seq(items) => Items::nodes(self, items, length.is_some()),
            Value::Scalar(text, Form::Bare) => Items::texts(self, text, length.is_some()),
            empty if empty.is_empty() => Items::nodes(self, &[], length.is_some()),
            _ => return Err(self.not_whole(&describe(&visitor))),
        };
        match length {
            Some(length) if length != items.len() => {
                let found = items.len();
                Err(self.says(Reason::Shape, format!("expected a list of {length} values, found {found}")))
            }
            _ => visitor.visit_seq(items),
        }
    }

    fn untyped<V: Visitor<'t>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let (text, form) = match self.value {
            Value::Scalar(text, form) => (text, settled(text, form)),
            Value::Seq(_) | Value::Map(_) => {
                self.warn(&(&visitor as &dyn Expected).to_string());
                self.buffered = true;
                return match self.value {
                    Value::Map(map) => self.any_map(Some(map), visitor),
                    _ => self.list(None, visitor),
                };
            }
        };
        match form {
            Form::Null => visitor.visit_unit(),
            Form::Bool => visitor.visit_bool(scalar::boolean(text, form).unwrap_or_default()),
            Form::Int => number::untyped(self, text, visitor),
            Form::Float => visitor.visit_f64(self.float("a number")?),
            Form::Text | Form::Plain | Form::Bare => visitor.visit_borrowed_str(text),
        }
    }

    #[inline(never)]
    fn wanted_text(&self) -> Result<&'t str, Fault> {
        let hint = match self.value {
            Value::Scalar(text, Form::Bool | Form::Int | Form::Float) => Some(format!("write `\"{text}\"`")),
            _ => None,
        };
        self.value.text().ok_or_else(|| self.expected("text", hint))
    }

    #[inline(never)]
    fn boolean(&self) -> Result<bool, Fault> {
        let expected = "`true` or `false`";
        let Value::Scalar(text, form) = self.value else { return Err(self.expected(expected, None)) };
        let read = scalar::boolean(text, form);
        match (form, read) {
            (Form::Plain | Form::Bare | Form::Bool, Some(value)) => Ok(value),
            (Form::Text, Some(value)) => {
                Err(self.expected(expected, Some(format!("write `{value}` without quotes"))))
            }
            _ => {
                let hint = scalar::looked_boolean(text).map(|value| format!("write `{value}`"));
                Err(self.expected(expected, hint))
            }
        }
    }
}

/// serde calls every struct by its Rust name; operators know maps.
fn describe(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.split_once(' ') {
        Some(("struct", _)) => "a map of keys and values".into(),
        Some(("tuple", _)) | None if text.starts_with("tuple") => "a list".into(),
        Some(("a", "sequence")) => "a list".into(),
        _ => text,
    }
}

fn spans(value: Value<'_>, origin: &Origin, into: &mut Vec<Span>) {
    match value {
        Value::Scalar(..) => into.extend(origin.span().cloned()),
        Value::Seq(items) => items.iter().for_each(|item| item.spans(into)),
        Value::Map(map) => map.iter().for_each(|entry| entry.node.spans(into)),
    }
}

/// Whether printing the text could print a secret.
fn sensitive(secret: bool, value: Value<'_>) -> bool {
    secret || matches!(value, Value::Scalar(text, _) if secrecy::text_is_secret(text))
}
