//! What this service can be told. The sections of prodkit itself (`server`, `log`, `otlp`, …) are not here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use prodkit::{Live, Secret};
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
    /// A PostgreSQL server instead of the file. Default: none.
    #[schemars(example = &"postgres-service")]
    pub(crate) host: Option<String>,
    /// The port of the server. Default: 5432.
    pub(crate) port: u16,
    /// The name of the database there. Default: orders.
    pub(crate) database: String,
    /// All of that, user and password included, in one: where a URL of PostgreSQL is. New ones take effect without a
    /// restart. Default: none.
    #[serde(default = "absent", skip_serializing)]
    #[schemars(example = &"file:/var/secrets/db_url.txt")]
    pub(crate) url: Secret,
    /// Who logs in. A new one takes effect without a restart. Also `DB_USER`. Default: the name of the database.
    #[serde(default = "db_user", skip_serializing)]
    #[schemars(example = &"env:DB_USER")]
    pub(crate) user: Secret,
    /// With what: a place, not the password itself. A new one takes effect without a restart. Also `DB_PASSWORD`, or the file
    /// that `DB_PASSWORD_FILE` names. Default: none.
    #[serde(skip_serializing)]
    #[schemars(example = &"file:/var/secrets/db-password")]
    password: Option<Secret>,
    /// What the environment says, to be held against the file.
    #[serde(skip, default = "db_password")]
    env_password: Secret,
    /// Idle connections to the server that are kept, and opened beforehand; more are closed after a minute. Default: 10.
    pub(crate) max_idle_connections: u32,
    /// How long a connection to the server is used. Default: 1h.
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
            url: absent(),
            user: db_user(),
            password: None,
            env_password: db_password(),
            max_idle_connections: 10,
            connection_max_lifetime: Duration::from_secs(3600),
        }
    }
}

/// Nothing, unless the configuration says where something is.
fn absent() -> Secret {
    Secret::missing()
}

fn db_user() -> Secret {
    Secret::optional("env:DB_USER")
}

fn db_password() -> Secret {
    Secret::optional("env:DB_PASSWORD")
}

fn redis_password() -> Secret {
    Secret::optional("env:REDIS_PASSWORD")
}

impl Database {
    /// Whether orders are kept on a server.
    pub(crate) fn is_remote(&self) -> bool {
        self.host.is_some() || !self.url.get().is_missing()
    }

    /// What the server asks for. Two that say the same are as good as one.
    pub(crate) fn password(&self) -> &Secret {
        self.password.as_ref().unwrap_or(&self.env_password)
    }

    /// Refuses sources that contradict each other, by name.
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.host.is_none() || self.url.get().is_missing(),
            "database.url and database.host are both set; unset one of them"
        );
        agree("database.password", self.password.as_ref(), "DB_PASSWORD", &self.env_password)?;
        let in_url = self.url.get().expose_text().ok().and_then(password_of);
        let password = self.password().get();
        anyhow::ensure!(
            in_url.is_none_or(|in_url| password.is_missing() || password.is(&in_url)),
            "database.url has a password, and {} has another; unset one of them",
            if self.password.is_some() { "database.password" } else { "DB_PASSWORD (or DB_PASSWORD_FILE)" }
        );
        Ok(())
    }
}

fn agree(path: &str, written: Option<&Secret>, variable: &str, set: &Secret) -> anyhow::Result<()> {
    let differ =
        written.is_some_and(|written| !set.get().is_missing() && !written.get().is(set.get().expose_bytes()));
    anyhow::ensure!(
        !differ,
        "{path} and {variable} (or {variable}_FILE) are both set, and differ; unset one of them"
    );
    Ok(())
}

/// The password in a URL (RFC 3986, section 3.2.1), its escapes resolved.
fn password_of(url: &str) -> Option<Vec<u8>> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (userinfo, _) = authority.rsplit_once('@')?;
    let (_, password) = userinfo.split_once(':')?;
    let mut bytes = Vec::with_capacity(password.len());
    let mut rest = password.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let escaped = if byte == b'%' { rest.as_slice().get(..2) } else { None };
        let escaped = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if escaped.is_some() {
            rest.nth(1);
        }
        bytes.push(escaped.unwrap_or(byte));
    }
    Some(bytes)
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
    /// With what to log in: a place, not the password itself. Also `REDIS_PASSWORD`, or the file that `REDIS_PASSWORD_FILE`
    /// names. Default: none.
    #[serde(skip_serializing)]
    #[schemars(example = &"file:/var/secrets/redis-password")]
    password: Option<Secret>,
    /// What the environment says, to be held against the file.
    #[serde(skip, default = "redis_password")]
    env_password: Secret,
    /// Connections. Default: 20.
    pub(crate) pool_size: u32,
    /// How often a command is tried again. Default: 3.
    pub(crate) max_retries: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            host: None,
            port: 6379,
            password: None,
            env_password: redis_password(),
            pool_size: 20,
            max_retries: 3,
        }
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
    /// Refuses what the file asks for and this build does not have, all of it at once, and what contradicts itself.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let asked = [
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
        self.database.check()?;
        agree("redis.password", self.redis.password.as_ref(), "REDIS_PASSWORD", &self.redis.env_password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_in_a_url() {
        for (url, expected) in [
            ("postgres://app:pass@host/db", Some("pass")),
            ("postgres://app:p%40s%2Fs@host:5432/db?x=a@b", Some("p@s/s")),
            ("postgres://app:100%@host", Some("100%")),
            ("postgres://app:@host", Some("")),
            ("postgres://app@host/a:b@c", None),
            ("postgres://host/db", None),
            ("no url", None),
        ] {
            assert_eq!(password_of(url), expected.map(|text| text.as_bytes().to_vec()), "{url}");
        }
    }
}
