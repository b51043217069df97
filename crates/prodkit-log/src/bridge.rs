use tracing_log::LogTracer;
use tracing_log::log::LevelFilter;

use crate::error::{Error, Kind};

/// Sends the records of the `log` crate to the current `tracing` subscriber, as events with their own target, file and
/// line. Sets a global of the process: call it once, where its other globals are set.
///
/// The level is left to the subscriber, whose filter may change at any time: the `log` crate's own maximum is set to
/// `trace`.
///
/// # Errors
///
/// The process has a logger for the `log` crate already.
pub fn install_log_bridge() -> Result<(), Error> {
    LogTracer::builder().with_max_level(LevelFilter::Trace).init().map_err(|_| Error::new(Kind::BridgeTaken))
}
