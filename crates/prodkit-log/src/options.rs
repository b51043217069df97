use std::io::IsTerminal as _;
use std::time::Duration;

use crate::Filter;
use crate::draft::{LEAST_LINE, Redacted, Shape, Style};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// [`Console`](Self::Console) when standard output is a terminal, else [`Json`](Self::Json).
    #[default]
    Auto,
    /// `2026-11-23T08:00:00.123Z INFO  orders/create.rs:42 order created order_id=7`
    Console,
    /// One JSON object (RFC 8259) per line.
    Json,
}

impl Format {
    /// What [`Auto`](Self::Auto) means; the others stay themselves.
    #[must_use]
    pub fn resolve(self, is_terminal: bool) -> Self {
        match self {
            Self::Auto if is_terminal => Self::Console,
            Self::Auto => Self::Json,
            Self::Console | Self::Json => self,
        }
    }
}

/// What [`start`](crate::start) is told.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `start`"]
pub struct Options {
    pub(crate) format: Format,
    pub(crate) filter: Filter,
    pub(crate) max_line: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) redact: Vec<String>,
    pub(crate) rate: Option<(u32, Duration)>,
    pub(crate) stacktrace: Option<bool>,
    pub(crate) fields: Vec<(String, String)>,
}

/// The names that no service means to log the value of.
const REDACTED: [&str; 13] = [
    "password",
    "passwd",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "api_key",
    "private_key",
];

impl Default for Options {
    /// [`Format::Auto`], `info`, lines of at most 16,000 bytes, a buffer of 8 MiB, the usual names redacted (`password`,
    /// `token`, `authorization`, `cookie` and their like), no rate limit, no fields of its own.
    fn default() -> Self {
        Self {
            format: Format::Auto,
            filter: Filter::default(),
            max_line: 16_000,
            buffer_bytes: 8 << 20,
            redact: REDACTED.map(String::from).into(),
            rate: None,
            stacktrace: None,
            fields: Vec::new(),
        }
    }
}

impl Options {
    /// How a line looks. Default: [`Format::Auto`].
    pub fn format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// Which events are written until [`Log::set_filter`](crate::Log::set_filter). Default: `info`.
    pub fn filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// The most bytes of a line, its newline included. Values that do not fit are cut or left out, the line says
    /// `"truncated":true`, and it is whole JSON all the same. Default: 16,000, because container runtimes split lines
    /// at 16 KiB. At least 1,024.
    pub fn max_line(self, bytes: usize) -> Self {
        Self { max_line: bytes.max(LEAST_LINE), ..self }
    }

    /// The most bytes that wait for the output, those being written included. A line that would exceed it is dropped
    /// and counted. Default: 8 MiB. At least two lines of the longest kind.
    pub fn buffer_bytes(self, bytes: usize) -> Self {
        Self { buffer_bytes: bytes, ..self }
    }

    /// The names of fields whose values are written as `***`, instead of the default ones. A name fits in any case, and
    /// after any dot: `authorization` fits `http.request.header.Authorization`. The text of messages is not searched.
    pub fn redact(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { redact: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The same for these names, besides those that are there already.
    pub fn redact_too(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.redact.extend(names.into_iter().map(Into::into));
        self
    }

    /// At most `lines` in each period `per` from one call site of a macro; what is held back is counted, and the next
    /// line from there says how many in `suppressed`. Preformatted [`Lines`](crate::Lines) are not limited. Default: no
    /// limit, and none either for zero lines or a period below a millisecond.
    pub fn rate_limit(self, lines: u32, per: Duration) -> Self {
        let rate = (lines > 0 && per.as_millis() > 0).then_some((lines, per));
        Self { rate, ..self }
    }

    /// Whether events of level `ERROR` have the stack they were logged from as `stacktrace`. Default: where
    /// `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` asks for it. Taking one is slow, for a line. Panics always have
    /// theirs, and preformatted [`Lines`](crate::Lines) none.
    pub fn stacktrace(self, on: bool) -> Self {
        Self { stacktrace: Some(on), ..self }
    }

    /// A field that every line carries unless its event or a span around it has one of the same name, such as
    /// `service.name`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub(crate) fn shape(&self) -> Shape {
        let style = match self.format.resolve(std::io::stdout().is_terminal()) {
            Format::Console => Style::Console,
            Format::Auto | Format::Json => Style::Json,
        };
        Shape { style, max_line: self.max_line, redacted: Redacted::new(&self.redact) }
    }
}
