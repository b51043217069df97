//! The books in PostgreSQL, behind a pool that follows its credentials.

mod pool;

use std::time::Duration;

use prodkit::Live;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres as Pg};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Draft, IdempotencyKey, Order, Placed, items_to_json, order};
use crate::config::Database;

use pool::{Pool, is_login_refused};

pub(crate) use pool::OpenError;

const COLUMNS: &str = "SELECT id, user_id, items, amount_cents, status, \
     to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS created_at FROM orders";

/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How soon it is tried again where the server has new credentials and we have not yet.
const AGAIN: Duration = Duration::from_millis(50);

/// A database on a server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pool: Live<Pool>,
}

/// A connection, and the pool it is from: a pool that was replaced goes when the last of these is back.
struct Borrowed {
    connection: PoolConnection<Pg>,
    _pool: std::sync::Arc<Pool>,
}

impl Postgres {
    /// Logs in, brings the tables up to date, and from then on logs in anew whenever a credential changes.
    pub(crate) async fn open(database: &Database) -> Result<Self, OpenError> {
        let size = pool::Size::of(database);
        let server = pool::Server::of(database);
        let login = database.url.live().zip(database.user.live()).zip(database.password().live());
        let pool = login.try_map(move |login| {
            let server = server.clone();
            async move { Pool::open(&server, size, &login.0.0, &login.0.1, &login.1).await }
        });
        let pool = pool.await?;
        let migrating = pool.load();
        // It holds an advisory lock of the database meanwhile: of any number of processes, one migrates.
        sqlx::migrate!("migrations/postgres")
            .run(&migrating.connections)
            .await
            .map_err(OpenError::Migrate)?;
        Ok(Self { pool })
    }

    /// A connection of the pool as it is now.
    ///
    /// Between the moment at which the server takes a new password and the one at which it has come to us, the server
    /// refuses what the pool has. That is waited out: no query has been sent yet.
    async fn acquire(&self) -> Result<Borrowed, sqlx::Error> {
        let until = Instant::now() + ACQUIRE;
        let mut changes = self.pool.changes();
        loop {
            let pool = self.pool.load();
            match pool.connections.acquire().await {
                Ok(connection) => return Ok(Borrowed { connection, _pool: pool }),
                Err(error) if is_login_refused(&error) && Instant::now() < until => {
                    drop(pool);
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = sleep(AGAIN) => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn place(
        &self,
        draft: &Draft,
        key: Option<&IdempotencyKey>,
    ) -> Result<Placed, sqlx::Error> {
        let mut borrowed = self.acquire().await?;
        let mut transaction = borrowed.connection.begin().await?;

        if let Some(IdempotencyKey(key)) = key {
            // One request per key at a time, or both would find that there is no order yet.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(key)
                .execute(&mut *transaction)
                .await?;
            if let Some(known) = order_of_key(&mut transaction, key).await? {
                let same = known.user_id == draft.user_id && known.items == draft.items;
                return Ok(if same { Placed::Booked(known) } else { Placed::KeyReused });
            }
        }

        let id = format!("ORD-{}", Uuid::now_v7().simple());
        sqlx::query(
            "INSERT INTO orders (id, user_id, items, amount_cents, status) VALUES ($1, $2, $3, $4, 'pending')",
        )
        .bind(&id)
        .bind(&draft.user_id)
        .bind(items_to_json(&draft.items))
        .bind(draft.amount().0)
        .execute(&mut *transaction)
        .await?;
        if let Some(IdempotencyKey(key)) = key {
            sqlx::query("INSERT INTO idempotency_keys (key, order_id) VALUES ($1, $2)")
                .bind(key)
                .bind(&id)
                .execute(&mut *transaction)
                .await?;
        }
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
        let row = sqlx::query(query).bind(&id).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        order(&row).map(Placed::Booked)
    }

    pub(super) async fn mark_paid(&self, id: &str) -> Result<bool, sqlx::Error> {
        let mut borrowed = self.acquire().await?;
        let done = sqlx::query("UPDATE orders SET status = 'paid' WHERE id = $1 AND status = 'pending'")
            .bind(id)
            .execute(&mut *borrowed.connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(super) async fn pending(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        self.list("WHERE status = 'pending' ORDER BY id LIMIT $1", limit).await
    }

    pub(super) async fn newest(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        self.list("ORDER BY id DESC LIMIT $1", limit).await
    }

    pub(super) async fn order(&self, id: &str) -> Result<Option<Order>, sqlx::Error> {
        // The one character that text cannot hold here.
        if id.contains('\0') {
            return Ok(None);
        }
        let mut borrowed = self.acquire().await?;
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
        let row = sqlx::query(query).bind(id).fetch_optional(&mut *borrowed.connection).await?;
        row.as_ref().map(order).transpose()
    }

    pub(super) async fn ping(&self) -> Result<(), sqlx::Error> {
        let mut borrowed = self.acquire().await?;
        sqlx::query("SELECT id FROM orders LIMIT 1").execute(&mut *borrowed.connection).await.map(drop)
    }

    pub(super) async fn close(&self) {
        self.pool.load().connections.close().await;
    }

    async fn list(&self, clause: &'static str, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        let mut borrowed = self.acquire().await?;
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} {clause}"));
        let rows = sqlx::query(query).bind(i64::from(limit)).fetch_all(&mut *borrowed.connection).await?;
        rows.iter().map(order).collect()
    }
}

async fn order_of_key(connection: &mut PgConnection, key: &str) -> Result<Option<Order>, sqlx::Error> {
    let query = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE id = (SELECT order_id FROM idempotency_keys WHERE key = $1)"
    ));
    sqlx::query(query).bind(key).fetch_optional(connection).await?.as_ref().map(order).transpose()
}
