//! The crate from outside: files on disk, variables and flags as values, types of all shapes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod collect;
mod errors;
mod guide;
mod kit;
mod layers;
mod live;
mod property;
mod reload;
mod secrecy;
mod split;
mod tree;
mod yaml;
