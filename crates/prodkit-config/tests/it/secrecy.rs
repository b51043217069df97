//! Nothing that may be a secret is printed: planted values, every way out.

use crate::kit::{Dir, load, read, yaml};
use prodkit_config::{Layers, SECRET_NAME, Tree};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

const CANARY: &str = "hunter2";

/// As a secrets crate would.
#[derive(Debug)]
struct Secret(#[expect(dead_code, reason = "only read by serde")] String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
                let text = String::deserialize(deserializer)?;
                if text.contains("bad") {
                    return Err(serde::de::Error::custom(format_args!("{text} is no reference")));
                }
                Ok(Secret(text))
            }
        }
        deserializer.deserialize_newtype_struct(SECRET_NAME, Text)
    }
}

fn outputs<C: DeserializeOwned>(name: &str, text: &str, set: &[&str]) -> Vec<String> {
    let dir = Dir::new();
    let layers = Layers::new()
        .file(dir.write(name, text))
        .env("APP__", [("APP__ENV__PASSWORD", CANARY), ("APP__ENV__PORT", "x")]);
    let layers = set.iter().fold(layers, |layers, set| layers.set(*set));
    let mut outputs = vec![format!("{layers:?}")];
    let tree: Tree = match layers.read() {
        Ok(tree) => tree,
        Err(errors) => {
            outputs.extend([errors.to_string(), format!("{errors:?}")]);
            return outputs;
        }
    };
    match tree.load_one::<C>() {
        Ok(loaded) => {
            outputs.push(format!("{loaded:?}"));
            outputs.push(tree.show().hiding(loaded.secrets).to_string());
        }
        Err(errors) => outputs.extend([errors.to_string(), format!("{errors:?}")]),
    }
    outputs.push(format!("{tree:?}"));
    outputs
}

