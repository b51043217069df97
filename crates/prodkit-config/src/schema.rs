//! How the types that are written as text look to a JSON Schema.

use crate::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Text with a unit, or a number of bytes.
impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn schema_id() -> Cow<'static, str> {
        concat!(module_path!(), "::Bytes").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+\s*(B|[kK]B?|[MGT]B?|[KMGT]iB?)?$",
            "minimum": 0,
            "examples": ["2MiB", "64KiB"],
        })
    }
}

/// Text with units, or 0.
pub(crate) fn duration() -> Schema {
    json_schema!({
        "type": ["string", "integer"],
        "pattern": concat!(
            r"^(0|\s*([0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|",
            "minute|min|mins|m|hours|hour|hr|hrs|h|days|day|d|weeks|week|wk|wks|w|months|month|M|years|year|yr|yrs|y)",
            r"\s*)+)$",
        ),
        "minimum": 0,
        "maximum": 0,
        "examples": ["30s", "1m 30s", "500ms"],
    })
}

#[cfg(test)]
mod tests;
