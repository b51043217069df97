//! JSON or console log lines that carry their trace, through a bounded writer.
//!
//! ```
//! use prodkit_log::{Filter, Options, start, stdout};
//! use std::time::Duration;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let options = Options::default().filter("info,hyper=warn".parse()?).field("service.name", "orders");
//! let (layer, log) = start(options, stdout()?)?;
//!
//! // nearest to the registry: spans get ids there
//! let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(layer);
//! tracing::subscriber::with_default(subscriber, || {
//!     let span = tracing::info_span!("create", order_id = 7);
//!     let _entered = span.enter();
//!     tracing::info!(amount = 19.9, "order created");
//! });
//!
//! log.override_filter("debug".parse()?, Duration::from_secs(600)); // it ends by itself
//! log.set_filter(Filter::default());
//! assert!(log.shutdown(Duration::from_secs(1)));
//! assert_eq!(log.stats().written, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! writes, when standard output is not a terminal,
//!
//! ```json
//! {"level":"INFO","ts":"2026-11-23T08:00:00.123Z","caller":"orders/create.rs:42","msg":"order created","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"02","amount":19.9,"order_id":7,"service.name":"orders"}
//! ```
//!
//! # The line
//!
//! | field | is |
//! |---|---|
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE` |
//! | `ts` | RFC 3339, UTC, milliseconds, whatever `TZ` says |
//! | `caller` | last directory, file and line of the macro |
//! | `target` | only where it is not the caller's module, which is the default |
//! | `msg` | the message, perhaps empty |
//! | `trace_id`, `span_id`, `trace_flags` | of the running work ([`prodkit_trace::current`]); absent without one |
//! | `suppressed` | how many lines of this call site the rate limit held back before this one |
//! | … | the event's fields, those of the spans around it from the inside out, and those of [`Options::field`] |
//! | `stacktrace` | of an event of level `ERROR`, where it is asked for ([`Options::stacktrace`]), and of every panic |
//! | `truncated` | `true` if something was cut off or left out to stay within [`Options::max_line`] |
//!
//! No key comes twice: the first in that order wins, and a field that is called as one of the above is kept as
//! `fields.<name>`. An error value (`error = &e as &dyn Error`) becomes `error.message` and, if it has sources,
//! `error.chain`, a list. Numbers beyond 64 bits and floats that are not finite become strings. Fields with names such as
//! `password` read `***` ([`Options::redact`]).
//!
//! # No line is lost without being counted
//!
//! Whoever logs writes into a buffer and never waits for the output. If the output cannot keep up and the buffer is
//! full, the newest lines are dropped; a line `log lines dropped` says how many as soon as there is room, and
//! [`Log::stats`] says it at any time. A failing output is told on standard error, at most once a minute.
//!
//! # When not to use it
//!
//! For lines in several places or formats at once, for log files and their rotation, or for filters that look at the
//! fields of spans, take `tracing-subscriber`'s own `fmt` layer and `EnvFilter`: here is one output, and one filter by
//! target and level for the whole subscriber. Where every line must survive a crash of the machine, take an audit store.

mod bridge;
mod clock;
mod draft;
mod error;
mod escape;
mod fields;
mod filter;
mod form;
mod layer;
mod limit;
mod lines;
mod log;
mod options;
mod panic;
mod sites;
mod stack;
mod switch;
mod writer;

pub use tracing_core::{Level, LevelFilter};

pub use crate::bridge::install_log_bridge;
pub use crate::error::Error;
pub use crate::filter::Filter;
pub use crate::form::{Filled, Form};
pub use crate::layer::Layer;
pub use crate::lines::{Line, Lines};
pub use crate::log::{Log, Override, Stats, start, stdout};
pub use crate::options::{Format, Options};
pub use crate::panic::{panic_line, panic_message};
