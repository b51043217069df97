//! From our types to the OTLP messages.

pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod traces;

use crate::span::{Attributes, Value};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// The scope of the library that made something; our own has a version.
pub(crate) fn scope(name: &str) -> InstrumentationScope {
    let version = if name == "prodkit" { env!("CARGO_PKG_VERSION").to_owned() } else { String::new() };
    InstrumentationScope { name: name.to_owned(), version, ..InstrumentationScope::default() }
}

pub(crate) fn attributes(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().map(attribute).collect()
}

pub(crate) fn attribute((key, value): &(Cow<'static, str>, Value)) -> KeyValue {
    pair(key, self::value(value))
}

fn value(value: &Value) -> any_value::Value {
    match value {
        Value::Bool(value) => any_value::Value::BoolValue(*value),
        Value::F64(value) => any_value::Value::DoubleValue(*value),
        Value::I64(value) => any_value::Value::IntValue(*value),
        Value::List(values) => {
            let values = values.iter().map(|value| AnyValue { value: Some(self::value(value)) }).collect();
            any_value::Value::ArrayValue(ArrayValue { values })
        }
        Value::Str(value) => any_value::Value::StringValue(value.to_string()),
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    pair(key, any_value::Value::StringValue(value.to_owned()))
}

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Nanoseconds since 1970; times before it or after 2554 are what cannot be told, 0.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_nanos().try_into().ok()).unwrap_or(0)
}
