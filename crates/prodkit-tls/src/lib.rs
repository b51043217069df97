//! Certificates that change: [`rustls`] configurations over [`Live`] identities and roots.
//!
//! A certificate is a secret with an end. It is replaced while the process runs, by a file that changes or a Vault lease
//! that ends, and no connection should notice. Here a pair of certificate and key is an [`Identity`], checked where it is
//! made; what follows from it, down to the configuration of the next handshake, moves with its `Live`:
//!
//! ```
//! use prodkit_fakes::FakeAuthority;
//! use prodkit_live::Live;
//! use prodkit_tls::{HTTP, Identity, Roots, client_config, server_config};
//! use std::time::SystemTime;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let authority = FakeAuthority::new();
//! # let (first, second, other) = (authority.issue(&["orders"]), authority.issue(&["orders"]), authority.issue(&["orders"]));
//! let now = SystemTime::now();
//! let (updater, identity) = Live::channel(Identity::from_pem(first.certificate.as_bytes(), first.key.as_bytes(), now)?);
//! let roots = Live::fixed(Roots::from_pem(authority.certificate().as_bytes())?);
//!
//! // `load()` one for each handshake: a `TlsAcceptor` or `TlsConnector` of tokio-rustls takes it as it is
//! let server = server_config(&identity, Some(&roots), HTTP)?; // asks its clients for a certificate of these roots
//! let client = client_config(&roots, Some(&identity), HTTP)?;
//! let before = server.load();
//!
//! // a pair that is not one, or not valid now, never becomes an identity, and the old one stays
//! let error = Identity::from_pem(second.certificate.as_bytes(), other.key.as_bytes(), now).unwrap_err();
//! assert_eq!(error.to_string(), "load the identity: the key is not that of the certificate (orders, serial 02)");
//!
//! // the next handshake has the new one; connections that stand are left alone
//! updater.set(Identity::from_pem(second.certificate.as_bytes(), second.key.as_bytes(), now)?)?;
//! assert!(!std::sync::Arc::ptr_eq(&before, &server.load()));
//! assert_eq!(identity.get().expires_in(now).as_secs() / 3600, 23);
//! # drop(client); Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - **The provider is passed, everywhere.** Nothing here reads or sets the default of the process, so a graph in which
//!   somebody else enables another one does not panic at the first handshake.
//! - **A change of roots holds for all that comes after it.** A change makes a new configuration, with a new cache of
//!   sessions: nobody resumes past a root that is no longer trusted, or shows an identity that was replaced.
//! - **Keys stay here.** No text of an [`Identity`] or an [`Error`] holds any of a key, and the copies made of one while it
//!   is read are overwritten. The bytes you pass are yours; the provider keeps the key it signs with.
//! - TLS 1.2 and 1.3, no early data (0-RTT), no renegotiation.
//!
//! # When not to use it
//!
//! For certificates by ACME, for revocation lists and OCSP, and for several names with a certificate each (SNI): one
//! identity serves every name it was issued for.
//!
//! # Features
//!
//! - `ring` (default): cryptography by ring; builds without a C toolchain on common targets.
//! - `aws-lc`: by aws-lc-rs, with post-quantum key exchange. Where both are on, this one is used.

#[cfg(not(any(feature = "ring", feature = "aws-lc")))]
compile_error!("prodkit-tls needs one of its features `ring` and `aws-lc`");

mod certificate;
mod config;
mod error;
mod identity;
mod provider;
mod roots;

pub use config::{HTTP, client_config, server_config};
pub use error::Error;
pub use identity::Identity;
pub use prodkit_live::{Live, Updater};
pub use provider::provider;
pub use roots::Roots;
pub use rustls::{ClientConfig, ServerConfig};