fn silent<C: DeserializeOwned>(name: &str, text: &str) {
    for output in outputs::<C>(name, text, &["set.token=hunter2", "set.url=http://u:hunter2@h"]) {
        assert!(!output.contains(CANARY), "{text}\n---\n{output}");
    }
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Config {
    password: Option<NonZeroU16>,
    api_key: Option<bool>,
    url: Option<u8>,
    port: Option<u8>,
    nested: Option<Nested>,
    checked: Option<Checked>,
    tokens: Option<Vec<u8>>,
    auth: Option<std::net::IpAddr>,
}

#[derive(Deserialize, Debug)]
#[expect(dead_code, reason = "only read by serde")]
struct Nested {
    credentials: Option<bool>,
}

#[derive(Deserialize, Debug)]
#[serde(try_from = "Raw")]
struct Checked;

#[derive(Deserialize, Debug)]
struct Raw {
    password: String,
    url: Option<String>,
}

impl TryFrom<Raw> for Checked {
    type Error = String;
    fn try_from(Raw { password, url }: Raw) -> Result<Self, String> {
        Err(format!("the password {password:?} of {url:?} is too short"))
    }
}

#[test]
fn typed_errors() {
    for text in [
        "password: hunter2",
        "password: [hunter2]",
        "api_key: hunter2",
        "url: http://user:hunter2@host/",
        "url: postgres://host/?password=hunter2",
        "auth: user:hunter2@host",
        "{password: hunter2, port: x}",
        "{port: x, prot: 1, password: 'hunter2', url: 'http://a:hunter2@b'}",
        "{port: x, password: \"hunter2\\n\", tokens: [hunter2, hunter2]}",
        "tokens: [hunter2, x]",
        "tokens:\n- hunter2\nport: x",
        "nested: {credentials: hunter2}",
        "nested: {credentials: {user: hunter2}}",
        "nested: {port: x, secret_thing: hunter2}",
        "common: &pw hunter2\npassword: *pw\nport: x",
        "{common: &pw hunter2, password: *pw, port: x}",
        "checked: {password: hunter2}",
        "checked: {password: other, url: 'http://a:hunter2@b'}",
        "private_key: |\n  -----BEGIN\n  hunter2\n",
        "port: \"-----BEGIN PRIVATE KEY-----hunter2\"",
        "unknown_password: hunter2",
        "password: {hunter2",
    ] {
        silent::<Config>("c.yaml", text);
    }
    silent::<Config>("c.json", r#"{"password": "hunter2", "port": "x", "url": "http://a:hunter2@b"}"#);
    silent::<Config>("c.toml", "port = 'x'\npassword = 'hunter2'\n[nested]\ncredentials = {a = 'hunter2'}");
    silent::<Config>("c.toml", "password = 'x'\nurl = 'http://a:hunter2@b'");
}

#[test]
fn shown_without_types() {
    for text in [
        "password: hunter2",
        "url: http://user:hunter2@host/",
        "nested: {credentials: {user: hunter2}}",
        "common: &pw hunter2\npassword: *pw",
        "base: &base {password: hunter2}\nother: {<<: *base}\nmore: *base",
        "tokens: [hunter2, [hunter2]]",
        "dsn: >\n  hunter2\n  hunter2",
    ] {
        let dir = Dir::with(&[("c.yaml", text.as_bytes())]);
        let tree = Layers::new().file(dir.path("c.yaml")).read().unwrap();
        let shown = tree.show().to_string();
        assert!(shown.contains("***") && !shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn syntax_errors() {
    for text in [
        "password: 'hunter2",
        "a: 1\npassword: \"hunter2\n",
        "tls:\n  key: |\n-----BEGIN PRIVATE KEY-----\nhunter2: x\n hunter2\n",
        "db:\n  password:\n    hunter2: [\n",
        "password: a: hunter2",
        "a: b\n  hunter2\nx",
        "password: hunter2\npassword: hunter2",
        "{password: hunter2, port: [",
        "url: http://a:hunter2@b: c",
    ] {
        silent::<Config>("c.yaml", text);
    }
    for text in ["password = hunter2", "password = 'hunter2", "[a]\npassword = \"\"\"hunter2\n"] {
        silent::<Config>("c.toml", text);
    }
    for text in ["{\"password\": \"hunter2\",}", "{\"password\": hunter2}", "{\"password\": \"hunter2"] {
        silent::<Config>("c.json", text);
    }
}

#[test]
fn a_harmless_syntax_error_still_shows_its_line() {
    let outputs = outputs::<Config>("c.yaml", "port: 1\nhost: a: b\n", &[]);
    assert!(outputs[1].contains("\n  2 | host: ***: ***\n    |          ^"), "{}", outputs[1]);
}

#[test]
fn what_only_the_type_knows() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Typed {
        motto: Secret,
        list: Vec<Secret>,
        port: Option<u8>,
        env: Option<serde_json::Value>,
        set: Option<serde_json::Value>,
    }
    silent::<Typed>("c.yaml", "motto: hunter2\nlist: [hunter2, hunter2]\n");
    silent::<Typed>("c.yaml", "{motto: hunter2, list: [hunter2], port: x}");
    silent::<Typed>("c.yaml", "{motto: bad hunter2, list: [bad hunter2], port: x}");
    silent::<Typed>("c.yaml", "{motto: [hunter2], list: {a: hunter2}, port: x}");
    silent::<Typed>("c.yaml", "{moto: hunter2, list: [], port: x}");
    silent::<Typed>("c.yaml", "moto: hunter2");
    silent::<Typed>("c.yaml", "moto: [hunter2, {a: hunter2}]");
    silent::<Typed>("c.yaml", "motto: hunter2: x");
    let dir = Dir::with(&[("c.yaml", b"{motto: hunter2, list: [hunter2]}")]);
    let tree = Layers::new().file(dir.path("c.yaml")).read().unwrap();
    assert_eq!(tree.load_one::<Typed>().unwrap().secrets, ["list[0]", "motto"]);
}

#[test]
fn the_rest_of_the_line_is_shown() {
    let dir =
        Dir::with(&[("c.yaml", b"{port: x, password: hunter2, url: 'http://a:hunter2@b/c', nested: {}}\n")]);
    let tree = Layers::new().file(dir.path("c.yaml")).read().unwrap();
    let text = dir.text(&tree.load_one::<Config>().unwrap_err());
    assert!(
        text.contains("  1 | {port: x, password: ***, url: 'http://***@b/c', nested: {}}\n    |        ^"),
        "{text}"
    );
}

/// A secret that only its type knows, with an alias to it or from it where another type complains, before and after.
#[test]
fn what_only_the_type_knows_and_an_alias_repeats() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Typed {
        #[serde(default)]
        before: Vec<u8>,
        first: Option<u8>,
        checked: Option<Quoting>,
        section: Option<Plain>,
        motto: Option<Secret>,
        safe: Option<Safe>,
        list: Option<Vec<Secret>>,
        behind: Option<u8>,
        env: Option<serde_json::Value>,
        set: Option<serde_json::Value>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Plain {
        motto: Option<u8>,
        other: Option<u8>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Safe {
        motto: Secret,
        other: Option<u8>,
    }
    /// Quotes what it was given.
    #[derive(Deserialize, Debug)]
    #[serde(try_from = "BTreeMap<String, String>")]
    struct Quoting;
    impl TryFrom<BTreeMap<String, String>> for Quoting {
        type Error = String;
        fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
            Err(format!("no sense in {map:?}"))
        }
    }
    for text in [
        // the anchor at the plain key, the secret an alias
        "first: &x hunter2\nmotto: *x\n",
        "{first: &x hunter2, motto: *x, behind: x}",
        "before: [&x hunter2]\nmotto: *x\n",
        "section: {motto: &x hunter2, other: z}\nmotto: *x\n",
        "checked: {said: &x hunter2}\nmotto: *x\n",
        "behind: &x hunter2\nlist: [*x]\n",
        // the other way round
        "motto: &x hunter2\nfirst: *x\n",
        "{motto: &x hunter2, first: *x, behind: *x}",
        "list: [&x hunter2]\nbefore: [*x, 1]\n",
        "safe: {motto: &x hunter2}\nbehind: *x\n",
        "motto: &x hunter2\nchecked: {said: *x}\n",
        // whole sections
        "section: &s {motto: hunter2, other: z}\nsafe: *s\n",
        "safe: &s {motto: hunter2, other: z}\nsection: *s\n",
        "list: &l [hunter2, hunter2]\nbefore: *l\n",
        "before: &l [hunter2]\nlist: *l\n",
        // merge keys
        "section: &s {motto: hunter2, other: z}\nsafe: {<<: *s}\n",
        "safe: &s {motto: hunter2, other: z}\nsection: {<<: *s, other: z}\n",
        "section: &s {motto: hunter2}\nsafe: {<<: [*s, {other: z}]}\n",
        "motto: &x hunter2\nsection: {<<: {motto: *x}}\n",
        // one of several, and a secret nobody reads as one
        "first: &x hunter2\nbehind: *x\nbefore: [*x]\nlist: [*x]\n",
        "moto: &x hunter2\nfirst: *x\n",
        "first: &x hunter2\nmoto: [*x]\n",
        "motto: [&x hunter2]\nfirst: *x\n",
    ] {
        silent::<Typed>("c.yaml", text);
        assert!(text.contains("moto") || loads_with_other_words::<Typed>(text).is_err(), "{text}");
    }
    // And where nothing is wrong with it.
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Fine {
        first: Option<String>,
        motto: Option<Secret>,
        safe: Option<Safe>,
        list: Option<Vec<String>>,
        env: Option<serde_json::Value>,
        set: Option<serde_json::Value>,
    }
    for text in [
        "first: &x hunter2\nmotto: *x\n",
        "motto: &x hunter2\nfirst: *x\n",
        "safe: {motto: &x hunter2}\nlist: [*x, open]\n",
        "list: [open, &x hunter2]\nsafe: {<<: {motto: *x}}\n",
    ] {
        silent::<Fine>("c.yaml", text);
        let hash = |text: &str| {
            let tree = yaml(text);
            let secrets = tree.load_one::<Fine>().unwrap().secrets;
            tree.show().hiding(secrets).hash()
        };
        assert_eq!(hash(text), hash(&text.replace("hunter2", "other")), "{text}");
        assert!(!text.contains("open") || hash(text) != hash(&text.replace("open", "other")), "{text}");
    }
    // What is no secret stays in sight.
    let tree = yaml("first: &x open\nlist: [*x]\nmotto: hunter2\n");
    let shown = tree.show().hiding(tree.load_one::<Fine>().unwrap().secrets).to_string();
    assert_eq!((shown.matches("open").count(), shown.matches("***").count()), (2, 1), "{shown}");
}

/// So that a text which is silent is not so by being right.
fn loads_with_other_words<C: DeserializeOwned>(text: &str) -> Result<C, String> {
    load(&text.replace("hunter2", "other"))
}

#[test]
fn one_part_reads_as_a_secret_what_the_other_does_not() {
    #[derive(Deserialize)]
    struct Settings {
        #[expect(dead_code, reason = "only read by serde")]
        shared: Shared<Secret>,
    }
    #[derive(Deserialize)]
    struct App {
        #[expect(dead_code, reason = "only read by serde")]
        shared: Shared<u8>,
    }
    #[derive(Deserialize)]
    struct Shared<T> {
        #[expect(dead_code, reason = "only read by serde")]
        motto: T,
    }
    let errors = yaml("shared: {motto: hunter2}\n").load::<Settings, App>(&["shared"]).err().unwrap();
    assert_eq!(errors.iter().count(), 1, "{errors}");
    assert!(!errors.to_string().contains(CANARY), "{errors}");
}

/// The line of an error in a lower file may hold what a later source has replaced, and no type has looked at.
#[test]
fn what_was_replaced() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Typed {
        motto: Option<Secret>,
        safe: Option<BTreeMap<String, Secret>>,
        list: Option<Vec<Secret>>,
        port: u8,
    }
    let lower = "{motto: hunter2, safe: {a: hunter2}, list: [hunter2], port: x}\n";
    for upper in ["motto: new\nsafe: {a: new}\nlist: [new]\n", "motto: null\nsafe: null\nlist: []\n"] {
        let dir = Dir::with(&[("1.yaml", lower.as_bytes()), ("2.yaml", upper.as_bytes())]);
        let layers = Layers::new().file(dir.path("1.yaml")).file(dir.path("2.yaml"));
        let text = dir.text(&layers.read().unwrap().load_one::<Typed>().unwrap_err());
        assert!(
            text.contains("1.yaml:1:61: port: ") && text.contains("port: x}") && !text.contains(CANARY),
            "{text}"
        );
    }
    let dir = Dir::with(&[("1.yaml", lower.as_bytes())]);
    let layers = Layers::new()
        .file(dir.path("1.yaml"))
        .env("APP__", [("APP__MOTTO", "new"), ("APP__LIST", "new")])
        .set("safe.a=new");
    let text = dir.text(&layers.read().unwrap().load_one::<Typed>().unwrap_err());
    assert!(text.contains("1.yaml:1:61: port: ") && !text.contains(CANARY), "{text}");
}

/// Keys are printed as parts of paths, so none may be what a value is elsewhere.
#[test]
fn a_key_is_no_alias_and_has_no_anchor() {
    for text in [
        "password: &p hunter2\n*p : 1\n",
        "a: &p hunter2\n*p : 1\npassword: *p\n",
        "&p hunter2: 1\npassword: *p\n",
        "password: &p hunter2\nnested: {credentials: {*p : 1}}\n",
    ] {
        silent::<Config>("c.yaml", text);
        let error = read("c.yaml", text).unwrap_err();
        assert!(error.contains(": a key cannot "), "{error}");
    }
}

/// It stands where its key does, and there the whole file begins.
#[test]
fn a_secret_that_is_empty_hides_nothing_but_itself() {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "pin")]
        _pin: Option<Secret>,
        #[serde(rename = "host")]
        _host: String,
    }
    let tree = yaml("password:\nhost: db\nurl: http://a:b@c\n");
    let shown: Vec<_> = tree.leaves().map(|leaf| leaf.shown().to_owned()).collect();
    assert_eq!(shown, ["***", "db", "http://***@c"]);
    assert_ne!(tree.hash(), yaml("password:\nhost: other\nurl: http://a:b@c\n").hash());

    // by its type alone
    let tree = yaml("pin:\nhost: db\n");
    let secrets = tree.load_one::<Config>().unwrap().secrets;
    let shown: Vec<_> = tree.show().hiding(secrets).leaves().map(|leaf| leaf.shown().to_owned()).collect();
    assert_eq!(shown, ["***", "db"]);
}
