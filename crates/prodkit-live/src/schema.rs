//! `Live<T>` is described as its value is: whether a value may change is not a matter of how it is written.

use crate::live::Live;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

/// That of the value.
impl<T: JsonSchema> JsonSchema for Live<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
