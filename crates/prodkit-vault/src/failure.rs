//! Why a call to Vault did not give what was asked for.

use prodkit_secrets::Error;
use std::time::Duration;

/// A call that failed, said without anything that is secret.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody answers, or not yet: asking again later may help. With what the server asked to wait.
    Unavailable(Option<Duration>),
    /// 403: the token is not valid any more, or may not do this.
    Denied,
    /// There is nothing at this path.
    Missing,
    /// Something that asking again does not help.
    Refused,
}

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable(None), text)
    }

    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    /// With what was being done in front.
    pub(crate) fn within(self, what: &str) -> Self {
        Self { text: format!("{what}: {}", self.text), ..self }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Unavailable(_) => Self::unavailable(failure.text),
            Kind::Missing => Self::missing(failure.text),
            Kind::Denied | Kind::Refused => Self::refused(failure.text),
        }
    }
}
