//! What is wrong with the configuration, all of it at once.

use crate::source::{Origin, Place};
use std::fmt;
use std::io;

/// Everything wrong with the configuration, in the order a reader meets it: files, variables, flags.
///
/// `Display` prints one error after the other, each with the line it is about. Never empty. The text holds no value
/// that may be a secret, so it may be logged.
#[derive(Debug, Default)]
pub struct Errors {
    errors: Vec<Error>,
    omitted: usize,
}

/// One thing wrong: where, at which path, and what was expected there.
///
/// `Display` is one line, `config.yaml:3:9: server.port: expected …`; `{:#}` adds the excerpt.
#[derive(Debug)]
pub struct Error {
    path: String,
    origin: Origin,
    message: String,
    excerpt: Option<String>,
    source: Option<io::Error>,
}

impl Errors {
    /// More than this many are counted, not kept.
    pub(crate) const KEPT: usize = 50;

    /// `None` when there is nothing to report.
    pub(crate) fn new(mut errors: Vec<Error>) -> Option<Self> {
        errors.sort_by(|a, b| a.order().cmp(&b.order()));
        errors.dedup_by(|a, b| a.order() == b.order());
        let omitted = errors.len().saturating_sub(Self::KEPT);
        errors.truncate(Self::KEPT);
        (!errors.is_empty()).then_some(Self { errors, omitted })
    }

    /// Draws the excerpts of the errors that are kept.
    pub(crate) fn draw(&mut self, excerpt: impl Fn(&Error) -> Option<String>) {
        for error in &mut self.errors {
            error.excerpt = excerpt(error);
        }
    }

    /// The errors, at least one and at most 50.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.errors.iter()
    }

    /// How many more were found but not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { errors, omitted } = self;
        for (i, error) in errors.iter().enumerate() {
            let separator = if i > 0 { "\n" } else { "" };
            write!(f, "{separator}{error:#}")?;
        }
        if *omitted > 0 {
            write!(f, "\nand {omitted} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl Error {
    pub(crate) fn new(path: impl Into<String>, origin: Origin, message: impl Into<String>) -> Self {
        Self { path: path.into(), origin, message: message.into(), excerpt: None, source: None }
    }

    pub(crate) fn with_excerpt(mut self, excerpt: Option<String>) -> Self {
        self.excerpt = excerpt;
        self
    }

    pub(crate) fn with_source(mut self, source: io::Error) -> Self {
        self.source = Some(source);
        self
    }

    fn order(&self) -> impl Ord + '_ {
        (self.origin.rank(), &self.path, &self.message)
    }

    /// The dotted path of the value, `server.port` or `relays[0].url`; empty for a file or the whole configuration.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value was written.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is wrong, without path and origin.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line of the file and a caret below it, as two lines of text. Values that may be secret are masked.
    pub fn excerpt(&self) -> Option<&str> {
        self.excerpt.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, origin, message, excerpt, source: _ } = self;
        if !matches!(origin.0, Place::Default) {
            write!(f, "{origin}: ")?;
        }
        // `--set server.port` has said the path already.
        let said = matches!(&origin.0, Place::Set { path: flag, .. } if **flag == **path);
        if !path.is_empty() && !said {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)?;
        match excerpt {
            Some(excerpt) if f.alternate() => write!(f, "\n{excerpt}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Something that does not stop the start, and that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Warning {
    /// The dotted path it is about; empty for the whole configuration or a file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the operator should know.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message } = self;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)
    }
}
