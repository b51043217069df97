//! What this service can be told. The sections of prodkit itself (`server`, `log`, `otlp`, …) are not here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use prodkit::Live;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything has a default: with no file at all the service runs on an embedded database.
///
/// The comments are what `config sample` shows to the operator.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) database: Database,
    pub(crate) redis: Redis,
    /// Who takes the money. Default: a stand-in in this process.
    pub(crate) payment_service: Remote,
    /// Who keeps the stock. Default: a stand-in in this process.
    pub(crate) inventory_service: Remote,
    /// What is on trial. Takes effect without a restart; `GET /api/features` shows it.
    pub(crate) feature_flags: Live<FeatureFlags>,
}

/// Where orders are kept.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Database {
    /// The file of the embedded database. Default: orders.db in the working directory.
    pub(crate) path: PathBuf,
    /// Connections, 1000 at most. Default: 10.
    #[serde(deserialize_with = "connections")]
    #[schemars(range(max = 1000))]
    pub(crate) max_connections: NonZeroU32,
    /// A PostgreSQL server instead. This build has no client for it, and refuses. Default: none.
    #[schemars(example = &"postgres-service")]
    pub(crate) host: Option<String>,
    /// The port of the server. Default: 5432.
    pub(crate) port: u16,
    /// The name of the database there. Default: orders.
    pub(crate) database: String,
    /// Idle connections to it, at most. Default: 10.
    pub(crate) max_idle_connections: u32,
    /// How long a connection to it is used. Default: 1h.
    pub(crate) connection_max_lifetime: Duration,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            path: "orders.db".into(),
            max_connections: const { NonZeroU32::new(10).unwrap() },
            host: None,
            port: 5432,
            database: "orders".to_owned(),
            max_idle_connections: 10,
            connection_max_lifetime: Duration::from_secs(3600),
        }
    }
}

/// The pool reserves room for every connection it may ever have.
fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    const MOST: u32 = 1_000;
    let connections = NonZeroU32::deserialize(deserializer)?;
    if connections.get() > MOST {
        return Err(serde::de::Error::custom(format_args!("expected at most {MOST} connections")));
    }
    Ok(connections)
}

/// A cache, which this build has no client for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Redis {
    /// The server; with one this build refuses to start. Default: none.
    #[schemars(example = &"redis-service")]
    pub(crate) host: Option<String>,
    /// Its port. Default: 6379.
    pub(crate) port: u16,
    /// Connections. Default: 20.
    pub(crate) pool_size: u32,
    /// How often a command is tried again. Default: 3.
    pub(crate) max_retries: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self { host: None, port: 6379, pool_size: 20, max_retries: 3 }
    }
}

/// Another service.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Remote {
    /// Where it is; with one this build refuses to start. Default: none.
    #[schemars(example = &"http://localhost:8081/api")]
    pub(crate) url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct FeatureFlags {
    /// The new checkout. Default: false.
    pub(crate) new_checkout: bool,
    /// The experimental user interface. Default: false.
    pub(crate) experimental_ui: bool,
}

impl Config {
    /// Refuses what the file asks for and this build does not have, all of it at once.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let asked = [
            (
                self.database.host.is_some(),
                "database.host: PostgreSQL; unset it and set database.path for the embedded database",
            ),
            (self.redis.host.is_some(), "redis.host: Redis; unset it"),
            (
                self.payment_service.url.is_some(),
                "payment_service.url: a remote payment service; unset it for the one in process",
            ),
            (
                self.inventory_service.url.is_some(),
                "inventory_service.url: a remote inventory service; unset it for the one in process",
            ),
        ];
        let missing: Vec<_> = asked.into_iter().filter_map(|(asked, what)| asked.then_some(what)).collect();
        anyhow::ensure!(missing.is_empty(), "this build does not have\n  {}", missing.join("\n  "));
        Ok(())
    }
}
