//! Where a secret is, as it is written in a configuration.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use crate::document::Key;
use crate::value::Bytes;

/// The longest reference, in bytes.
const LONGEST: usize = 4_096;
/// The most places one secret may be looked for in.
const PLACES: usize = 16;

/// Where a secret is: `env:NAME`, `file:/path`, `vault:mount/path#field`, a list of them of which the first that
/// exists wins, or the secret itself, written out.
///
/// `Display` names the places and never shows a secret that is written out. Cheap to clone.
///
/// A text that begins with none of the three words is the secret itself. One that does, and goes on with nothing that makes
/// sense, is [wrong](Self::problem).
#[derive(Clone)]
pub struct SecretRef(Arc<Inner>);

struct Inner {
    places: Vec<Place>,
    problem: Option<&'static str>,
    /// Found nowhere, it is no error.
    optional: bool,
}

/// One place to look.
pub(crate) enum Place {
    Env(String),
    /// A document, and the field of it that counts.
    Document(Key, Option<Arc<str>>),
    Written(Bytes),
}

impl SecretRef {
    /// Reads one place. Whatever is wrong with it is told by [`problem`](Self::problem): an error of a parser would show
    /// up among those that may quote what they dislike.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (place, problem) = Place::parse(text);
        Self::of(vec![place], problem)
    }

    /// The secret itself.
    pub(crate) fn literal(bytes: &[u8]) -> Self {
        Self::of(vec![Place::Written(Bytes::copy(bytes, None))], None)
    }

    /// No place at all, which is no error.
    pub(crate) fn nowhere() -> Self {
        Self::of(Vec::new(), None).optional()
    }

    /// The same, and found nowhere it is no error.
    pub(crate) fn optional(self) -> Self {
        let places = self.0.places.iter().map(Place::clone).collect();
        Self(Arc::new(Inner { places, problem: self.0.problem, optional: true }))
    }

    fn of(places: Vec<Place>, problem: Option<&'static str>) -> Self {
        Self(Arc::new(Inner { places, problem, optional: false }))
    }

    /// Whether the secret, or one that stands in for it, is written out.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.places.iter().any(|place| matches!(place, Place::Written(_)))
    }

    /// Whether one of its places is of the provider with this scheme, such as `vault`.
    #[must_use]
    pub fn asks(&self, scheme: &str) -> bool {
        self.0.places.iter().any(|place| matches!(place, Place::Document(key, _) if &*key.scheme == scheme))
    }

    /// What is wrong with how it is written.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        self.0.problem
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.0.optional
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.0.places
    }
}

impl Place {
    fn parse(text: &str) -> (Self, Option<&'static str>) {
        let Some((scheme, rest)) = text.split_once(':') else { return (Self::written(text), None) };
        // Not the text itself: it was not written as a place, and may be a secret by mistake.
        let wrong = |scheme, problem| (Self::Document(Key::new(scheme, ""), None), Some(problem));
        match scheme {
            "env" | "file" | "vault" if text.len() > LONGEST => {
                wrong("file", "a reference is at most 4096 bytes long")
            }
            "env" if is_variable(rest) => (Self::Env(rest.to_owned()), None),
            "env" => wrong("env", "`env:` takes the name of a variable, as in `env:DB_PASSWORD`"),
            "file" if rest.is_empty() || rest.contains('\0') => {
                wrong("file", "`file:` takes a path, as in `file:/var/secrets/password`")
            }
            "file" => (Self::Document(Key::new("file", rest), None), None),
            "vault" => match rest.rsplit_once('#') {
                Some((path, field)) if !path.trim_matches('/').is_empty() && !field.is_empty() => {
                    (Self::Document(Key::new("vault", path.trim_matches('/')), Some(field.into())), None)
                }
                _ => wrong(
                    "vault",
                    "`vault:` takes a path and a field, as in `vault:secret/data/orders/postgres#password`",
                ),
            },
            _ => (Self::written(text), None),
        }
    }

    fn written(text: &str) -> Self {
        Self::Written(Bytes::copy(text.as_bytes(), None))
    }
}

