//! The books: SQLite in one file beside the process, or PostgreSQL.

mod postgres;
mod sqlite;

use sqlx::{ColumnIndex, Decode, Row, Type};

use super::{Draft, IdempotencyKey, Item, Order, Status};
use crate::config::Database;
use crate::decimal::Cents;

use postgres::Postgres;
use sqlite::Sqlite;

/// Where orders are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// What became of a draft.
#[derive(Debug)]
pub(crate) enum Placed {
    /// It is in the books, or already was under this idempotency key.
    Booked(Order),
    /// The key belongs to an order that reads differently.
    KeyReused,
}

impl Store {
    /// Opens the books that the configuration names, and brings their tables up to date.
    pub(crate) async fn open(database: &Database) -> anyhow::Result<Self> {
        Ok(if database.is_remote() {
            Self::Postgres(Postgres::open(database).await?)
        } else {
            Self::Sqlite(Sqlite::open(&database.path, database.max_connections.get()).await?)
        })
    }

    /// Puts a draft into the books as pending: all of it, with its key, or nothing.
    pub(crate) async fn place(
        &self,
        draft: &Draft,
        key: Option<&IdempotencyKey>,
    ) -> Result<Placed, sqlx::Error> {
        match self {
            Self::Sqlite(books) => books.place(draft, key).await,
            Self::Postgres(books) => books.place(draft, key).await,
        }
    }

    /// Marks an order as paid. `true` for the one call that changed it.
    pub(crate) async fn mark_paid(&self, id: &str) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(books) => books.mark_paid(id).await,
            Self::Postgres(books) => books.mark_paid(id).await,
        }
    }

    /// Orders in the books that nobody has paid yet, oldest first.
    pub(crate) async fn pending(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        match self {
            Self::Sqlite(books) => books.pending(limit).await,
            Self::Postgres(books) => books.pending(limit).await,
        }
    }

    /// The newest orders first.
    pub(crate) async fn newest(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        match self {
            Self::Sqlite(books) => books.newest(limit).await,
            Self::Postgres(books) => books.newest(limit).await,
        }
    }

    /// One order. The span says what the semantic conventions for databases have it say.
    #[tracing::instrument(
        name = "fetchOrderFromDB",
        skip_all,
        fields(
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            db.system.name = self.system(),
            db.operation.name = "SELECT",
            db.collection.name = "orders",
        )
    )]
    pub(crate) async fn order(&self, id: &str) -> Result<Option<Order>, sqlx::Error> {
        let found = match self {
            Self::Sqlite(books) => books.order(id).await,
            Self::Postgres(books) => books.order(id).await,
        };
        found.inspect_err(|_| {
            tracing::Span::current().record("otel.status_code", "error");
        })
    }

    /// As the semantic conventions for databases have it.
    const fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// Whether the books answer.
    pub(crate) async fn ping(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(books) => Ok(books.ping().await?),
            Self::Postgres(books) => Ok(books.ping().await?),
        }
    }

    /// Closes every connection; what was acknowledged is in the books.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(books) => books.close().await,
            Self::Postgres(books) => books.close().await,
        }
    }
}

/// A row of either database.
fn order<R>(row: &R) -> Result<Order, sqlx::Error>
where
    R: Row,
    for<'a> &'a str: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let items: String = row.try_get("items")?;
    let status: String = row.try_get("status")?;
    Ok(Order {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        items: items_from_json(&items).map_err(|error| sqlx::Error::Decode(error.into()))?,
        amount: Cents(row.try_get("amount_cents")?),
        status: if status == "paid" { Status::Paid } else { Status::Pending },
        created_at: row.try_get("created_at")?,
    })
}

/// Items in the table: `[["SKU-1",2,9999]]`, prices in cents.
fn items_to_json(items: &[Item]) -> String {
    let rows: Vec<_> = items.iter().map(|item| (&item.sku, item.quantity, item.unit_price.0)).collect();
    // strings and integers always serialise
    serde_json::to_string(&rows).unwrap_or_default()
}

fn items_from_json(json: &str) -> Result<Vec<Item>, serde_json::Error> {
    let rows: Vec<(String, u32, i64)> = serde_json::from_str(json)?;
    Ok(rows
        .into_iter()
        .map(|(sku, quantity, cents)| Item { sku, quantity, unit_price: Cents(cents) })
        .collect())
}
