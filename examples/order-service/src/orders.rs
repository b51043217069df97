//! Orders: what one is, what a client may send, where they are kept, and how they are paid.

mod checkout;
mod draft;
mod store;

use serde::{Deserialize, Serialize};

pub(crate) use checkout::{Checkout, Inventory, Payments, describe_metrics};
pub(crate) use draft::{Draft, IdempotencyKey};
pub(crate) use store::{Placed, Store};

use crate::decimal::Cents;

/// An order in the books.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) items: Vec<Item>,
    pub(crate) amount: Cents,
    pub(crate) status: Status,
    /// RFC 3339, UTC, milliseconds.
    pub(crate) created_at: String,
}

/// One line of an order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Item {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
    pub(crate) unit_price: Cents,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// In the books, not yet paid.
    Pending,
    Paid,
}
