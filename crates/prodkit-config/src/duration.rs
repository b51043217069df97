//! Durations as people write them: `30s`, `1m 30s`, `500ms`, `2h`.
//!
//! A field of type [`std::time::Duration`] needs nothing of this: [`Tree::load`](crate::Tree::load) reads it from such
//! text. These functions are for the same struct read or written by another serde format:
//! `#[serde(with = "prodkit_config::duration")]`, or `prodkit_config::duration::option` for an `Option`.
//!
//! A number without a unit is an error, because nobody remembers which unit it was; only `0` needs none.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use std::fmt;
use std::time::Duration;

pub use humantime::DurationError as ParseError;

/// Reads a duration from text.
///
/// # Errors
///
/// When the text is not a sum of whole numbers, each with a unit from `ns` to `years`.
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    humantime::parse_duration(text)
}

/// For `#[serde(with)]`: reads text such as `30s`.
///
/// # Errors
///
/// When the value is not text, or not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Text::deserialize(deserializer).map(|text| text.0)
}

/// For `#[serde(with)]`: writes text such as `1m 30s`.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

/// Reads text, or a number that is zero; says why not otherwise.
pub(crate) fn read(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|_| {
        let number = text.parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0);
        if number { format!("a number has no unit; write `{text}s` for seconds") } else { String::new() }
    })
}

/// For `#[schemars(schema_with)]`: text such as `30s`, or 0. Feature `schema`.
#[cfg(feature = "schema")]
pub fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::schema::duration()
}

pub(crate) const EXPECTED: &str = "a duration such as `30s`, `1m 30s` or `500ms`";

struct Text(Duration);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl Visitor<'_> for Words {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                read(text).map(Text).map_err(|hint| match hint.as_str() {
                    "" => E::invalid_value(Unexpected::Str(text), &self),
                    hint => E::custom(format_args!("expected {EXPECTED}, found `{text}`; {hint}")),
                })
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Text, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Words)
    }
}

/// The same for `Option<Duration>`; combine with `#[serde(default)]`.
pub mod option {
    use super::{Duration, Text};
    use serde::{Deserialize, Deserializer, Serializer};

    /// For `#[serde(with)]`: reads text such as `30s`, or nothing.
    ///
    /// # Errors
    ///
    /// When the value is neither absent nor a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<Text>::deserialize(deserializer).map(|text| text.map(|text| text.0))
    }

    /// For `#[serde(with)]`: writes text such as `1m 30s`, or nothing.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&humantime::format_duration(*duration).to_string()),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("30s", seconds(30)),
            ("1m 30s", seconds(90)),
            ("1m30s", seconds(90)),
            ("1h", seconds(3600)),
            ("500ms", Duration::from_millis(500)),
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for (text, hint) in [
            ("30", "a number has no unit; write `30s` for seconds"),
            ("1.5", "a number has no unit; write `1.5s` for seconds"),
            ("-1", ""),
            ("-1s", ""),
            ("soon", ""),
            ("", ""),
            ("30 parsecs", ""),
            ("99999999999999999999s", ""),
            ("18446744073709551615y", ""),
        ] {
            assert_eq!(read(text), Err(hint.to_owned()), "{text}");
        }
    }
}
