//! Secrets from HashiCorp Vault or OpenBao: logins, leases that are renewed, credentials that rotate.
//!
//! [`Vault`] is a [`Provider`](prodkit_secrets::Provider) of prodkit-secrets: it finds what `vault:path#field` names. A path
//! is one of Vault's API as `vault read` takes it, so KV version 2 has `data/` after its mount:
//!
//! ```yaml
//! database:
//!   user: vault:database/creds/orders#username         # leased, and replaced before it ends
//!   password: vault:database/creds/orders#password     # of the same lease
//! payments:
//!   key: vault:secret/data/payments#key                # KV version 2, its newest version
//!   old_key: vault:secret/data/payments?version=3#key  # and the third one
//! ```
//!
//! ```
//! use prodkit_secrets::{Secret, Secrets};
//! use prodkit_vault::{Auth, Settings, Vault};
//! # fn f() -> Result<(), prodkit_vault::Error> {
//! let auth = Auth::kubernetes("orders");
//! let vault = Vault::new(Settings::new("http://127.0.0.1:8200", auth)?.namespace("team")?)?;
//! let secrets = Secrets::new(|name| std::env::var_os(name), Default::default()).provider(vault);
//! # drop(secrets); Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **Renewal.** Tokens and leases are extended after a third of their time × U(0.5, 1). What is not renewable, or near its
//!   maximum, is replaced after a half to two thirds of its time, while the old one works. Leases of a token that cannot be
//!   extended are replaced with it.
//! - **Static roles** are read again one second after their `ttl`, and until they have been rotated.
//! - **What has no lease** is read every 5 minutes, as often as Vault Agent reads it. Of KV 2, only another version counts.
//! - **Outages.** Every call ends within 5 seconds. A Vault that does not answer (refused, silent, sealed, standby, 429, 5xx,
//!   nonsense) is asked again with full jitter from 250 ms to 60 s, never more than ten times a minute. What is in use stays
//!   in use until its lease ends; that it is not renewed is told after three quarters of its time.
//! - **403** is looked into: a token that has ended is replaced by a new login, a missing policy is said.
//! - **The end.** [`close`](prodkit_secrets::Provider::close) revokes the tokens that were made here, and with them their
//!   leases; of a token that was handed to us, the leases only.
//! - **Time** is monotonic: a clock that is set neither ends a lease nor prolongs it.
//! - **Bounds.** Answers of at most 4 MiB, 32 calls at a time, one redirect, to the same scheme. No proxy and no variable of
//!   the environment is used.
//! - **Nothing leaks.** Errors repeat at most 200 characters of what Vault said, and nothing of it if it holds the token or
//!   what was logged in with. Bodies are zeroed; what hyper and rustls buffer is beyond reach.
//!
//! # When not to use it
//!
//! Beside a Vault Agent that renders files: `file:` is enough. For anything but reading: transit, PKI issuance and writes
//! are calls for [vaultrs](https://docs.rs/vaultrs), which this crate takes its requests from.

mod answer;
mod calls;
mod clock;
mod failure;
mod outage;
mod path;
mod random;
mod schedule;
mod settings;
mod term;
mod transport;
mod vault;

pub use clock::Clock;
pub use settings::{Auth, Error, Settings};
pub use vault::Vault;
