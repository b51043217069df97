//! The two files of the guide load as they are.

use crate::kit::Dir;
use prodkit_config::{Layers, Warning};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

const CHAPTER_3: &[u8] = include_bytes!("../data/config-chapter3.yaml");
const CHAPTER_7: &[u8] = include_bytes!("../data/config-chapter7.yaml");
const RESERVED: &[&str] = &["server", "otlp", "log"];

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Settings {
    server: Server,
    otlp: Otlp,
}

#[derive(Deserialize, Debug)]
#[serde(default)]
struct Server {
    host: String,
    port: u16,
    timeout: Duration,
    read_timeout: Duration,
    #[serde(with = "prodkit_config::duration")]
    write_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        let (timeout, zero) = (Duration::from_secs(1), Duration::ZERO);
        Self { host: "::".into(), port: 1, timeout, read_timeout: zero, write_timeout: zero }
    }
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Otlp {
    endpoint: Option<String>,
    #[serde(with = "prodkit_config::duration::option")]
    timeout: Option<Duration>,
    retry: Retry,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Retry {
    enabled: bool,
    max_elapsed_time: Duration,
}

#[derive(Deserialize, Debug)]
struct Config {
    database: Database,
    redis: Redis,
    payment_service: Option<Peer>,
    inventory_service: Option<Peer>,
    #[serde(default)]
    feature_flags: BTreeMap<String, bool>,
}

#[derive(Deserialize, Debug)]
struct Database {
    host: String,
    port: u16,
    database: Option<String>,
    max_connections: u32,
    max_idle_connections: Option<u32>,
    connection_max_lifetime: Option<Duration>,
}

#[derive(Deserialize, Debug)]
struct Redis {
    host: String,
    port: u16,
    pool_size: usize,
    max_retries: Option<u8>,
}

#[derive(Deserialize, Debug)]
struct Peer {
    url: String,
}

#[test]
fn chapter_3() {
    let dir = Dir::with(&[("config.yaml", CHAPTER_3)]);
    let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
    let loaded = tree.load::<Settings, Config>(RESERVED).unwrap();
    assert_eq!(loaded.warnings, Vec::<Warning>::new());
    let Settings { server, otlp } = loaded.settings;
    assert_eq!((server.host.as_str(), server.port), ("0.0.0.0", 8080));
    assert_eq!((server.read_timeout.as_secs(), server.write_timeout.as_secs()), (30, 60));
    assert_eq!(otlp.endpoint.as_deref(), Some("otel-collector:4317"));
    assert_eq!((otlp.timeout, otlp.retry.enabled), (Some(Duration::from_secs(10)), true));
    assert_eq!(otlp.retry.max_elapsed_time, Duration::from_secs(60));
    let Config { database, redis, payment_service, feature_flags, .. } = loaded.config;
    assert_eq!(
        (database.host.as_str(), database.port, database.max_connections),
        ("postgres-service", 5432, 100)
    );
    assert_eq!(database.connection_max_lifetime, Some(Duration::from_secs(3600)));
    assert_eq!(database.max_idle_connections, Some(10));
    assert_eq!((redis.host.as_str(), redis.port, redis.pool_size), ("redis-service", 6379, 50));
    assert_eq!(redis.max_retries, Some(3));
    assert!(payment_service.is_none());
    assert_eq!(feature_flags, [("new_checkout".into(), true), ("experimental_ui".into(), false)].into());
}

#[test]
fn chapter_7() {
    let dir = Dir::with(&[("config.yaml", CHAPTER_7)]);
    let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
    let loaded = tree.load::<Settings, Config>(RESERVED).unwrap();
    assert_eq!(loaded.settings.server.timeout, Duration::from_secs(30));
    let Config { database, payment_service, inventory_service, .. } = loaded.config;
    assert_eq!(database.database.as_deref(), Some("orders"));
    assert_eq!(payment_service.unwrap().url, "http://payment-service.ecommerce.svc/api");
    assert_eq!(inventory_service.unwrap().url, "http://inventory-service.ecommerce.svc/api");
}

#[test]
fn a_typo_in_either_half_is_found() {
    let text = String::from_utf8(CHAPTER_3.to_vec()).unwrap();
    let text = text.replace("read_timeout", "readtimeout").replace("pool_size: 50", "pool_sise: fifty");
    let dir = Dir::with(&[("config.yaml", text.as_bytes())]);
    let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
    let errors = tree.load::<Settings, Config>(RESERVED).unwrap_err();
    let found: Vec<_> = errors.iter().map(|error| (error.path(), error.message())).collect();
    assert_eq!(
        found,
        [
            ("server.readtimeout", "unknown key `readtimeout`; did you mean `read_timeout`?"),
            ("redis.pool_size", "this key is required and missing"),
            ("redis.pool_sise", "unknown key `pool_sise`; did you mean `pool_size`?"),
        ]
    );
}
