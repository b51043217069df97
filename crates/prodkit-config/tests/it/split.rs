//! Two types over one tree.

use crate::kit::yaml;
use prodkit_config::Loaded;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const RESERVED: &[&str] = &["server", "log", "metrics"];

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct Settings {
    server: Server,
    log: BTreeMap<String, String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct Server {
    port: u16,
}

#[derive(Deserialize, Debug)]
struct Empty {}

fn load<C: serde::de::DeserializeOwned>(text: &str) -> Result<Loaded<Settings, C>, Vec<String>> {
    let result = yaml(text).load::<Settings, C>(RESERVED);
    result.map_err(|errors| {
        errors.iter().map(|error| format!("{}: {}", error.path(), error.message())).collect()
    })
}

#[test]
fn each_gets_its_sections() {
    #[derive(Deserialize)]
    struct Config {
        name: String,
    }
    let loaded = load::<Config>("server: {port: 5}\nlog: {level: info}\nname: x\n").unwrap();
    let Settings { server, log } = loaded.settings;
    assert_eq!((server.port, log["level"].as_str(), loaded.config.name.as_str()), (5, "info", "x"));
}

#[test]
fn a_reserved_section_the_app_declares_is_known_to_both() {
    #[derive(Deserialize, Debug)]
    struct Config {
        server: Own,
    }
    #[derive(Deserialize, Debug)]
    struct Own {
        greeting: String,
        port: u16,
    }
    let loaded = load::<Config>("server: {port: 5, greeting: hi}\n").unwrap();
    let Own { greeting, port } = loaded.config.server;
    assert_eq!((loaded.settings.server.port, greeting.as_str(), port), (5, "hi", 5));
    assert_eq!(
        load::<Config>("server: {port: x, greeting: hi, prot: 1}\nnmae: x\n").unwrap_err(),
        [
            "server.port: expected a whole number from 0 to 65535, found `x`",
            "server.prot: unknown key `prot`; did you mean `port`?",
            "nmae: unknown key `nmae`; known here: `log`, `server`",
        ]
    );
}

#[test]
fn errors_of_both_come_together() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        name: u8,
    }
    assert_eq!(
        load::<Config>("server: {port: x}\nname: y\n").unwrap_err(),
        [
            "server.port: expected a whole number from 0 to 65535, found `x`",
            "name: expected a whole number from 0 to 255, found `y`",
        ]
    );
}

#[test]
fn no_configuration_takes_no_keys() {
    assert!(load::<Empty>("server: {port: 1}\n").is_ok());
    assert_eq!(
        load::<Empty>("name: 1\n").unwrap_err(),
        ["name: unknown key `name`; known here: `log`, `server`"]
    );
    assert!(load::<()>("server: {port: 1}\n").unwrap_err()[0].contains("`()` is not a configuration type"));
    assert!(load::<()>("").unwrap_err()[0].contains("`()` is not a configuration type"));
}

#[test]
fn a_reserved_section_nobody_reads_is_unknown() {
    assert_eq!(
        load::<Empty>("metrics: {x: 1}\n").unwrap_err(),
        ["metrics: unknown key `metrics`; known here: `log`, `server`"]
    );
    assert_eq!(load::<Value>("metrics: {x: 1}\n").unwrap_err().len(), 1);
}

#[test]
fn without_a_schema_everything_else_goes_to_the_app() {
    let loaded = load::<Value>("server: {port: 5}\nname: x\nmore: {a: [1]}\n").unwrap();
    assert_eq!(loaded.config, serde_json::json!({"name": "x", "more": {"a": [1]}}));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert_eq!(load::<Value>("server: {prot: 5}\n").unwrap_err().len(), 1);
    let loaded = load::<BTreeMap<String, u8>>("server: {port: 5}\na: 1\n").unwrap();
    assert_eq!((loaded.config.len(), loaded.warnings.len()), (1, 0));
}
