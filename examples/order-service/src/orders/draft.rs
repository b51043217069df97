//! What a client may send, checked field by field before anything is stored.

use std::borrow::Cow;

use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
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
    items: Vec<RawItem<'a>>,
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

impl Draft {
    /// Reads a JSON body. A body that is no JSON is a 400, JSON that is no order a 422 with every wrong field.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let raw: RawOrder<'_> = serde_path_to_error::deserialize(&mut deserializer).map_err(unreadable)?;
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
        let items = raw.items.into_iter().take(MAX_ITEMS).enumerate().map(|(index, item)| Item {
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
        if !(1..=MAX_NAME).contains(&value.chars().count()) || value.chars().any(char::is_control) {
            self.push(field, format!("expected 1 to {MAX_NAME} printable characters"));
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

/// What serde could not read, with the field it was reading.
fn unreadable(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let inner = error.inner();
    if !inner.is_data() {
        let field = if matches!(path.as_str(), "." | "?") { "body".to_owned() } else { path };
        let detail = format!("expected valid JSON, line {} column {}", inner.line(), inner.column());
        return Problem::field(StatusCode::BAD_REQUEST, "the body is not JSON", field, detail);
    }

    // serde reports these three at the parent and puts the name between backticks
    let message = inner.to_string();
    let named = |what: &str| message.strip_prefix(what)?.split_once('`').map(|(name, _)| name.to_owned());
    let (child, detail) = if let Some(name) = named("unknown field `") {
        (Some(name), "unknown field".to_owned())
    } else if let Some(name) = named("missing field `") {
        (Some(name), "missing field".to_owned())
    } else if let Some(name) = named("duplicate field `") {
        (Some(name), "field given twice".to_owned())
    } else {
        // "invalid type: string "…", expected a sequence at line 1 column 2": only what was expected, not what was sent
        let expected = message.rsplit_once("expected ").map_or("something else", |(_, rest)| rest);
        (None, format!("expected {}", expected.split(" at line ").next().unwrap_or(expected)))
    };
    let parent = path.trim_end_matches(".?").trim_end_matches('.');
    let field = match child.map(|name| name.chars().take(MAX_NAME).collect::<String>()) {
        Some(name) if parent.is_empty() || parent == "?" => name,
        Some(name) if parent.ends_with(&format!(".{name}")) || parent == name => parent.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None if parent.is_empty() => "body".to_owned(),
        None => parent.to_owned(),
    };
    Problem::field(StatusCode::UNPROCESSABLE_ENTITY, "the order is not valid", field, detail)
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
        let key = value.to_str().map_err(|_| Self::refused())?.trim();
        if !(1..=255).contains(&key.len()) {
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
