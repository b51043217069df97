//! The books: SQLite in one file, beside the process.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use uuid::Uuid;

use super::{Draft, IdempotencyKey, Order, Placed, items_to_json, order};

const COLUMNS: &str = "SELECT id, user_id, items, amount_cents, status, created_at FROM orders";

/// Where orders are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    /// One connection: SQLite has one writer, and a queue here is fairer than its busy loop.
    writer: SqlitePool,
    readers: SqlitePool,
    /// The file, and which one it was when it was opened.
    path: Arc<Path>,
    file: FileId,
}

/// Device and inode: what a path names may be deleted or replaced, while we would go on writing to the one before.
type FileId = (u64, u64);

fn file_id(path: &Path) -> io::Result<FileId> {
    path.metadata().map(|file| (file.dev(), file.ino()))
}

/// Why the books cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("failed to find the database {path}")]
    Find { path: String, source: io::Error },
    #[error("failed to open the database {path}")]
    Connect { path: String, source: sqlx::Error },
    #[error("failed to migrate the database {path}")]
    Migrate { path: String, source: MigrateError },
}

/// Why the books do not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PingError {
    #[error("failed to read the database")]
    Read(#[from] sqlx::Error),
    #[error("failed to find the database file")]
    Find(#[from] io::Error),
    #[error("the database file was replaced while in use; what is taken now would be lost")]
    Replaced,
}

impl Sqlite {
    /// Opens the file, creates it if need be, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, max_connections: u32) -> Result<Self, OpenError> {
        // Absolute, so that SQLite sees nothing but a file: ":memory:" and "" would be taken, and lost at the end.
        let path: Arc<Path> = std::path::absolute(path)
            .map_err(|source| OpenError::Find { path: path.display().to_string(), source })?
            .into();
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An order that was answered 201 survives the machine losing power, not only the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Shorter than the wait for a connection, so that the error is the lock and not the queue behind it.
            .busy_timeout(Duration::from_secs(4));
        let name = || path.display().to_string();
        let pool =
            |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(5));
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|source| OpenError::Connect { path: name(), source })?;
        sqlx::migrate!("migrations/sqlite")
            .run(&writer)
            .await
            .map_err(|source| OpenError::Migrate { path: name(), source })?;
        // Where nothing is left to migrate, a file that cannot be written would show with the first order only.
        writable(&writer).await.map_err(|source| OpenError::Connect { path: name(), source })?;
        let file = file_id(&path).map_err(|source| OpenError::Find { path: name(), source })?;
        let readers =
            pool(max_connections.max(1)).connect_lazy_with(options.read_only(true).create_if_missing(false));
        Ok(Self { writer, readers, path, file })
    }

    /// Puts a draft into the books as pending: all of it, with its key, or nothing.
    pub(crate) async fn place(
        &self,
        draft: &Draft,
        key: Option<&IdempotencyKey>,
    ) -> Result<Placed, sqlx::Error> {
        let mut connection = self.writer.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;

        if let Some(known) = order_of_key(&mut transaction, key).await? {
            let same = known.user_id == draft.user_id && known.items == draft.items;
            return Ok(if same { Placed::Booked(known) } else { Placed::KeyReused });
        }

        let id = format!("ORD-{}", Uuid::now_v7().simple());
        let row = sqlx::query(
            "INSERT INTO orders (id, user_id, items, amount_cents, status) VALUES (?, ?, ?, ?, 'pending')
             RETURNING id, user_id, items, amount_cents, status, created_at",
        )
        .bind(&id)
        .bind(&draft.user_id)
        .bind(items_to_json(&draft.items))
        .bind(draft.amount().0)
        .fetch_one(&mut *transaction)
        .await?;
        if let Some(IdempotencyKey(key)) = key {
            sqlx::query("INSERT INTO idempotency_keys (key, order_id) VALUES (?, ?)")
                .bind(key)
                .bind(&id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        order(&row).map(Placed::Booked)
    }

    /// Marks an order as paid. `true` for the one call that changed it.
    pub(crate) async fn mark_paid(&self, id: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query("UPDATE orders SET status = 'paid' WHERE id = ? AND status = 'pending'")
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Orders in the books that nobody has paid yet, oldest first.
    pub(crate) async fn pending(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        self.list("WHERE status = 'pending' ORDER BY id LIMIT ?", limit).await
    }

    /// The newest orders first.
    pub(crate) async fn newest(&self, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        self.list("ORDER BY id DESC LIMIT ?", limit).await
    }

    pub(crate) async fn order(&self, id: &str) -> Result<Option<Order>, sqlx::Error> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?"));
        sqlx::query(query).bind(id).fetch_optional(&self.readers).await?.as_ref().map(order).transpose()
    }

    /// Whether the books answer.
    pub(crate) async fn ping(&self) -> Result<(), PingError> {
        // the table, because a mere SELECT 1 never touches the file
        sqlx::query("SELECT id FROM orders LIMIT 1").execute(&self.readers).await?;
        if file_id(&self.path)? == self.file { Ok(()) } else { Err(PingError::Replaced) }
    }

    /// Closes every connection; what was acknowledged is in the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn list(&self, clause: &'static str, limit: u32) -> Result<Vec<Order>, sqlx::Error> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} {clause}"));
        sqlx::query(query).bind(limit).fetch_all(&self.readers).await?.iter().map(order).collect()
    }
}

/// Asks for the write lock and changes nothing; BEGIN IMMEDIATE alone succeeds on a read-only file too.
async fn writable(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE orders SET status = status WHERE false").execute(writer).await.map(drop)
}

async fn order_of_key(
    connection: &mut SqliteConnection,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Order>, sqlx::Error> {
    let Some(IdempotencyKey(key)) = key else { return Ok(None) };
    let query = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE id = (SELECT order_id FROM idempotency_keys WHERE key = ?)"
    ));
    sqlx::query(query).bind(key).fetch_optional(connection).await?.as_ref().map(order).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_noticed_before_the_first_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db");
        let store = Sqlite::open(&path, 1).await.unwrap();
        writable(&store.writer).await.unwrap();
        // what SQLite falls back to where the file's mode says so; a test that runs as root cannot have that
        let options = SqliteConnectOptions::new().filename(&path).read_only(true);
        let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
        assert!(writable(&pool).await.unwrap_err().to_string().contains("readonly"));
    }
}
