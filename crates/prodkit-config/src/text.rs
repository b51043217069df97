//! A text that is mostly a part of the file it was read from.

use crate::source::Span;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A key or a value. A large file has a hundred thousand of them, and most stand in it as they are: those cost a count
/// on the file, which is kept for its lines anyway, and no copy. Cloning is as cheap for the others, so that an alias
/// bomb copies pointers, not megabytes.
#[derive(Clone)]
pub(crate) enum Text {
    Part(Span),
    Own(Arc<str>),
}

impl Text {
    /// Whether it is `other`. Names are mostly asked for by one of another length, and that is told without reading them.
    pub(crate) fn is(&self, other: &str) -> bool {
        let length = match self {
            Self::Part(span) => (span.end - span.start) as usize,
            Self::Own(text) => text.len(),
        };
        length == other.len() && **self == *other
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Part(span) => span.text(),
            Self::Own(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Own(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Own(text.into())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

// As `str`, whose hash and order it has.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
