//! Against a validator that nobody here wrote, and against the loader.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use boon::{Compiler, Schemas};
use prodkit_config::{Bytes, Layers, Loaded};
use prodkit_live::Live;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::settings::SECTIONS;

/// Whatever a schema can be asked to describe.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Everything {
    /// A section that moves.
    limits: Live<Limits>,
    /// A section of prodkit, with a key of the app.
    server: Server,
    store: Store,
    upstreams: Vec<Upstream>,
    regions: BTreeMap<String, Upstream>,
    tls: Option<Tls>,
    flat: Flat,
    tree: Option<Box<Tree>>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct Limits {
    pause: Duration,
    pauses: Vec<Duration>,
    size: Bytes,
    at_once: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        let pause = Duration::from_secs(90);
        Self { pause, pauses: vec![pause, Duration::from_millis(5)], size: Bytes::mebi(2), at_once: None }
    }
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct Server {
    color: Option<String>,
}

/// Where orders are kept.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Store {
    #[default]
    Memory,
    File {
        path: String,
    },
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Upstream {
    /// Where it is.
    url: String,
    weight: Option<u8>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Tls {
    /// The certificate.
    #[schemars(example = &"/etc/tls/tls.crt")]
    certificate: String,
    #[serde(with = "prodkit_config::duration")]
    #[schemars(with = "Duration")]
    renew: Duration,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct Flat {
    name: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Plain { size: u8 },
    Nested(Limits),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Plain { size: 1 }
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Tree {
    leaves: u8,
    branches: Vec<Tree>,
}

/// What is wrong with a file by the schema; empty when it is right.
pub(crate) fn invalid(schema: &Value, file: &Value) -> String {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource("file:///schema", schema.clone()).unwrap();
    let index = compiler.compile("file:///schema", &mut schemas).expect("a schema that is sound");
    schemas.validate(file, index).err().map(|error| format!("{error:#}")).unwrap_or_default()
}

/// A file, read by the loader for an app that takes a `C`.
pub(crate) fn load<C: serde::de::DeserializeOwned>(text: &str) -> Result<Loaded<Settings, C>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.yaml");
    std::fs::write(&path, text).unwrap();
    let tree = Layers::new().file(path).read().map_err(|errors| errors.to_string())?;
    prodkit_secrets::collect(|| tree.load(SECTIONS)).0.map_err(|errors| errors.to_string())
}

/// The same file as another reader of YAML sees it. (A section that is empty is null to it.)
pub(crate) fn value(text: &str) -> Value {
    let value: Value = serde_saphyr::from_str(text).unwrap();
    if value.is_null() { json!({}) } else { value }
}

fn everything() -> Value {
    file("test", Some(Described::new::<Everything>()))
}

#[test]
fn the_schema_and_the_loader_agree() {
    let schema = everything();
    for (text, good) in [
        ("", true),
        ("server:\nlimits:\nupstreams:\nregions:\ntls:\nhealth:\n", true),
        ("server: {port: 8080, timeout: 30s, max_body_size: 2MiB, color: red}", true),
        ("server: {idle_timeout: 1m 30s, max_body_size: 1048576}\nshutdown: {delay: 0}", true),
        ("shutdown: {grace: null, delay: 5s}", true),
        ("log: {format: console}\notlp: {protocol: http/protobuf, headers: {a: b}}", true),
        ("limits: {pause: 1h, pauses: [1s, 2s], size: 64 KiB, at_once: 1}", true),
        ("store: memory", true),
        ("store: {file: {path: a}}", true),
        ("upstreams: [{url: a, weight: 3}]\nregions: {eu: {url: b}}", true),
        ("tls: {certificate: a, renew: 1h}", true),
        ("flat: {kind: plain, size: 1, name: a}", true),
        ("tree: {leaves: 1, branches: [{leaves: 2, branches: []}]}", true),
        ("nonsense: 1", false),
        ("server: {prot: 8080}", false),
        ("server: {port: 80800}", false),
        ("server: {port: -1}", false),
        ("server: {timeout: 30}", false),
        ("server: {timeout: soon}", false),
        ("server: {max_body_size: 2MB!}", false),
        ("server: {max_in_flight: 0}", false),
        ("server: {host: null}", false),
        ("server: {color: 1.5.0, paint: red}", false),
        ("log: {format: xml}", false),
        ("otlp: {retry: {enabled: true, max: 1m}}", false),
        ("limits: {pauses: [1s, 2]}", false),
        ("limits: {at_once: 0}", false),
        ("store: disk", false),
        ("store: {file: {path: a, mode: 1}}", false),
        ("upstreams: [{weight: 3}]", false),
        ("upstreams: [{url: a, wieght: 3}]", false),
        ("regions: {eu: {}}", false),
        ("tls: {certificate: a}", false),
        ("tree: {leaves: 1, branches: [{leaves: 2, branches: [], roots: 3}]}", false),
    ] {
        let invalid = invalid(&schema, &value(text));
        assert_eq!(invalid.is_empty(), good, "{text}: {invalid}");
        let loaded = load::<Everything>(text);
        assert_eq!(loaded.is_ok(), good, "{text}: {:?}", loaded.err());
    }
    // What a type checks in code of its own, its schema does not say.
    assert!(load::<Everything>("server: {timeout: 0}").is_err());
    assert_eq!(invalid(&schema, &value("server: {timeout: 0}")), "");
    // Where serde buffers, the loader cannot see it.
    assert!(load::<Everything>("flat: {kind: plain, size: 1, color: red}").is_ok());
    assert!(!invalid(&schema, &value("flat: {kind: plain, size: 1, color: red}")).is_empty());
}

#[test]
fn every_key_of_prodkit_is_documented() {
    fn walk(path: &str, schema: &Value, undocumented: &mut Vec<String>) {
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let description = schema["description"].as_str().unwrap_or_default();
            let is_section = schema.get("properties").is_some();
            if description.is_empty() || !(is_section || description.contains("Default: ")) {
                undocumented.push(path.clone());
            }
            walk(&path, schema, undocumented);
        }
    }
    let mut undocumented = Vec::new();
    walk("", &file("test", Some(Described::new::<NoConfig>())), &mut undocumented);
    assert_eq!(undocumented, Vec::<String>::new());
}

#[test]
fn what_nobody_described_is_allowed_and_said() {
    let described = Described::of_app::<Everything>(None).unwrap();
    let schema = file("test", described);
    assert_eq!(invalid(&schema, &json!({"anything": {"goes": 1}, "server": {"port": 1}})), "");
    assert!(!invalid(&schema, &json!({"server": {"prot": 1}})).is_empty());
    assert_eq!(schema["$comment"], UNDESCRIBED);
    // No configuration needs no description.
    let schema = file("test", Described::of_app::<NoConfig>(None).unwrap());
    assert_eq!(schema.get("$comment"), None);
    assert!(!invalid(&schema, &json!({"anything": 1})).is_empty());
}

#[test]
fn the_description_of_another_type_is_refused() {
    let described = Some(Described::new::<Everything>());
    assert!(Described::of_app::<Everything>(described).is_ok());
    let error = Described::of_app::<NoConfig>(described).unwrap_err();
    assert!(error.contains("Everything") && error.contains("NoConfig"), "{error}");
}
