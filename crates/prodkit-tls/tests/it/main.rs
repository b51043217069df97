//! Identities and roots, and handshakes over them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod handshake;
mod identity;
