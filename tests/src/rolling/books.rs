//! The order-service's own books, read behind its back.

use std::error::Error;
use std::path::PathBuf;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// The ids of all orders in these files, sorted; one that is there twice is listed twice.
pub(super) fn ids(books: &[PathBuf]) -> Result<Vec<String>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut ids = Vec::new();
    for path in books {
        ids.extend(runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(path);
            let mut connection: SqliteConnection = options.connect().await?;
            let ids: Vec<(String,)> =
                sqlx::query_as("SELECT id FROM orders").fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(ids.into_iter().map(|(id,)| id))
        })?);
    }
    ids.sort_unstable();
    Ok(ids)
}
