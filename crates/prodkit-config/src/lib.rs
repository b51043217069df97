//! Configuration from files, environment and flags: typed, strict, every value with its source, and reloaded all or
//! nothing.
//!
//! ```
//! use prodkit_config::{Bytes, Layers};
//! use serde::Deserialize;
//! use std::time::Duration;
//!
//! #[derive(Deserialize)]
//! struct Config {
//!     server: Server,
//!     #[serde(default)]
//!     hosts: Vec<String>,
//! }
//!
//! #[derive(Deserialize)]
//! struct Server {
//!     port: u16,
//!     timeout: Duration,
//!     max_body: Bytes,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("config.yaml");
//! std::fs::write(&path, "server:\n  port: 8080\n  timeout: 30s\n  max_body: 2MiB\n")?;
//!
//! let tree = Layers::new()
//!     .file(&path)
//!     .env("APP__", [("APP__SERVER__TIMEOUT", "5s"), ("APP__HOSTS", "a, b")]) // or std::env::vars_os()
//!     .set("server.port=18080")
//!     .read()?;
//! let config: Config = tree.load_one()?.config;
//!
//! assert_eq!((config.server.port, config.server.timeout), (18080, Duration::from_secs(5)));
//! assert_eq!((config.server.max_body, config.hosts.len()), (Bytes::mebi(2), 2));
//!
//! // Every value knows where it was written.
//! let port = tree.leaves().find(|leaf| leaf.path() == "server.port").ok_or("no port")?;
//! assert_eq!(port.to_string(), "server.port = 18080    # --set server.port");
//!
//! // And everything that is wrong is said at once.
//! std::fs::write(&path, "server:\n  prot: 8080\n  timeout: 30\n  max_body: 2MiB\n")?;
//! let errors = Layers::new().file(&path).read()?.load_one::<Config>().err().ok_or("no errors")?;
//! eprintln!("{errors}");
//! # let text = errors.to_string().replace(&format!("{}/", directory.path().display()), "");
//! # let expected = "\
//! # config.yaml:1:1: server.port: this key is required and missing
//! #   1 | server:
//! #     | ^^^^^^
//! # config.yaml:2:3: server.prot: unknown key `prot`; did you mean `port`?
//! #   2 |   prot: ***
//! #     |   ^^^^
//! # config.yaml:3:12: server.timeout: expected a duration such as `30s`, `1m 30s` or `500ms`, found `30`; \
//! # a number has no unit; write `30s` for seconds
//! #   3 |   timeout: 30
//! #     |            ^^";
//! # assert_eq!(text, expected.replace("\n# ", "\n"));
//! # Ok(()) }
//! ```
//!
//! The last line prints
//!
//! ```text
//! config.yaml:1:1: server.port: this key is required and missing
//!   1 | server:
//!     | ^^^^^^
//! config.yaml:2:3: server.prot: unknown key `prot`; did you mean `port`?
//!   2 |   prot: ***
//!     |   ^^^^
//! config.yaml:3:12: server.timeout: expected a duration such as `30s`, `1m 30s` or `500ms`, found `30`; …
//!   3 |   timeout: 30
//!     |            ^^
//! ```
//!
//! # Order of the sources
//!
//! Later wins: files in the order given, well-known variables, variables with the prefix, `--set`. Defaults are
//! serde's. [`Layers`] has the rules of each; nothing here touches the process environment.
//!
//! # What text means
//!
//! The type of the field decides, everywhere. `country: no` is the text `no` in a `String` and an error in a `bool`;
//! `version: 1.10` keeps its zero in a `String`.
//!
//! | written | answer |
//! |---|---|
//! | `no`, `yes`, `on`, `off` in YAML | text; for a `bool` an error that says what to write |
//! | `010`, `1_000` in YAML | text; for a number an error that says what to write |
//! | `"8080"`, `'true'`, strings of TOML and JSON | text; for a number or `bool` an error |
//! | numbers of TOML and JSON in a `String` | an error |
//! | `0x1f`, `0o17`, `.inf`, `.nan` | numbers |
//! | a number beyond its type, `1e400` | an error, never rounded to infinity |
//! | `section:` with nothing behind it | an empty section, list or option; a section or list of an earlier file stays |
//! | `port:` with nothing behind it | `None` for an option, also over a value of an earlier file; else an error |
//! | `section: null`, `hosts: []` | removes what an earlier file says |
//! | `30s`, `1m 30s` in a [`std::time::Duration`] | a duration; a number other than `0` is an error |
//! | `a, b` from a variable or flag in a list | two elements |
//! | a duplicate key | an error that names both lines |
//! | `<<: *base` | merged; keys written out win |
//! | an alias as a key, a key with an anchor | an error |
//! | tags other than the core schema's, a second document | an error |
//! | tabs in indentation | an error that says so |
//! | a byte order mark, CRLF | accepted |
//! | an empty YAML or TOML file | an empty map; an empty JSON file is an error |
//! | more than 4 MiB, 100,000 values, 64 levels, or 4 MiB of text repeated by aliases | an error |
//!
//! Without a type, as in `serde_json::Value`, a plain YAML scalar follows the YAML 1.2 core schema (but `010` stays
//! text), and variables and flags are text.
//!
//! # What is strict, and what is live
//!
//! Every struct and enum that serde reads by its fields is strict: unknown keys are errors, with or without
//! `deny_unknown_fields`. Every [`Live`](prodkit_live::Live) below such structs, options, lists, maps and externally
//! tagged enums is known by its path: those are what a [`Reload`] moves.
//!
//! Both end where serde buffers a value and forgets where it came from: `#[serde(flatten)]`, `#[serde(untagged)]`,
//! `#[serde(tag = "…")]`, and schemaless values. There, unknown keys pass unnoticed and a `Live` keeps its first value
//! for good. A [`Warning`] names each such place once. In `#[serde(tag = "…", content = "…")]` only the keys of struct
//! variants pass unnoticed; newtype variants stay strict.
//!
//! # Secrets
//!
//! No error, no [`Show`] and no `Debug` of this crate prints a value under a key that looks like a secret
//! (`password`, `token`, `api_key`, …), the user and password of a URL, a value read through [`SECRET_NAME`], or a
//! value under a key no type knows. What an alias of YAML repeats is a secret wherever it is one in one place, and the
//! line of an error hides what a later source has replaced. Only [`Tree::show`] and [`Tree::hash`] do not know what the
//! types know: hide [`Loaded::secrets`] there.
//!
//! # Features
//!
//! - `schema`: [`Bytes`] and [`Live`](prodkit_live::Live) are `schemars::JsonSchema`, and `duration::schema` is how
//!   durations are written.
//!
//! # When not to use it
//!
//! For your users' data: strictness and bounds are those of a service's configuration. For settings that programs
//! write back: comments and layout are not kept. For a single flag: use an argument parser.

mod bytes;
mod de;
pub mod duration;
mod error;
mod hint;
mod layers;
mod load;
mod node;
mod parse;
mod path;
mod reload;
mod scalar;
#[cfg(feature = "schema")]
mod schema;
mod secrecy;
mod source;
mod text;
mod tree;
mod veil;

pub use bytes::{Bytes, ParseBytesError};
pub use de::SECRET_NAME;
pub use error::{Error, Errors, Warning};
pub use layers::Layers;
pub use load::Loaded;
pub use prodkit_watch::{Blind, Handle as WatchHandle, Options as WatchOptions};
pub use reload::{Commit, Outcome, Reload, ReloadError, Resolve, Snapshot, Status};
pub use source::Origin;
pub use tree::{Leaf, Show, Tree};
