//! The `traceparent` header.

use crate::{ParseError, SpanId, TraceContext, TraceFlags, TraceId, hex};
use std::fmt;

/// The length of version 00, and the part of any later version that this one understands.
const LEN: usize = 55;

/// The value of a `traceparent` header: 55 ASCII bytes, on the stack.
///
/// ```
/// use prodkit_trace::TraceContext;
///
/// let header = TraceContext::root(true).traceparent();
/// assert_eq!(header.as_str().len(), 55);
/// assert_eq!(&header.as_bytes()[..3], b"00-");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent([u8; LEN]);

impl Traceparent {
    pub(crate) fn new(context: &TraceContext) -> Self {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..35].copy_from_slice(&context.trace_id().hex());
        value[36..52].copy_from_slice(&context.span_id().hex());
        value[53..].copy_from_slice(&context.flags().hex());
        Self(value)
    }

    /// The value as bytes, for a header map.
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The value as text.
    #[expect(clippy::expect_used, reason = "only hexadecimal digits and dashes are ever written")]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("traceparent is ASCII")
    }
}

impl AsRef<[u8]> for Traceparent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<str> for Traceparent {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traceparent({self})")
    }
}

pub(crate) fn parse(value: &[u8]) -> Result<TraceContext, ParseError> {
    let Some((known, rest)) = value.split_first_chunk::<LEN>() else {
        return Err(ParseError::new("traceparent is shorter than 55 bytes"));
    };
    if known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
        return Err(ParseError::new("traceparent is not four fields between dashes"));
    }
    match hex::decode_u8([known[0], known[1]]) {
        Some(0) if !rest.is_empty() => {
            return Err(ParseError::new("traceparent of version 00 is longer than 55 bytes"));
        }
        None | Some(0xff) => return Err(ParseError::new("traceparent has no valid version")),
        Some(_) if !matches!(rest, [] | [b'-', ..]) => {
            return Err(ParseError::new("traceparent of a later version has no dash after the flags"));
        }
        Some(_) => {}
    }
    let trace = TraceId::from_hex(&known[3..35]);
    let trace = trace.ok_or(ParseError::new("trace-id is zero or not lowercase hexadecimal"))?;
    let span = SpanId::from_hex(&known[36..52]);
    let span = span.ok_or(ParseError::new("parent-id is zero or not lowercase hexadecimal"))?;
    let flags = hex::decode_u8([known[53], known[54]])
        .ok_or(ParseError::new("trace-flags are not lowercase hexadecimal"))?;
    Ok(TraceContext::new(trace, span, TraceFlags::from_u8(flags)))
}
