//! serde's side of the tree: a deserializer that knows the path, the place and the type at every step.

mod access;
mod fault;
mod joker;
mod number;

pub(crate) use fault::{Fault, Place, Reason};

use crate::duration;
use crate::node::{Entry, Kind, Map, Node, key_is_secret, push_index, push_key, settled};
use crate::scalar::{self, Form};
use crate::secrecy;
use crate::source::{Origin, Span};
use access::{Entries, Items, Variant};
use prodkit_live::registry;
use serde::de::value::SeqDeserializer;
use serde::de::{Deserialize, Deserializer, Expected, Visitor};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The newtype name a secret type asks for, so that this crate knows not to print what is below it.
///
/// `deserializer.deserialize_newtype_struct(SECRET_NAME, visitor)`: nothing below it appears in an error, and
/// [`Loaded::secrets`](crate::Loaded::secrets) lists its path.
pub const SECRET_NAME: &str = "$prodkit_secrets::Secret";

/// Which part of the top level a type reads.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    All,
    /// The reserved sections.
    Settings(&'a [&'a str]),
    /// Everything else, and the reserved sections the type names.
    App(&'a [&'a str]),
}

/// What stands where a value was wrong or missing, so that the rest can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Left out, as if it had never been written.
    Skip,
    /// A made-up value that fits the type asked for; the number picks another one.
    Joker(usize),
}

pub(crate) type Plan = HashMap<String, Stand>;

/// One pass over the tree for one type.
pub(crate) struct Run<'t, 'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) seen: &'p RefCell<Seen<'t>>,
    pub(crate) view: View<'p>,
}

/// What passes over the tree found out.
#[derive(Default)]
pub(crate) struct Seen<'t> {
    pub(crate) sections: BTreeMap<String, Section<'t>>,
    pub(crate) warnings: BTreeMap<String, String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) secret_spans: Vec<Span>,
}

/// A map that some type read, and the keys types know in it.
pub(crate) struct Section<'t> {
    pub(crate) map: &'t Map,
    pub(crate) fields: BTreeSet<&'static str>,
    /// Some type takes any key; at the top level reserved names and others are separate questions.
    pub(crate) open: bool,
    pub(crate) open_reserved: bool,
}

pub(crate) enum Path<'p> {
    Root,
    Key(&'p Self, &'p str),
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
    run: &'p Run<'t, 'p>,
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
            Path::Key(above, name) => {
                above.write(text);
                push_key(text, name);
            }
            Path::Index(above, index) => {
                above.write(text);
                push_index(text, *index);
            }
        }
    }
}

impl Run<'_, '_> {
    fn stand(&self, path: &Path<'_>) -> Option<Stand> {
        if self.plan.is_empty() { None } else { self.plan.get(&path.text()).copied() }
    }

