//! The service as its clients and its operators see it: the real binary, real sockets, real signals.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod bad_input;
mod command_line;
mod config_file;
mod database;
mod idempotency;
mod orders;
mod reload;
mod spans;
mod stopping;
mod support;
