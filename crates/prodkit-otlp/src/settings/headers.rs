//! Headers of an export request.

use crate::baggage;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// Headers to send with each export. They often carry a token: their values are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses `key=value,key2=value2`, the syntax of `OTEL_EXPORTER_OTLP_HEADERS`: W3C Baggage without properties,
    /// values percent-encoded.
    ///
    /// # Errors
    ///
    /// Says which pair is wrong, by position and never by content.
    pub fn parse(text: &str) -> Result<Self, InvalidHeader> {
        let mut headers = HeaderMap::new();
        for (at, pair) in baggage::pairs(text).enumerate() {
            let invalid = InvalidHeader { position: at + 1 };
            let (name, value) = pair.map_err(|baggage::Malformed| invalid)?;
            let (name, value) = header(name, &value).ok_or(invalid)?;
            headers.append(name, value);
        }
        Ok(Self(headers))
    }

    /// Sets a header, in place of one of that name.
    ///
    /// # Errors
    ///
    /// When `name` or `value` cannot be one.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        let position = self.0.len() + 1;
        let (name, value) = header(name, value).ok_or(InvalidHeader { position })?;
        self.0.insert(name, value);
        Ok(self)
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.0
    }
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, format_args!("***")))).finish()
    }
}

/// A header that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {position} is not a valid key=value pair")]
pub struct InvalidHeader {
    position: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_baggage_syntax() {
        let headers = Headers::parse(" api-key = a%20b%3D ,x-two=2,, x-two=3 ").unwrap();
        assert_eq!(headers.0["api-key"], "a b=");
        assert_eq!(headers.0.get_all("x-two").iter().collect::<Vec<_>>(), ["2", "3"]);
        assert_eq!(Headers::parse("").unwrap(), Headers::default());
    }

    #[test]
    fn names_the_position_of_what_is_wrong_and_nothing_else() {
        for (text, position) in
            [("k", 1), ("=secret", 1), ("a=1,b b=secret", 2), ("a=%zz", 1), ("a=%0a", 1), ("a=%c3%28", 1)]
        {
            assert_eq!(Headers::parse(text), Err(InvalidHeader { position }), "{text}");
        }
        let shown = format!("{:?}", Headers::parse("authorization=Bearer%20secret").unwrap());
        assert_eq!(shown, r#"{"authorization": ***}"#);
    }
}
