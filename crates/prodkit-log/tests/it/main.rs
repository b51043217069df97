//! The log as its users see it: macros in, lines out.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod allocations;
mod bridge;
mod filter;
mod form;
mod line;
mod panic;
mod property;
mod stack;
mod support;
mod writer;
