//! Why a secret could not be had: by the name of its place, never by its value.

use std::error::Error as StdError;
use std::fmt;

/// Why one place did not give a secret. `Display` fits "failed to …" and holds nothing of a secret, as long as the text
/// a [`Provider`](crate::Provider) puts in does not.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What may be done about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is nothing at this place: the next one of a list has its turn.
    Missing,
    /// There is something, and it will not do, or we may not have it: asking again does not help.
    Refused,
    /// Nobody answers: asking again later may help.
    Unavailable,
}

/// Every secret that could not be had, in the order of their paths. Never empty.
#[derive(Debug)]
pub struct Errors(pub(crate) Vec<Failure>);

/// One secret that could not be had.
///
/// `Display` is one line, `database.password (env:DB_PASSWORD): the variable is not set`.
#[derive(Debug)]
pub struct Failure {
    pub(crate) path: Option<String>,
    pub(crate) reference: String,
    pub(crate) error: Error,
}

impl Error {
    /// There is nothing there.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Missing, message)
    }

    /// It will not do, or we may not have it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Nobody answers.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// With what caused it, whose text must not hold a secret either.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What may be done about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Its text and that of its causes.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    /// A copy without the causes' types.
    pub(crate) fn copy(&self) -> Self {
        Self::new(self.kind, self.chain())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl Errors {
    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Failure> {
        self.0.iter()
    }

    /// Whether asking again later may help with all of them.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.iter().all(|failure| failure.error.kind == ErrorKind::Unavailable)
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Failure;
    type IntoIter = std::slice::Iter<'a, Failure>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many are printed.
const PRINTED: usize = 50;

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().take(PRINTED).enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{failure}")?;
        }
        match self.0.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl StdError for Errors {}

impl Failure {
    /// Where in the configuration it is asked for, if that is known.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Where it was looked for.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Why it was not found.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reference, error } = self;
        match path {
            Some(path) => write!(f, "{path} ({reference}): {}", error.chain()),
            None => write!(f, "{reference}: {}", error.chain()),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}
