//! prodkit-vault against a Vault that behaves as told, and that Vault against a client nobody here wrote.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod fake;
mod faults;
mod leases;
mod logins;
mod paths;
mod short;
mod skipping;
mod support;
mod tls;
