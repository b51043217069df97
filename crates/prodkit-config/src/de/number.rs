//! Numbers, with their limits.

use super::{De, Fault, Value};
use crate::scalar::{self, Form, Why};
use serde::de::Visitor;
use std::fmt::Display;

/// The `deserialize_*` methods of all integer types, each with its own limits in the error.
macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.whole::<$type>(&<$type>::MIN, &<$type>::MAX)?)
        }
    )*};
}
pub(super) use integers;

impl De<'_, '_> {
    pub(super) fn whole<T: TryFrom<i128> + TryFrom<u128> + Display>(
        &self,
        min: &T,
        max: &T,
    ) -> Result<T, Fault> {
        let expected = || format!("a whole number from {min} to {max}");
        let Value::Scalar(text, form) = self.value else { return Err(self.expected(&expected(), None)) };
        let read = scalar::whole(text);
        if let (Form::Plain | Form::Bare | Form::Int, Ok(number)) = (form, read) {
            let value = number.to_i128().and_then(|number| T::try_from(number).ok());
            let value = value.or_else(|| number.to_u128().and_then(|number| T::try_from(number).ok()));
            return value.ok_or_else(|| self.expected(&expected(), None));
        }
        Err(self.expected(&expected(), hint(text, form, read.err())))
    }

    pub(super) fn float(&self, expected: &str) -> Result<f64, Fault> {
        let Value::Scalar(text, form) = self.value else { return Err(self.expected(expected, None)) };
        match (form, scalar::float(text)) {
            (Form::Plain | Form::Bare | Form::Int | Form::Float, Ok(number)) => Ok(number),
            (_, read) => Err(self.expected(expected, hint(text, form, read.err()))),
        }
    }

    pub(super) fn float32(&self) -> Result<f32, Fault> {
        let wide = self.float("a number")?;
        let narrow = wide as f32;
        if narrow.is_infinite() && wide.is_finite() {
            return Err(self.expected("a number of 32 bits", None));
        }
        Ok(narrow)
    }
}

fn hint(text: &str, form: Form, why: Option<Why>) -> Option<String> {
    match (form, why) {
        (Form::Text, None) => Some(format!("write `{text}` without quotes")),
        (Form::Plain | Form::Bare, Some(Why::LeadingZero)) => {
            let digits = text.trim_start_matches(['0', '-', '+']);
            let digits = if digits.is_empty() { "0" } else { digits };
            Some(format!("leading zeros are not decimal; write `{digits}`, or `0o{digits}` for octal"))
        }
        (Form::Plain | Form::Bare, Some(Why::Underscore)) => {
            Some(format!("write `{}`", text.replace('_', "")))
        }
        (_, Some(Why::TooLarge)) => Some("the number is too large".into()),
        _ => None,
    }
}

/// A whole number nobody asked for by type: the smallest of serde's that holds it.
pub(super) fn untyped<'t, V: Visitor<'t>>(de: De<'t, '_>, text: &str, visitor: V) -> Result<V::Value, Fault> {
    match scalar::whole(text).ok().and_then(scalar::Whole::to_i128) {
        Some(number) => match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(too_wide(&de)),
        },
        None => Err(too_wide(&de)),
    }
}

fn too_wide(de: &De<'_, '_>) -> Fault {
    de.expected("a whole number of at most 64 bits", None)
}
