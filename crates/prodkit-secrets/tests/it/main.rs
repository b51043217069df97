//! Secrets from the outside: written, resolved, rotated, and never seen.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod hidden;
mod kit;
mod providers;
mod resolve;
mod rotate;
