//! From "in the books" to "paid": reserve, charge, mark. Every step may be repeated, so a crash between two of them costs
//! nothing: whoever comes next, the client with the same key or [`Checkout::settle_pending`], goes on where it stopped.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prodkit::Stop;
use tokio::time::sleep;

use super::{Draft, IdempotencyKey, Order, Placed, Status, Store};
use crate::problem::Problem;

const SETTLE_EVERY: Duration = Duration::from_secs(30);
const SETTLE_AT_ONCE: u32 = 100;

/// Stands in for the inventory service: has everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory;

impl Inventory {
    /// Reserves the items of an order; reserving for the same order again changes nothing.
    async fn reserve(&self, _order: &Order) {}
}

/// Stands in for the payment service: every card is good, and an order is charged once however often it is asked to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payments {
    charged: Arc<Mutex<HashSet<String>>>,
}

impl Payments {
    /// Charges an order; `true` for the one call that moved money.
    async fn charge(&self, order: &Order) -> bool {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner).insert(order.id.clone())
    }

    /// A paid order is never charged again, so its mark need not be kept.
    fn forget(&self, order: &Order) {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner).remove(&order.id);
    }
}

/// Says on `/metrics` what the numbers below mean.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!("orders_created_total", "Orders taken and paid.");
    metrics::describe_histogram!("order_amount_dollars", "What a paid order amounts to, in dollars.");
}

/// Takes orders and gets them paid.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    store: Store,
    inventory: Inventory,
    payments: Payments,
}

impl Checkout {
    pub(crate) const fn new(store: Store, inventory: Inventory, payments: Payments) -> Self {
        Self { store, inventory, payments }
    }

    /// Books and pays one order. With a key, however many such requests run at once, there is one order and every
    /// answer shows it.
    pub(crate) async fn take(&self, draft: &Draft, key: Option<&IdempotencyKey>) -> Result<Order, Problem> {
        match self.store.place(draft, key).await? {
            Placed::Booked(order) => Ok(self.settle(order).await?),
            Placed::KeyReused => Err(Problem::field(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "the key belongs to another order",
                "Idempotency-Key",
                "expected the body this key was first used with",
            )),
        }
    }

    async fn settle(&self, mut order: Order) -> Result<Order, sqlx::Error> {
        if order.status == Status::Pending {
            self.inventory.reserve(&order).await;
            self.payments.charge(&order).await;
            if self.store.mark_paid(&order.id).await? {
                metrics::counter!("orders_created_total").increment(1);
                metrics::histogram!("order_amount_dollars").record(order.amount.0 as f64 / 100.0);
                self.payments.forget(&order);
                tracing::info!(order.id, order.amount = %order.amount, "order paid");
            }
            order.status = Status::Paid;
        }
        Ok(order)
    }

    /// Pays what a crash or a vanished client left pending: at start, then every 30 s.
    pub(crate) async fn settle_pending(self, stop: Stop) -> Result<(), sqlx::Error> {
        while !stop.is_stopped() {
            for order in self.store.pending(SETTLE_AT_ONCE).await? {
                self.settle(order).await?;
            }
            tokio::select! {
                () = sleep(SETTLE_EVERY) => {}
                () = stop.stopped() => {}
            }
        }
        Ok(())
    }
}
