//! The matrix of ways in which files change, on a real file system.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stdout, reason = "measurements are printed")]

mod alone;
mod cost;
mod editors;
mod fallback;
mod files;
mod set;
mod support;
mod volumes;
