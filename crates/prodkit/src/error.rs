//! Why the process cannot start, and errors as text.

use std::borrow::Cow;
use std::error::Error;

use crate::BoxError;
use crate::exit::Exit;
use crate::keeper::SecretErrors;

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("failed to start the app")]
    App(#[source] BoxError),
    #[error("the app panicked while it started")]
    Panic,
    #[error("failed to set up {what}")]
    Setup { what: &'static str, source: BoxError },
    #[error("{0}")]
    Misuse(String),
    #[error("failed to get secrets")]
    Secrets(#[source] SecretErrors),
    #[error("failed to use the setting {key}")]
    Setting { key: Cow<'static, str>, source: BoxError },
}

impl StartError {
    pub(crate) fn setup(what: &'static str) -> impl FnOnce(BoxError) -> Self {
        move |source| Self::Setup { what, source }
    }

    pub(crate) fn setting(key: impl Into<Cow<'static, str>>, source: impl Into<BoxError>) -> Self {
        Self::Setting { key: key.into(), source: source.into() }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Secrets(_) | Self::Setting { .. } => Exit::Config,
            Self::App(_) | Self::Panic | Self::Setup { .. } | Self::Misuse(_) => Exit::App,
        }
    }
}

/// The text of an error and of everything beneath it: `failed to open: permission denied`.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their source in their own text.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_everything_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Layered {
            text: &'static str,
            source: Option<Box<Layered>>,
        }
        let layered = |text, source: Option<Layered>| Layered { text, source: source.map(Box::new) };
        assert_eq!(chain(&layered("a", Some(layered("b", Some(layered("c", None)))))), "a: b: c");
        assert_eq!(chain(&layered("a: b", Some(layered("b", None)))), "a: b");
        assert_eq!(chain(&layered("a: b; do c", Some(layered("b", None)))), "a: b; do c");
    }
}
