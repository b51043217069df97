//! One pool, for one set of credentials.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use prodkit::secrets::SecretValue;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;

use super::ACQUIRE;
use crate::config::Database;

/// How long one login may take.
const LOGIN: Duration = Duration::from_secs(5);
/// How long a connection beyond those that are kept may be idle.
const IDLE: Duration = Duration::from_secs(60);

/// Connections of one set of credentials. Dropped, it closes those that are idle, and there are no others: whoever uses
/// one holds the pool.
pub(super) struct Pool {
    pub(super) connections: PgPool,
    /// What was leased is not given back while it is in use here.
    _credentials: [Arc<SecretValue>; 3],
}

/// Where the server is, if no URL says so.
#[derive(Clone, Debug)]
pub(super) struct Server {
    host: String,
    port: u16,
    database: String,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    max: u32,
    max_idle: u32,
    lifetime: Duration,
}

/// Why the books cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    // not the source: it may quote the URL
    #[error("database.url is no URL of a PostgreSQL server")]
    Url,
    #[error("{what} is not text")]
    NotText { what: &'static str },
    #[error("failed to log in to {server}")]
    Login { server: String, source: sqlx::Error },
    #[error("failed to log in to {server}: no answer within 5 s")]
    Silent { server: String },
    #[error("failed to migrate the database")]
    Migrate(#[source] MigrateError),
}

/// Whether the server refuses the login itself: a wrong password, an unknown role or one that may not log in (class 28 of
/// appendix A of the PostgreSQL manual).
pub(super) fn is_login_refused(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("28"))
}

impl Pool {
    /// Logs in once, so that the reason is known where it fails: a pool would only say that it took too long.
    pub(super) async fn open(
        server: &Server,
        size: Size,
        url: &Arc<SecretValue>,
        user: &Arc<SecretValue>,
        password: &Arc<SecretValue>,
    ) -> Result<Self, OpenError> {
        let options = server.options(url, user, password)?.disable_statement_logging();
        let name = format!(
            "{} at {}:{}",
            options.get_database().unwrap_or_default(),
            options.get_host(),
            options.get_port()
        );
        match timeout(LOGIN, PgConnection::connect_with(&options)).await {
            Err(_) => return Err(OpenError::Silent { server: name }),
            Ok(Err(source)) => return Err(OpenError::Login { server: name, source }),
            // It has shown what it was to show.
            Ok(Ok(connection)) => drop(connection.close().await),
        }
        let connections = PgPoolOptions::new()
            .max_connections(size.max)
            .min_connections(size.max_idle.min(size.max))
            .idle_timeout(IDLE)
            .max_lifetime(size.lifetime)
            .acquire_timeout(ACQUIRE)
            .connect_lazy_with(options);
        let _credentials = [url, user, password].map(Arc::clone);
        Ok(Self { connections, _credentials })
    }
}

impl Server {
    pub(super) fn of(database: &Database) -> Self {
        Self {
            host: database.host.clone().unwrap_or_default(),
            port: database.port,
            database: database.database.clone(),
        }
    }

    fn options(
        &self,
        url: &SecretValue,
        user: &SecretValue,
        password: &SecretValue,
    ) -> Result<PgConnectOptions, OpenError> {
        let text = |what, secret: &SecretValue| {
            secret.expose_text().map(str::to_owned).map_err(|_| OpenError::NotText { what })
        };
        let mut options = if url.is_missing() {
            let Self { host, port, database } = self;
            PgConnectOptions::new_without_pgpass()
                .host(host)
                .port(*port)
                .database(database)
                .username(database)
        } else {
            PgConnectOptions::from_str(&text("database.url", url)?).map_err(|_| OpenError::Url)?
        };
        if !user.is_missing() {
            options = options.username(&text("database.user", user)?);
        }
        if !password.is_missing() {
            options = options.password(&text("database.password", password)?);
        }
        Ok(options.application_name("order-service"))
    }
}

impl Size {
    pub(super) const fn of(database: &Database) -> Self {
        Self {
            max: database.max_connections.get(),
            max_idle: database.max_idle_connections,
            lifetime: database.connection_max_lifetime,
        }
    }
}

// Not the options, which hold the password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.connections.size()).finish_non_exhaustive()
    }
}
