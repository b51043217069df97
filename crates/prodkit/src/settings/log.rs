//! `log`: what is written on standard output.

use std::num::NonZeroU32;

use prodkit_config::Bytes;
use prodkit_live::Live;
use prodkit_log::Filter;
use prodkit_secrets::Secret;
use serde::Deserialize;

use super::checked;
use crate::filter;

/// The log on standard output.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Log {
    /// `trace`, `debug`, `info`, `warn`, `error` or `off`, and by target: `info,hyper=warn`. Also `LOG_LEVEL`, `RUST_LOG`.
    /// Takes effect without a restart. Default: info.
    pub(crate) level: Live<LogLevel>,
    /// How a line looks. Default: `auto`.
    pub(crate) format: LogFormat,
    /// The longest line; a longer one is cut, and says so. At least 1024. Default: 16000.
    #[serde(deserialize_with = "checked::max_line")]
    pub(crate) max_line: Bytes,
    /// What may wait to be written; beyond it lines are dropped, and counted. Default: 8MiB.
    pub(crate) buffer: Bytes,
    /// Lines a second from one place in the code; those beyond it are left out and counted, and the next one says how many.
    /// Default: none; all are written.
    #[cfg_attr(feature = "schema", schemars(example = &100))]
    pub(crate) rate_limit: Option<NonZeroU32>,
    /// Whether a line of level `ERROR` has the stack it was logged from, as `stacktrace`. Panics always have theirs.
    /// Default: as `RUST_BACKTRACE` says.
    #[cfg_attr(feature = "schema", schemars(example = &true))]
    pub(crate) stacktrace: Option<bool>,
    /// Fields whose values are written as `***`, by name, besides those of passwords, tokens, keys and cookies: in lines, and
    /// in spans and records that are exported.
    /// Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &["iban"]))]
    pub(crate) redact: Vec<String>,
    /// The key by which a request's header `x-debug-trace` is signed: its trace is logged at `debug` and recorded. Without
    /// one the header means nothing. Default: none.
    #[cfg_attr(feature = "schema", schemars(example = &"file:/var/secrets/debug-key"))]
    #[cfg_attr(feature = "schema", serde(skip_serializing))]
    pub(crate) debug_key: Option<Secret>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Live::fixed(LogLevel(filter::standard())),
            format: LogFormat::default(),
            max_line: Bytes::new(16_000),
            buffer: Bytes::mebi(8),
            rate_limit: None,
            stacktrace: None,
            redact: Vec::new(),
            debug_key: None,
        }
    }
}

/// A filter that is checked where it is written.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String")]
pub(crate) struct LogLevel(pub(crate) Filter);

impl TryFrom<String> for LogLevel {
    type Error = prodkit_log::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        filter::parse(&text).map(Self)
    }
}

#[cfg(feature = "schema")]
impl serde::Serialize for LogLevel {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As a person would write it.
        if self.0 == filter::standard() {
            serializer.serialize_str("info")
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// JSON, unless standard output is a terminal.
    #[default]
    Auto,
    Json,
    Console,
}
