//! A configuration with everything a configuration type can have.

use prodkit_config::{Bytes, SECRET_NAME};
use prodkit_live::Live;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

/// The type most prone to errors: nearly every value of any file is wrong, so that every excerpt is drawn.
pub type Map = BTreeMap<String, u8>;

/// One field of each kind, all optional, so that what is there decides.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Rich {
    #[serde(rename = "on")]
    _on: bool,
    #[serde(rename = "port")]
    _port: u16,
    #[serde(rename = "small")]
    _small: i8,
    #[serde(rename = "wide")]
    _wide: u128,
    #[serde(rename = "ratio")]
    _ratio: f64,
    #[serde(rename = "single")]
    _single: f32,
    #[serde(rename = "name", alias = "title")]
    _name: String,
    #[serde(rename = "letter")]
    _letter: Option<char>,
    #[serde(rename = "timeout")]
    _timeout: Duration,
    #[serde(rename = "size")]
    _size: Bytes,
    #[serde(rename = "addr")]
    _addr: Option<IpAddr>,
    #[serde(rename = "live")]
    _live: Live<Limits>,
    #[serde(rename = "flags")]
    _flags: BTreeMap<String, Live<bool>>,
    #[serde(rename = "ports")]
    _ports: BTreeMap<u16, String>,
    #[serde(rename = "relays")]
    _relays: Vec<Relay>,
    #[serde(rename = "pair")]
    _pair: (u8, Option<u8>),
    #[serde(rename = "triple")]
    _triple: [i64; 3],
    #[serde(rename = "store")]
    _store: Store,
    #[serde(rename = "shape")]
    _shape: Option<Shape>,
    #[serde(rename = "event")]
    _event: Option<Event>,
    #[serde(rename = "either")]
    _either: Option<Either>,
    #[serde(rename = "any")]
    _any: serde_json::Value,
    #[serde(rename = "flat")]
    _flat: Flat,
    #[serde(rename = "nested")]
    _nested: Option<Box<Self>>,
    #[serde(rename = "motto")]
    _motto: Option<Secret>,
    #[serde(rename = "password")]
    _password: Option<NonZeroU16>,
    #[serde(rename = "tokens")]
    _tokens: Vec<u8>,
    #[serde(rename = "checked")]
    _checked: Option<Checked>,
    #[serde(rename = "nothing")]
    _nothing: (),
}

#[derive(Default, Deserialize)]
struct Limits {
    #[serde(rename = "rate")]
    _rate: u32,
    #[serde(rename = "burst", default)]
    _burst: Live<u8>,
}

#[derive(Deserialize)]
struct Relay {
    #[serde(rename = "url")]
    _url: String,
    #[serde(rename = "retry")]
    _retry: Option<Duration>,
    #[serde(rename = "key")]
    _key: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Store {
    #[default]
    Memory,
    Disk(#[expect(dead_code, reason = "read by serde alone")] String),
    Sharded(
        #[expect(dead_code, reason = "read by serde alone")] u8,
        #[expect(dead_code, reason = "read by serde alone")] Live<u8>,
    ),
    S3 {
        #[serde(rename = "bucket")]
        _bucket: Live<String>,
        #[serde(rename = "secret_key")]
        _secret_key: Option<char>,
    },
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Shape {
    Round {
        #[serde(rename = "radius")]
        _radius: f64,
    },
    Flat(#[expect(dead_code, reason = "read by serde alone")] BTreeMap<String, i32>),
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c", rename_all = "lowercase")]
enum Event {
    Unit,
    One(#[expect(dead_code, reason = "read by serde alone")] Limits),
    Two {
        #[serde(rename = "x")]
        _x: u8,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Number(#[expect(dead_code, reason = "read by serde alone")] i64),
    Size(#[expect(dead_code, reason = "read by serde alone")] Bytes),
    Section {
        #[serde(rename = "token")]
        _token: bool,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flat {
    #[serde(rename = "here")]
    _here: u8,
    #[serde(flatten)]
    _limits: Option<Limits>,
    #[serde(flatten)]
    _rest: BTreeMap<String, u64>,
}

/// As a secrets crate would.
#[derive(Default)]
struct Secret;

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
                Ok(Secret)
            }
        }
        deserializer.deserialize_newtype_struct(SECRET_NAME, Text)
    }
}

/// Checks a whole section, and quotes all of it.
#[derive(Deserialize)]
#[serde(try_from = "Raw")]
struct Checked;

#[derive(Deserialize)]
struct Raw {
    password: String,
    user: Option<String>,
}

impl TryFrom<Raw> for Checked {
    type Error = String;

    fn try_from(Raw { password, user }: Raw) -> Result<Self, String> {
        if user.is_some() { Ok(Self) } else { Err(format!("the password {password:?} has no user {user:?}")) }
    }
}

/// The well-known sections of a service whose own type is [`App`].
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    #[serde(rename = "server")]
    _server: Server,
    #[serde(rename = "log")]
    _log: Flat,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Server {
    #[serde(rename = "port")]
    _port: u16,
    #[serde(rename = "timeout")]
    _timeout: Option<Duration>,
}

#[derive(Deserialize)]
pub(crate) struct App {
    /// A reserved section the application reads too.
    #[serde(rename = "log")]
    _log: Option<BTreeMap<String, Live<String>>>,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "live")]
    _live: Live<Limits>,
}