/// POSIX.1-2024, section 8.1, and nothing beyond: a name with a space or a slash is a mistake.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Clone for Place {
    fn clone(&self) -> Self {
        match self {
            Self::Env(name) => Self::Env(name.clone()),
            Self::Document(key, field) => Self::Document(key.clone(), field.clone()),
            Self::Written(bytes) => Self::Written(bytes.clone()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Document(key, None) => write!(f, "{key}"),
            Self::Document(key, Some(field)) => write!(f, "{key}#{}", field.escape_debug()),
            Self::Written(_) => f.write_str("a value that is written out"),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.places.is_empty() {
            return f.write_str("nowhere");
        }
        for (index, place) in self.0.places.iter().enumerate() {
            let separator = if index > 0 { ", then " } else { "" };
            write!(f, "{separator}{place}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a secret, or where it is: `env:NAME`, `file:/path`, `vault:path#field`, or a list",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretRef, E> {
                Ok(SecretRef::parse(text))
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<SecretRef, E> {
                Ok(match std::str::from_utf8(bytes) {
                    Ok(text) => SecretRef::parse(text),
                    Err(_) => SecretRef::literal(bytes),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SecretRef, A::Error> {
                let (mut places, mut first) = (Vec::new(), None);
                while let Some(text) = seq.next_element::<String>()? {
                    if places.len() == PLACES {
                        return Err(A::Error::custom(format_args!("expected at most {PLACES} places")));
                    }
                    let (place, problem) = Place::parse(&text);
                    places.push(place);
                    first = first.or(problem);
                }
                if places.is_empty() {
                    return Err(A::Error::invalid_length(0, &self));
                }
                Ok(SecretRef::of(places, first))
            }
        }

        // Neither `str`, which takes no list, nor `any`, which would take `010` and `1.10` for numbers.
        deserializer.deserialize_byte_buf(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_and_what_is_written_out_is_not_shown() {
        for (text, shown) in [
            ("env:DB_PASSWORD", "env:DB_PASSWORD"),
            ("file:/var/secrets/db password", "file:/var/secrets/db password"),
            ("file:relative#not-a-field", "file:relative#not-a-field"),
            ("vault:secret/data/a#b#field", "vault:secret/data/a#b#field"),
            ("vault:/secret/a/#field", "vault:secret/a#field"),
            ("hunter2", "a value that is written out"),
            ("postgres://u:hunter2@h/d", "a value that is written out"),
            ("Env:X", "a value that is written out"),
            ("", "a value that is written out"),
        ] {
            let reference = SecretRef::parse(text);
            assert_eq!((reference.to_string().as_str(), reference.problem()), (shown, None), "{text}");
            assert_eq!(reference.is_literal(), shown.starts_with("a value"), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_problem_that_does_not_quote_it() {
        let long = format!("file:/{}", "x".repeat(LONGEST));
        for text in [
            "env:",
            "env:hunter 2",
            "env:1",
            "file:",
            "file:a\0b",
            "vault:",
            "vault:a",
            "vault:#b",
            "vault:a#",
            &long,
        ] {
            let reference = SecretRef::parse(text);
            let problem = reference.problem().unwrap_or_else(|| panic!("{text} passes"));
            assert!(!problem.contains("hunter") && !reference.to_string().contains("hunter"), "{text}");
            assert!(!reference.is_literal());
        }
    }

    #[test]
    fn a_list_is_written_as_one() {
        let reference: SecretRef = serde_json::from_str(r#"["vault:a#b", "env:X", "hunter2"]"#).unwrap();
        assert_eq!(reference.to_string(), "vault:a#b, then env:X, then a value that is written out");
        assert!(reference.is_literal() && reference.asks("vault") && !reference.asks("file"));
        assert!(serde_json::from_str::<SecretRef>("[]").is_err());
        let long = format!("[{}]", ["\"env:X\""; PLACES + 1].join(","));
        assert!(serde_json::from_str::<SecretRef>(&long).is_err());
        let reference: SecretRef = serde_json::from_str(r#"["env:X", "vault:a"]"#).unwrap();
        assert!(reference.problem().unwrap().contains("vault:"));
    }
}
