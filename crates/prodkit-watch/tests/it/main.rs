//! The matrix of ways in which files change, on a real file system.

mod alone;
mod cost;
mod editors;
mod fallback;
mod files;
mod set;
mod support;
mod volumes;
