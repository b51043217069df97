//! What serde complains about, with the place added on the way up.

use super::{De, Path, Run, Value, sensitive, spans};
use crate::hint::suggestion;
use crate::node::{Kind, Map, Node, settled};
use crate::path::push_key;
use crate::scalar::Form;
use crate::source::Origin;
use serde::de::{Error, Expected, Unexpected};
use std::fmt;

/// An error of one pass. Without a place until the deserializer that called the type adds it.
///
/// Boxed, because it goes up through every type of a configuration, which are many: each would move all of it.
#[derive(Debug)]
pub(crate) struct Fault(Box<Complaint>);

#[derive(Debug)]
struct Complaint {
    what: What,
    place: Option<Place>,
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) origin: Origin,
    pub(crate) message: String,
    pub(crate) reason: Reason,
}

/// Decides what a further pass may conclude from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A field is not there.
    Missing,
    /// The value has the wrong shape, which values made up below it cannot cause.
    Shape,
    /// The type's own opinion, which values made up below it may cause.
    Opinion,
}

#[derive(Debug)]
enum What {
    Expected(String),
    Missing(&'static str),
    Opinion(String),
    Shape(String),
    Said,
}

impl Fault {
    #[cold]
    fn new(what: What) -> Self {
        Self(Box::new(Complaint { what, place: None }))
    }

    pub(crate) fn into_place(self) -> Option<Place> {
        self.0.place
    }

    /// The same complaint, about another place.
    pub(super) fn moved(self, path: String, origin: &Origin) -> Self {
        Self::said(path, origin.clone(), Reason::Opinion, self.to_string())
    }

    fn said(path: String, origin: Origin, reason: Reason, message: String) -> Self {
        let place = Some(Place { path, origin, message, reason });
        Self(Box::new(Complaint { what: What::Said, place }))
    }
}

impl De<'_, '_> {
    /// Adds path and place, unless something nearer to the cause has.
    #[cold]
    pub(super) fn locate(&self, fault: Fault) -> Fault {
        if fault.0.place.is_some() {
            return fault;
        }
        match fault.0.what {
            What::Expected(expected) => self.mismatch(Reason::Opinion, &expected, None),
            What::Missing(field) => {
                let mut path = self.path.text();
                push_key(&mut path, field);
                Fault::said(
                    path,
                    self.key.clone(),
                    Reason::Missing,
                    "this key is required and missing".into(),
                )
            }
            What::Shape(message) => self.says(Reason::Shape, message),
            What::Said => self.says(Reason::Opinion, "not accepted".into()),
            What::Opinion(_) if sensitive(self.secret, self.value) => self.says(
                Reason::Opinion,
                "the value is not accepted; it may be a secret and is not shown".into(),
            ),
            What::Opinion(message) => {
                let message = match self.value {
                    Value::Scalar(text, _) if !message.contains(text) && !text.is_empty() => {
                        format!("{message}, found {}", found(self.value))
                    }
                    _ => scrub(message, self.value, self.run),
                };
                self.says(Reason::Opinion, printable(&message))
            }
        }
    }

    pub(super) fn says(&self, reason: Reason, message: String) -> Fault {
        Fault::said(self.path.text(), self.origin.clone(), reason, message)
    }

    /// "expected …, found …; hint", the last two only where they cannot give away a secret.
    pub(super) fn expected(&self, expected: &str, hint: Option<String>) -> Fault {
        self.mismatch(Reason::Shape, expected, hint)
    }

    fn mismatch(&self, reason: Reason, expected: &str, hint: Option<String>) -> Fault {
        let hidden = sensitive(self.secret, self.value) && matches!(self.value, Value::Scalar(..));
        let message = match hint {
            _ if hidden && !self.value.is_null() => {
                format!("expected {expected}; the value may be a secret and is not shown")
            }
            Some(hint) => format!("expected {expected}, found {}; {hint}", found(self.value)),
            None => format!("expected {expected}, found {}", found(self.value)),
        };
        if !matches!(self.value, Value::Scalar(..)) {
            // A type that might have known secrets in there has not looked.
            spans(self.value, self.origin, &mut self.run.seen.borrow_mut().secret_spans);
        }
        self.says(reason, message)
    }

    pub(super) fn is_root(&self) -> bool {
        matches!(self.path, Path::Root)
    }
}

/// What is there instead, short enough for a line.
fn found(value: Value<'_>) -> String {
    match value {
        Value::Seq(_) => "a list".into(),
        Value::Map(_) => "a map".into(),
        Value::Scalar("", Form::Plain) => "nothing".into(),
        Value::Scalar("", _) => "an empty text".into(),
        Value::Scalar(text, Form::Text) => format!("the text \"{}\"", short(text)),
        Value::Scalar(text, Form::Int | Form::Float) => format!("the number `{}`", short(text)),
        Value::Scalar(text, _) => format!("`{}`", short(text)),
    }
}

pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", cut.escape_debug())
}

/// A message of the user's own type goes to terminals and logs as one line.
fn printable(message: &str) -> String {
    const LONGEST: usize = 500;
    message.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A type that checks a whole section may quote a secret of it.
fn scrub(message: String, value: Value<'_>, run: &Run<'_>) -> String {
    let mut secrets = Vec::new();
    match value {
        Value::Scalar(..) => {}
        Value::Seq(items) => items.iter().for_each(|item| gather(item, false, run, &mut secrets)),
        Value::Map(map) => gather_map(map, false, run, &mut secrets),
    }
    // The longest first: one secret may be the beginning of another.
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    secrets.iter().fold(message, |message, text| message.replace(text, crate::secrecy::MASK))
}

fn gather<'a>(node: &'a Node, secret: bool, run: &Run<'_>, into: &mut Vec<&'a str>) {
    let secret = secret || run.hides(node);
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|item| gather(item, secret, run, into)),
        Kind::Map(map) => gather_map(map, secret, run, into),
        Kind::Scalar { text, form } => {
            if sensitive(secret, Value::Scalar(text, *form))
                && settled(text, *form) != Form::Null
                && !text.is_empty()
            {
                into.push(text);
            }
        }
    }
}

fn gather_map<'a>(map: &'a Map, secret: bool, run: &Run<'_>, into: &mut Vec<&'a str>) {
    for entry in map.iter() {
        gather(&entry.node, secret || entry.is_secret(false), run, into);
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.place, &self.0.what) {
            (Some(place), _) => f.write_str(&place.message),
            // Types that try one thing after another print the errors of what they tried.
            (None, What::Missing(field)) => write!(f, "missing key `{field}`"),
            (None, What::Expected(expected)) => write!(f, "expected {expected}"),
            (None, What::Opinion(message) | What::Shape(message)) => f.write_str(message),
            (None, What::Said) => f.write_str("not accepted"),
        }
    }
}

impl std::error::Error for Fault {}

// serde's own texts quote the value. Here the place decides later whether it may be shown.
impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Opinion(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Expected(super::describe(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Expected(super::describe(expected)))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(What::Expected(super::describe(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::Expected(format!("one of {}", variants(variant, expected))))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::Shape(format!("unknown key `{}`{}", short(field), suggestion(field, expected))))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(What::Shape(format!(
            "`{field}` is set twice: once by this name and once by another it goes by"
        )))
    }
}

fn variants(variant: &str, expected: &[&str]) -> String {
    let list: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
    let list = if list.is_empty() { "no variants".into() } else { list.join(", ") };
    match crate::hint::nearest(variant, expected.iter().copied()) {
        Some(nearest) => format!("{list} (did you mean `{nearest}`?)"),
        None => list,
    }
}
