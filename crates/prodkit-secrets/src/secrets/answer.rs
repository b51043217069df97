//! What a reference comes to, given what is known: no I/O.

use std::ffi::OsString;

use crate::document::{Document, Key};
use crate::error::{Error, ErrorKind};
use crate::reference::{Place, SecretRef};
use crate::value::Bytes;

/// What a reference comes to.
pub(super) enum Answer {
    Value(Bytes),
    /// It is nowhere, and need not be.
    Nothing,
    /// This has to be fetched first.
    Need(Key),
    Failed(Error),
}

type Variable<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The first place that exists wins.
pub(super) fn answer<'a>(
    reference: &SecretRef,
    variable: &Variable<'_>,
    known: impl Fn(&Key) -> Option<Result<&'a Document, &'a Error>>,
) -> Answer {
    if let Some(problem) = reference.problem() {
        return Answer::Failed(Error::refused(problem));
    }
    let mut absent: Vec<(String, Error)> = Vec::new();
    for place in reference.places() {
        let answer = match place {
            Place::Written(bytes) => Answer::Value(bytes.clone()),
            Place::Env(name) => of_variable(name, variable, &known),
            Place::Document(key, field) => of_document(key, field.as_deref(), &known),
        };
        match answer {
            Answer::Failed(error) if error.kind() == ErrorKind::Missing => {
                absent.push((place.to_string(), error));
            }
            settled => return settled,
        }
    }
    if reference.is_optional() {
        return Answer::Nothing;
    }
    match absent.len() {
        1 => absent.pop().map_or(Answer::Nothing, |(_, error)| Answer::Failed(error)),
        _ => {
            let each: Vec<_> = absent.iter().map(|(place, error)| format!("{place}: {error}")).collect();
            Answer::Failed(Error::missing(each.join("; ")))
        }
    }
}

fn of_document<'a>(
    key: &Key,
    field: Option<&str>,
    known: &impl Fn(&Key) -> Option<Result<&'a Document, &'a Error>>,
) -> Answer {
    match known(key) {
        None => Answer::Need(key.clone()),
        Some(Err(error)) => Answer::Failed(error.copy()),
        Some(Ok(document)) => document.field(field).map_or_else(Answer::Failed, Answer::Value),
    }
}

/// `NAME`, or the file that `NAME_FILE` names.
fn of_variable<'a>(
    name: &str,
    variable: &Variable<'_>,
    known: &impl Fn(&Key) -> Option<Result<&'a Document, &'a Error>>,
) -> Answer {
    let value = set(name, variable).map(|value| Bytes::take(value.into_encoded_bytes()));
    let Some(key) = file_of(name, variable) else {
        return match value {
            Some(value) => Answer::Value(value),
            None => {
                Answer::Failed(Error::missing(format!("the variable is not set, and neither is {name}_FILE")))
            }
        };
    };
    match (of_document(&key, None, known), value) {
        (Answer::Value(file), Some(value)) if !file.same(&value) => Answer::Failed(Error::refused(format!(
            "{name} and {name}_FILE are both set, and differ; unset one of them"
        ))),
        // A file that is asked for by name has to be there.
        (Answer::Failed(error), _) if error.kind() == ErrorKind::Missing => {
            Answer::Failed(Error::refused(format!("{name}_FILE is {}, and {error}", key.path.escape_debug())))
        }
        (answer, _) => answer,
    }
}

fn set(name: &str, variable: &Variable<'_>) -> Option<OsString> {
    variable(name).filter(|value| !value.is_empty())
}

fn file_of(name: &str, variable: &Variable<'_>) -> Option<Key> {
    let path = set(&format!("{name}_FILE"), variable)?;
    Some(Key::new("file", &path.to_string_lossy()))
}