    fn admits(&self, path: &Path<'_>, name: &str, fields: Option<&[&str]>) -> bool {
        match (path, self.view) {
            (Path::Root, View::Settings(reserved)) => reserved.contains(&name),
            (Path::Root, View::App(reserved)) => {
                !reserved.contains(&name) || fields.is_some_and(|fields| fields.contains(&name))
            }
            _ => true,
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

impl<'t, 'p> De<'t, 'p> {
    pub(crate) fn root(node: &'t Node, path: &'p Path<'p>, run: &'p Run<'t, 'p>) -> Self {
        let Node { origin, .. } = node;
        Self { value: Value::of(node), origin, key: origin, path, run, secret: false, buffered: false }
    }

    pub(crate) fn read<T: Deserialize<'t>>(self) -> Result<T, Fault> {
        T::deserialize(self).map_err(|fault| self.locate(fault))
    }

    /// A made-up value. Whatever it causes is put at its path, where the plan is.
    fn stand_in<T>(&self, path: &Path<'_>, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        read().map_err(|fault| fault.moved(path.text(), self.origin))
    }

    fn entry<'q>(self, entry: &'t Entry, path: &'q Path<'q>) -> De<'t, 'q>
    where
        'p: 'q,
    {
        let root = self.is_root();
        let secret = self.secret || key_is_secret(&entry.name, root) || entry.node.is_masked();
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
        let secret = self.secret || item.is_masked();
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

    fn know(&self, map: &'t Map, fields: Option<&'static [&'static str]>) {
        let mut seen = self.run.seen.borrow_mut();
        let section = seen.sections.entry(self.path.text()).or_insert_with(|| Section {
            map,
            fields: BTreeSet::new(),
            open: false,
            open_reserved: false,
        });
        let view = if self.is_root() { self.run.view } else { View::All };
        match fields {
            Some(fields) => section.fields.extend(fields),
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
    fn section(&self, expected: &dyn Expected) -> Result<Option<&'t Map>, Fault> {
        match self.value {
            Value::Map(map) => Ok(Some(map)),
            empty if empty.is_empty() => Ok(None),
            _ => Err(self.expected(&describe(expected), None)),
        }
    }

    /// A struct: its fields in their own order, made-up values last, so that real ones are looked at first.
    fn fields<V: Visitor<'t>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let map = self.section(&visitor)?;
        if let Some(map) = map {
            self.know(map, Some(fields));
        }
        visitor.visit_map(Entries::fields(self, map, fields))
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
            _ => return Err(self.expected(&describe(&visitor), None)),
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

    fn wanted_text(&self) -> Result<&'t str, Fault> {
        let hint = match self.value {
            Value::Scalar(text, Form::Bool | Form::Int | Form::Float) => Some(format!("write `\"{text}\"`")),
            _ => None,
        };
        self.value.text().ok_or_else(|| self.expected("text", hint))
    }

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

pub(crate) fn spans(value: Value<'_>, origin: &Origin, into: &mut Vec<Span>) {
    match value {
        Value::Scalar(..) => into.extend(origin.span().cloned()),
        Value::Seq(items) => items.iter().for_each(|item| spans(Value::of(item), &item.origin, into)),
        Value::Map(map) => {
            map.iter().for_each(|entry| spans(Value::of(&entry.node), &entry.node.origin, into));
        }
    }
}

/// Whether printing the text could print a secret.
fn sensitive(secret: bool, value: Value<'_>) -> bool {
    secret || matches!(value, Value::Scalar(text, _) if secrecy::text_is_secret(text))
}

impl<'t> Deserializer<'t> for De<'t, '_> {
    type Error = Fault;

    number::integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128, deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.untyped(visitor)
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f32(self.float32()?)
    }

    fn deserialize_f64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.float("a number")?)
    }

    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let mut chars = self.wanted_text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => visitor.visit_char(c),
            _ => Err(self.expected("one character", None)),
        }
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.wanted_text()?)
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Seq(_) => self.list(None, visitor),
            Value::Scalar(..) | Value::Map(_) => visitor.visit_borrowed_bytes(self.wanted_text()?.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_root() {
            let message =
                "`()` is not a configuration type; declare a struct, and one without fields takes no keys";
            return Err(self.says(Reason::Shape, message.into()));
        }
        if self.value.is_null() { visitor.visit_unit() } else { Err(self.expected("nothing (`null`)", None)) }
    }

    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Map(map) => {
                self.know(map, Some(&[]));
                visitor.visit_unit()
            }
            null if null.is_null() => visitor.visit_unit(),
            _ => Err(self.expected("a map without keys", None)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == registry::NAME {
            return registry::at(&self.path.text(), || visitor.visit_newtype_struct(self));
        }
        if name == SECRET_NAME {
            self.hide();
        }
        // Located here, where it is known that the value is secret.
        visitor.visit_newtype_struct(self).map_err(|fault| self.locate(fault))
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(Some(length), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(Some(length), visitor)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let map = self.section(&visitor)?;
        self.any_map(map, visitor)
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // `std::time::Duration` asks for this; people write `30s`.
        if name == "Duration" && fields == ["secs", "nanos"] && !matches!(self.value, Value::Map(_)) {
            let duration = self.duration()?;
            let parts = [duration.as_secs(), u64::from(duration.subsec_nanos())];
            return visitor.visit_seq(SeqDeserializer::new(parts.into_iter()));
        }
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some(name) = self.value.text() {
            return visitor.visit_enum(Variant { de: self, name, content: None });
        }
        let list: Vec<String> = variants.iter().map(|name| format!("`{name}`")).collect();
        let expected = format!("one of {}", list.join(", "));
        match self.value {
            Value::Map(map) if map.len() == 1 => match map.iter().next() {
                Some(entry) => {
                    visitor.visit_enum(Variant { de: self, name: &entry.name, content: Some(entry) })
                }
                None => Err(self.expected(&expected, None)),
            },
            Value::Map(map) if map.len() > 1 => {
                let found: Vec<String> =
                    map.iter().take(4).map(|Entry { name, key, .. }| format!("`{name}` ({key})")).collect();
                let message = format!("expected {expected}, found several: {}", found.join(", "));
                Err(self.says(Reason::Shape, message))
            }
            Value::Scalar(..) | Value::Seq(_) | Value::Map(_) => Err(self.expected(&expected, None)),
        }
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

impl De<'_, '_> {
    fn duration(&self) -> Result<std::time::Duration, Fault> {
        let Value::Scalar(text, _) = self.value else { return Err(self.expected(duration::EXPECTED, None)) };
        duration::read(text)
            .map_err(|hint| self.expected(duration::EXPECTED, Some(hint).filter(|hint| !hint.is_empty())))
    }
}
