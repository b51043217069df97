//! What a client may send, checked field by field before anything is stored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use axum::http::{HeaderMap, StatusCode};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Item;
use crate::decimal::{Cents, Decimal, NotUsable};
use crate::problem::{FieldError, Problem};

const MAX_ITEMS: usize = 1_000;
const MAX_QUANTITY: u128 = 1_000_000;
/// One million, in cents. With the two limits above the largest amount is 10¹⁷ cents, well inside an i64.
const MAX_UNIT_PRICE: u128 = 100_000_000;
const MAX_NAME: usize = 64;
/// Enough to mend a request by, and a bound on the answer to a hostile one.
const MAX_ERRORS: usize = 20;

/// A valid order that is not in the books yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Draft {
    pub(crate) user_id: String,
    pub(crate) items: Vec<Item>,
}

/// Numbers stay text until [`Decimal`] reads them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrder<'a> {
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    items: Vec<Object<RawItem<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem<'a> {
    sku: Cow<'a, str>,
    #[serde(borrow)]
    quantity: &'a RawValue,
    #[serde(borrow)]
    unit_price: &'a RawValue,
}

/// A struct that is a JSON object. serde would take an array of its values too, a format nobody meant to offer.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ByName<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(ByName(PhantomData)).map(Self)
    }
}

impl Draft {
    /// Reads a JSON body. A body that is no JSON is a 400, JSON that is no order a 422 with every wrong field.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let Object(raw): Object<RawOrder<'_>> =
            serde_path_to_error::deserialize(&mut deserializer).map_err(unreadable)?;
        deserializer.end().map_err(|_| {
            Problem::field(
                StatusCode::BAD_REQUEST,
                "the body is not JSON",
                "body",
                "expected nothing after the order",
            )
        })?;

        let mut errors = Errors::default();
        let user_id = errors.name("user_id", raw.user_id);
        if raw.items.is_empty() || raw.items.len() > MAX_ITEMS {
            errors.push("items", format!("expected 1 to {MAX_ITEMS} items"));
        }
        let items = raw.items.into_iter().take(MAX_ITEMS).enumerate().map(|(index, Object(item))| Item {
            quantity: errors.number(index, "quantity", item.quantity, quantity).unwrap_or_default(),
            unit_price: errors.number(index, "unit_price", item.unit_price, unit_price).unwrap_or_default(),
            sku: errors.name(format!("items[{index}].sku"), item.sku),
        });
        let items = items.collect();
        errors.none().map(|()| Self { user_id, items })
    }

    pub(crate) fn amount(&self) -> Cents {
        Cents(self.items.iter().map(|item| item.unit_price.0 * i64::from(item.quantity)).sum())
    }
}

fn quantity(number: Decimal) -> Result<u32, &'static str> {
    let whole = number.scaled(0).filter(|quantity| (1..=MAX_QUANTITY).contains(quantity));
    whole.and_then(|quantity| quantity.try_into().ok()).ok_or("expected a whole number from 1 to 1000000")
}

fn unit_price(number: Decimal) -> Result<Cents, &'static str> {
    const RANGE: &str = "expected 0 to 1000000.00";
    if number.is_negative() {
        return Err(RANGE);
    }
    let cents = number.scaled(2).ok_or("expected at most two decimals")?;
    if cents > MAX_UNIT_PRICE {
        return Err(RANGE);
    }
    cents.try_into().map(Cents).map_err(|_| RANGE)
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn push(&mut self, field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(FieldError { field: field.into(), detail: detail.into() });
        }
    }

    fn name(&mut self, field: impl Into<Cow<'static, str>>, value: Cow<'_, str>) -> String {
        let fits = (1..=MAX_NAME).contains(&value.chars().count());
        if !fits || value.trim() != value || value.chars().any(is_invisible) {
            self.push(
                field,
                format!("expected 1 to {MAX_NAME} printable characters, no space at either end"),
            );
        }
        value.into_owned()
    }

    fn number<T>(
        &mut self,
        index: usize,
        field: &str,
        raw: &RawValue,
        read: fn(Decimal) -> Result<T, &'static str>,
    ) -> Option<T> {
        let value = match Decimal::parse(raw.get()) {
            Ok(number) => read(number),
            Err(NotUsable::NotANumber) => Err("expected a number"),
            Err(NotUsable::OutOfRange) => Err("expected a smaller number"),
        };
        value.map_err(|detail| self.push(format!("items[{index}].{field}"), detail)).ok()
    }

    fn none(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, "the order is not valid", self.0))
    }
}

/// Characters that make two different names look the same, or the log line that shows one read backwards.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What serde could not read, with the field it was reading.
fn unreadable(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let parent = path.trim_end_matches(['.', '?']);
    let inner = error.inner();
    if !inner.is_data() {
        let detail = format!("expected valid JSON, line {} column {}", inner.line(), inner.column());
        return Problem::field(StatusCode::BAD_REQUEST, "the body is not JSON", named(parent), detail);
    }

    // serde reports these three at the parent and puts the name between backticks
    let message = inner.to_string();
    // the client's own name may hold backticks too
    let between = |before: &str, after: &str| Some(message.strip_prefix(before)?.rsplit_once(after)?.0);
    let (child, detail) = if let Some(name) = between("unknown field `", "`, expected") {
        (Some(name), "unknown field".to_owned())
    } else if let Some(name) = between("missing field `", "`") {
        (Some(name), "missing field".to_owned())
    } else if let Some(name) = between("duplicate field `", "`") {
        (Some(name), "field given twice".to_owned())
    } else {
        // "invalid type: string "…", expected a sequence at line 1 column 2": only what was expected, not what was sent
        let expected = message.rsplit_once("expected ").map_or("something else", |(_, rest)| rest);
        (None, format!("expected {}", expected.split(" at line ").next().unwrap_or(expected)))
    };
    let field = match child {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) if parent.ends_with(&format!(".{name}")) || parent == name => parent.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None => parent.to_owned(),
    };
    Problem::field(StatusCode::UNPROCESSABLE_ENTITY, "the order is not valid", named(&field), detail)
}

/// A field as an answer names it: never empty, and not longer than a name here can be, whatever the client called it.
fn named(field: &str) -> String {
    if field.is_empty() { "body".to_owned() } else { field.chars().take(2 * MAX_NAME).collect() }
}

/// The client's name for one attempt (draft-ietf-httpapi-idempotency-key-header): the same key never makes two orders.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IdempotencyKey(pub(crate) String);

impl IdempotencyKey {
    const HEADER: &str = "Idempotency-Key";

    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(Self::HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(Self::HEADER) { Err(Self::refused()) } else { Ok(None) };
        };
        let key = value.to_str().map_err(|_| Self::refused())?;
        // A space or comma inside would be two keys that a proxy made one header of.
        if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Self::refused());
        }
        Ok(Some(Self(key.to_owned())))
    }

    fn refused() -> Problem {
        Problem::field(
            StatusCode::BAD_REQUEST,
            "the header is not valid",
            Self::HEADER,
            "expected one value of 1 to 255 visible ASCII characters",
        )
    }
}

#[cfg(test)]
mod tests;