/// The documents that the value may follow from.
pub(super) fn keys(reference: &SecretRef, variable: &Variable<'_>) -> Vec<Key> {
    let key = |place: &Place| match place {
        Place::Written(_) => None,
        Place::Env(name) => file_of(name, variable),
        Place::Document(key, _) => Some(key.clone()),
    };
    reference.places().iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    struct World {
        variables: HashMap<&'static str, &'static str>,
        documents: HashMap<Key, Result<Document, Error>>,
    }

    fn world(variables: &[(&'static str, &'static str)], files: &[(&str, Option<&str>)]) -> World {
        let document = |content: &Option<&str>| match content {
            Some(content) => Ok(Document::whole(content.as_bytes().to_vec())),
            None => Err(Error::missing("there is no such file")),
        };
        World {
            variables: variables.iter().copied().collect(),
            documents: files
                .iter()
                .map(|(path, content)| (Key::new("file", path), document(content)))
                .collect(),
        }
    }

    impl World {
        fn ask(&self, reference: &SecretRef) -> String {
            let variable = |name: &str| self.variables.get(name).map(OsString::from);
            match answer(reference, &variable, |key| Some(self.documents.get(key)?.as_ref())) {
                Answer::Value(bytes) => String::from_utf8(bytes.expose().to_vec()).unwrap(),
                Answer::Nothing => "nothing".into(),
                Answer::Need(key) => format!("need {key}"),
                Answer::Failed(error) => format!("{:?}: {error}", error.kind()),
            }
        }
    }

    fn list(text: &str) -> SecretRef {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_variable_or_the_file_beside_it() {
        let env = SecretRef::parse("env:X");
        let files = &[("/f", Some("filed")), ("/gone", None)][..];
        for (variables, expected) in [
            (&[("X", "set")][..], "set"),
            (&[("X_FILE", "/f")], "filed"),
            (&[("X", "filed"), ("X_FILE", "/f")], "filed"),
            (&[("X", ""), ("X_FILE", "/f")], "filed"),
            (&[("X", "set"), ("X_FILE", "")], "set"),
            (
                &[("X", "set"), ("X_FILE", "/f")],
                "Refused: X and X_FILE are both set, and differ; unset one of them",
            ),
            (&[("X_FILE", "/gone")], "Refused: X_FILE is /gone, and there is no such file"),
            (&[("X_FILE", "/new")], "need file:/new"),
            (&[], "Missing: the variable is not set, and neither is X_FILE"),
        ] {
            assert_eq!(world(variables, files).ask(&env), expected, "{variables:?}");
        }
    }

    #[test]
    fn the_first_that_exists_wins() {
        let world = world(&[("X", "set")], &[("/f", Some("filed")), ("/gone", None)]);
        for (reference, expected) in [
            (r#"["file:/f", "env:X"]"#, "filed"),
            (r#"["file:/gone", "env:X"]"#, "set"),
            (r#"["env:Y", "file:/gone", "fallback"]"#, "fallback"),
            (r#"["file:/gone", "vault:a#b", "env:X"]"#, "need vault:a"),
            (
                r#"["env:Y", "file:/gone"]"#,
                "Missing: env:Y: the variable is not set, and neither is Y_FILE; \
              file:/gone: there is no such file",
            ),
        ] {
            assert_eq!(world.ask(&list(reference)), expected, "{reference}");
        }
        assert_eq!(world.ask(&SecretRef::parse("env:Y").optional()), "nothing");
        assert_eq!(
            world.ask(&SecretRef::parse("env:").optional()),
            "Refused: `env:` takes the name of a variable, as in `env:DB_PASSWORD`"
        );
    }

    #[test]
    fn a_place_that_does_not_answer_is_not_passed_over() {
        let mut world = world(&[("X", "set")], &[]);
        let key = Key::new("vault", "a");
        world.documents.insert(key.clone(), Err(Error::unavailable("sealed")));
        let reference = list(r#"["vault:a#b", "env:X"]"#);
        assert_eq!(world.ask(&reference), "Unavailable: sealed");
        world.documents.insert(key.clone(), Err(Error::missing("no such path")));
        assert_eq!(world.ask(&reference), "set");
        world.documents.insert(key.clone(), Ok(Document::named([("c".to_owned(), b"other".to_vec())])));
        assert_eq!(world.ask(&reference), "set", "a field that is not there");
        world.documents.insert(key, Ok(Document::named([("b".to_owned(), b"vaulted".to_vec())])));
        assert_eq!(world.ask(&reference), "vaulted");
    }
}
