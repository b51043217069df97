//! The texts an operator reads, as they are printed.

use crate::kit::{Dir, dedent};
use prodkit_config::Layers;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Config {
    server: Server,
    database: Database,
    #[serde(default)]
    storage: Option<Storage>,
    #[serde(default)]
    relays: Vec<Relay>,
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Server {
    port: u16,
    listen: Option<SocketAddr>,
    read_timeout: Option<Duration>,
    #[serde(default)]
    tls: bool,
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Database {
    host: String,
    user: String,
    password: Option<String>,
    pool: NonZeroU16,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only read by serde")]
enum Storage {
    Memory,
    Disk { path: String },
    S3(Bucket),
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Bucket {
    bucket: String,
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Relay {
    url: String,
    batch: u8,
}

fn text(yaml: &str, layers: impl FnOnce(Layers) -> Layers) -> String {
    let dir = Dir::with(&[("config.yaml", dedent(yaml).as_bytes())]);
    let tree = layers(Layers::new().file(dir.path("config.yaml"))).read().unwrap();
    dir.text(&tree.load_one::<Config>().unwrap_err())
}

fn check(yaml: &str, expected: &str) {
    let text = text(yaml, |layers| layers);
    assert_eq!(text, dedent(expected), "\n{text}\n");
}

#[test]
fn everything_at_once() {
    check(
        "
        server:
          prot: 8080
          listen: localhost
          read_timeout: 30
          tls: on
        database:
          host: [db]
          pool: 0
        storage: memroy
        relays:
        - url: http://a
          batch: 300
        - url: http://b
        ",
        r#"
        config.yaml:1:1: server.port: this key is required and missing
          1 | server:
            | ^^^^^^
        config.yaml:2:3: server.prot: unknown key `prot`; did you mean `port`?
          2 |   prot: ***
            |   ^^^^
        config.yaml:3:11: server.listen: invalid socket address syntax, found `localhost`
          3 |   listen: localhost
            |           ^^^^^^^^^
        config.yaml:4:17: server.read_timeout: expected a duration such as `30s`, `1m 30s` or `500ms`, found `30`; a number has no unit; write `30s` for seconds
          4 |   read_timeout: 30
            |                 ^^
        config.yaml:5:8: server.tls: expected `true` or `false`, found `on`; write `true`
          5 |   tls: on
            |        ^^
        config.yaml:6:1: database.user: this key is required and missing
          6 | database:
            | ^^^^^^^^
        config.yaml:7:9: database.host: expected text, found a list
          7 |   host: [***]
            |         ^
        config.yaml:8:9: database.pool: expected a nonzero u16, found `0`
          8 |   pool: 0
            |         ^
        config.yaml:9:10: storage: expected one of `memory`, `disk`, `s3` (did you mean `memory`?), found `memroy`
          9 | storage: memroy
            |          ^^^^^^
        config.yaml:12:10: relays[0].batch: expected a whole number from 0 to 255, found `300`
          12 |   batch: 300
             |          ^^^
        config.yaml:13:3: relays[1].batch: this key is required and missing
          13 | - url: http://b
             |   ^
        "#,
    );
}

#[test]
fn nothing_at_all() {
    let error = Layers::new().read().unwrap().load_one::<Config>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "database: this key is required and missing\nserver: this key is required and missing"
    );
}

const GOOD: &str = "
    server: {port: 1}
    database: {host: a, user: b, pool: 1}
    ";

#[test]
fn variables_and_flags() {
    let layers = |layers: Layers| {
        let vars =
            [("APP__SERVER__PORT", "http"), ("APP__SERVER__PROT", "80"), ("APP__DATABASE__PASSWORD", "x")];
        layers.env("APP__", vars).set("database.pool=many").set("sevrer.port=1")
    };
    assert_eq!(
        text(GOOD, layers),
        dedent(
            "
            environment variable APP__SERVER__PORT: server.port: expected a whole number from 0 to 65535, found `http`
            environment variable APP__SERVER__PROT: server.prot: unknown key `prot`; did you mean `port`?
            --set database.pool: expected a whole number from 0 to 65535, found `many`
            --set sevrer.port: sevrer: unknown key `sevrer`; did you mean `server`?
            "
        )
    );
}

#[test]
fn a_section_made_by_a_variable_is_blamed_on_it() {
    let dir = Dir::with(&[("config.yaml", b"server: {port: 1}\n")]);
    let layers = Layers::new().file(dir.path("config.yaml")).set("database.host=db");
    let text = dir.text(&layers.read().unwrap().load_one::<Config>().unwrap_err());
    assert_eq!(
        text,
        "--set database.host: database.pool: this key is required and missing\n\
         --set database.host: database.user: this key is required and missing"
    );
}

#[test]
fn a_section_of_a_file_stays_the_files() {
    let dir = Dir::with(&[("config.yaml", b"server: {port: 1}\ndatabase:\n  host: a\n")]);
    let layers = Layers::new().file(dir.path("config.yaml")).set("database.host=db").set("database.user=me");
    let text = dir.text(&layers.read().unwrap().load_one::<Config>().unwrap_err());
    assert_eq!(
        text,
        "config.yaml:2:1: database.pool: this key is required and missing\n  2 | database:\n    | ^^^^^^^^"
    );
}

#[test]
fn enums() {
    let with = |storage: &str| format!("{}\nstorage: {storage}", dedent(GOOD));
    let message = |storage: &str| {
        let text = text(&with(storage), |layers| layers);
        text.lines().next().unwrap().to_owned()
    };
    for (storage, expected) in [
        ("disk", "3:10: storage: the variant `disk` needs a value; write it as a key, `disk: …`"),
        ("{disk: {path: /, size: 1}}", "3:27: storage.disk.size: unknown key `size`; known here: `path`"),
        ("{disk: {paht: /}}", "3:11: storage.disk.path: this key is required and missing"),
        ("{memory: 1}", "3:19: storage.memory: expected nothing: this variant has no value, found `1`"),
        (
            "{S3: {bucket: b}}",
            "3:11: storage: expected one of `memory`, `disk`, `s3` (did you mean `s3`?), found `S3`",
        ),
        ("{s3: {bucket: [1]}}", "3:24: storage.s3.bucket: expected text, found a list"),
        (
            "{memory: , disk: {path: /}}",
            "3:10: storage: expected one of `memory`, `disk`, `s3`, found several: `memory` (config.yaml:3:11), `disk` (config.yaml:3:21)",
        ),
        ("[memory]", "3:10: storage: expected one of `memory`, `disk`, `s3`, found a list"),
    ] {
        let found = message(storage).replace(&*std::env::temp_dir().display().to_string(), "");
        assert_eq!(found, format!("config.yaml:{expected}"), "{storage}");
    }
    for storage in ["memory", "{memory: }", "{memory: {}}", "{disk: {path: /}}", "{s3: {bucket: b}}", "~"] {
        let dir = Dir::with(&[("config.yaml", with(storage).as_bytes())]);
        let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
        assert!(tree.load_one::<Config>().is_ok(), "{storage}");
    }
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let filler = |name: &str| (0..100).map(|n| format!("{name}{n}: 1, ")).collect::<String>();
    let line = format!("server: {{{}port: http, {}}}", filler("a"), filler("b"));
    let dir = Dir::with(&[("config.yaml", line.as_bytes())]);
    let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
    let text = tree.load_one::<BTreeMap<String, BTreeMap<String, u16>>>().unwrap_err().to_string();
    let position = text.lines().position(|line| line.contains("server.port")).unwrap();
    let [excerpt, caret] = [1, 2].map(|n| text.lines().nth(position + n).unwrap());
    assert!(
        excerpt.starts_with("  1 | …") && excerpt.ends_with('…') && excerpt.chars().count() < 135,
        "{excerpt}"
    );
    let at = caret.chars().position(|c| c == '^').unwrap();
    let word: String = excerpt.chars().skip(at).take(4).collect();
    assert_eq!((word.as_str(), caret.matches('^').count()), ("http", 4), "{excerpt}\n{caret}");
}

#[test]
fn columns_count_characters() {
    check(
        "
        server: {'ключ 🚀': 1, port: x}
        database: {host: a, user: b, pool: 1}
        ",
        "
        config.yaml:1:10: server.\"ключ 🚀\": unknown key `ключ 🚀`; known here: `listen`, `port`, `read_timeout`, `tls`
          1 | server: {'ключ 🚀': ***, port: x}
            |          ^^^^^^^^
        config.yaml:1:29: server.port: expected a whole number from 0 to 65535, found `x`
          1 | server: {'ключ 🚀': ***, port: x}
            |                               ^
        ",
    );
}

#[test]
fn control_characters_stay_out_of_the_terminal() {
    let text = text("server: {port: \"\\e[31m\\n\"}\ndatabase: {host: a, user: b, pool: 1}", |layers| layers);
    assert!(text.contains(r#"found the text "\u{1b}[31m\n""#), "{text}");
    let text = self::text(&format!("{}\n\"\\e[2Jx\": 1", dedent(GOOD)), |layers| {
        layers.set("server.listen=\u{1b}[0m")
    });
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn at_most_fifty_are_kept() {
    let keys: String = (0..80).map(|n| format!("key{n}: 1\n")).collect();
    let dir = Dir::with(&[("config.yaml", format!("{keys}{}", dedent(GOOD)).as_bytes())]);
    let tree = Layers::new().file(dir.path("config.yaml")).read().unwrap();
    let errors = tree.load_one::<Config>().unwrap_err();
    assert_eq!((errors.iter().count(), errors.omitted()), (50, 30));
    assert!(errors.to_string().ends_with("\nand 30 more"));
}
