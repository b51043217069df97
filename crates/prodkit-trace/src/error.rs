//! Why a header was refused.

use std::error::Error;
use std::fmt;

/// A `traceparent` or `tracestate` value that does not follow its grammar.
///
/// The text names the rule that was broken and never repeats the input, which comes from strangers. There is nothing
/// to act upon beyond ignoring the header: W3C Trace Context asks for exactly that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError(&'static str);

impl ParseError {
    pub(crate) const fn new(rule: &'static str) -> Self {
        Self(rule)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parse the trace context: {}", self.0)
    }
}

impl Error for ParseError {}
