//! The promises seen from outside: real binaries, real signals, real servers.
//!
//! The tests are in `tests/`; here is what they share with the smoke test of a release binary.

pub mod calls;
pub mod http;
pub mod kubelet;
pub mod load;
pub mod postgres;
pub mod process;
pub mod rolling;
pub mod rusty_vault;
pub mod tools;
