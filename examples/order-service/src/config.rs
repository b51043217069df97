//! What this service can be told. The sections of prodkit itself (`server`, `log`, `otlp`, …) are not here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use prodkit::Live;
use prodkit::config::duration;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything has a default: with no file at all the service runs on an embedded database.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) database: Database,
    pub(crate) redis: Redis,
    pub(crate) payment_service: Remote,
    pub(crate) inventory_service: Remote,
    pub(crate) feature_flags: Live<FeatureFlags>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Database {
    /// The file of the embedded database.
    pub(crate) path: PathBuf,
    #[serde(deserialize_with = "connections")]
    pub(crate) max_connections: NonZeroU32,
    /// A database server instead.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) max_idle_connections: u32,
    #[serde(with = "duration")]
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

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Redis {
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    pub(crate) pool_size: u32,
    pub(crate) max_retries: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self { host: None, port: 6379, pool_size: 20, max_retries: 3 }
    }
}

/// A service this one would call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Remote {
    pub(crate) url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct FeatureFlags {
    pub(crate) new_checkout: bool,
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
