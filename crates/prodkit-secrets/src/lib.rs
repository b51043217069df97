//! Secrets as fields of a configuration: written as where they are, resolved together before anything starts, rotated
//! into what was built from them, and never shown.
//!
//! A field of type [`Secret`] is written as a [reference](SecretRef):
//!
//! ```yaml
//! database:
//!   password: file:/var/secrets/db-password          # a mounted Secret, a Docker secret, what an agent renders
//! payments:
//!   key: env:PAYMENTS_KEY                             # or the file that PAYMENTS_KEY_FILE names
//! stock:
//!   token: [vault:secret/data/stock#token, env:STOCK_TOKEN]   # the first that exists
//! ```
//!
//! [`collect`] lists the secrets of a configuration while it is deserialized, [`Secrets`] resolves them and keeps them
//! current, and what is derived from one by [`Live::try_map`](prodkit_live::Live::try_map) has its say before a new value
//! is used: a pool that cannot log in with the new password vetoes it, and the old one stays.
//!
//! # Where secrets come from
//!
//! - **Variables**, `env:NAME`. Beside `NAME` the convention of container images holds: `NAME_FILE` names a file that has
//!   the secret. If both are set and differ, that is an error. A variable can be read by everyone who may read
//!   `/proc/self/environ` of the process, is inherited by its children and never rotates: prefer files.
//! - **Files**, `file:/path`: at most 1 MiB, binary or text, less one newline at the end (`\n` or `\r\n`). They are
//!   watched as a configuration is: swaps of a Kubernetes volume, renames and writes in place are seen. One that everybody
//!   can read gives a warning. An empty one counts as not written yet, and is an error.
//! - **A [`Provider`]**, `vault:path#field`.
//! - **The configuration itself**, where the secret is written out. [`SecretRef::is_literal`] tells, so that whoever loads
//!   the configuration can warn.
//!
//! # What is promised
//!
//! - Nothing here prints a secret: `Debug` gives `***`, there is no `Display` and no `Serialize`, errors name places, and
//!   reasons that came from elsewhere have what is in use [masked](Secrets::mask).
//! - What you write is yours: a secret that is formatted into a panic, an error of a handler or a task, a line or a span is
//!   shown there. To search every text for every secret costs more than to write the text, and misses one that was cut,
//!   encoded or put together, so nobody could rely on it. Where prodkit repeats what others said of a secret they were
//!   handed (the error of `app`, what refuses a new value), it is [masked](Secrets::mask).
//! - Memory is zeroed when the last holder lets go. What this cannot reach: the text of a configuration in which a secret
//!   is written out, the environment of the process, and copies that you make.
//! - What is in use stays in use until something new has proved itself, however long a source is away.
//! - Secrets that come from one document, or from files of one directory, move at one instant.
//! - Nothing is spawned: [`Driver`] is work that the caller awaits.
//!
//! # When not to use it
//!
//! To keep your users' secrets: this holds what a process needs to log in elsewhere. To hide a value from someone who can
//! attach a debugger: zeroed memory only shortens the time in which a core dump has it.
//!
//! # Features
//!
//! - `schema`: [`Secret`] is `schemars::JsonSchema`: text, or a list of texts.

mod document;
mod error;
mod files;
mod outbox;
mod provider;
mod reference;
mod secret;
mod secrets;
mod value;

/// The largest secret, in bytes: what a Secret of Kubernetes may have in all.
pub(crate) const LARGEST: usize = 1 << 20;

pub use document::Document;
pub use error::{Error, ErrorKind, Errors, Failure};
pub use outbox::{Outbox, Refused};
pub use provider::{Driving, Fetching, Provider};
pub use reference::SecretRef;
pub use secret::{Found, Secret, collect};
pub use secrets::{Driver, Event, Resolved, Secrets, Standing};
pub use value::SecretValue;
