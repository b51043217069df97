//! From our types to the OTLP messages.

pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod traces;

use crate::span::Value;
use crate::wire;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// A request for traces or logs, which are the same but for their items: one resource, and the items by scope, in the
/// order in which scopes are first met. `write` adds an item as field 2.
fn scoped<T>(
    resource: &[u8],
    items: &[T],
    name: impl for<'a> Fn(&'a T) -> &'a str,
    scope: impl Fn(&mut Vec<u8>, &str),
    write: impl Fn(&mut Vec<u8>, &T),
) -> Vec<u8> {
    let mut scopes: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut last = 0;
    for item in items {
        let name = name(item);
        if scopes.get(last).is_none_or(|(known, _)| *known != name) {
            last = scopes.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                let mut out = Vec::with_capacity(items.len() * 256);
                scope(&mut out, name);
                scopes.push((name, out));
                scopes.len() - 1
            });
        }
        write(&mut scopes[last].1, item);
    }
    let inner = wire::framed(1, resource.len())
        + scopes.iter().map(|(_, scope)| wire::framed(2, scope.len())).sum::<usize>();
    let mut out = Vec::with_capacity(wire::framed(1, inner));
    wire::head(&mut out, 1, inner);
    wire::head(&mut out, 1, resource.len());
    out.extend_from_slice(resource);
    for (_, scope) in scopes {
        wire::bytes(&mut out, 2, &scope);
    }
    out
}

/// The scope of the library that made something; our own has a version.
fn scope(out: &mut Vec<u8>, name: &str) {
    wire::message(out, 1, |out| {
        wire::bytes(out, 1, name.as_bytes());
        if name == "prodkit" {
            wire::bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
        }
    });
}

pub(crate) fn attribute((key, value): &(Cow<'static, str>, Value)) -> KeyValue {
    let value = Some(AnyValue { value: Some(self::value(value)) });
    KeyValue { key: key.to_string(), value, ..KeyValue::default() }
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

/// Nanoseconds since 1970; times before it or after 2554 are what cannot be told, 0.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_nanos().try_into().ok()).unwrap_or(0)
}
