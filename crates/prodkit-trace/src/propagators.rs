//! How a trace gets from one process to the next.

mod formats;

use crate::{Baggage, Companion, ParseError, TraceContext, TraceState, current, current_companion};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// What this process speaks, until somebody says otherwise.
static INSTALLED: AtomicU8 = AtomicU8::new(Propagators::W3C.0);

/// Hands the headers of an outgoing request to `set`: the running trace and what travels with it, as the process speaks
/// ([`Propagators::installed`]). Nothing where there is no [`current()`] trace.
///
/// For whoever makes requests. A header of that name which is there already is to be replaced.
///
/// ```
/// # use prodkit_trace::{TraceContext, inject};
/// let mut headers = std::collections::BTreeMap::new();
/// let _scope = TraceContext::root(true).enter();
/// inject(|name, value| {
///     headers.insert(name, value.to_owned());
/// });
/// assert_eq!(headers["traceparent"].len(), 55);
/// ```
pub fn inject(set: impl FnMut(&'static str, &str)) {
    Propagators::installed().inject(set);
}

/// The formats in which a trace is read from and written to headers: a set, copied freely.
///
/// Where a request brings several, the first of this list that is valid counts: W3C, B3 in one header, B3 in many,
/// Jaeger, X-Ray. All are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Propagators(u8);

/// What a request brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The caller's span; `None` if no format was there and valid.
    pub context: Option<TraceContext>,
    /// What travels with the trace. `tracestate` is read only beside a valid `traceparent`.
    pub companion: Option<Companion>,
}

/// The names of the specification, in the order of precedence.
const NAMES: [(&str, Propagators); 6] = [
    ("tracecontext", Propagators::TRACE_CONTEXT),
    ("baggage", Propagators::BAGGAGE),
    ("b3", Propagators::B3),
    ("b3multi", Propagators::B3_MULTI),
    ("jaeger", Propagators::JAEGER),
    ("xray", Propagators::XRAY),
];

impl Propagators {
    /// Reads and writes nothing: every request begins a trace, and none leaves.
    pub const NONE: Self = Self(0);
    /// `traceparent` and `tracestate`.
    pub const TRACE_CONTEXT: Self = Self(1);
    /// `baggage`.
    pub const BAGGAGE: Self = Self(1 << 1);
    /// `b3`, the [single header of B3](https://github.com/openzipkin/b3-propagation#single-header).
    pub const B3: Self = Self(1 << 2);
    /// `x-b3-traceid` and its kin.
    pub const B3_MULTI: Self = Self(1 << 3);
    /// `uber-trace-id`.
    pub const JAEGER: Self = Self(1 << 4);
    /// `x-amzn-trace-id`.
    pub const XRAY: Self = Self(1 << 5);
    /// The default: [`TRACE_CONTEXT`](Self::TRACE_CONTEXT) and [`BAGGAGE`](Self::BAGGAGE).
    pub const W3C: Self = Self::TRACE_CONTEXT.and(Self::BAGGAGE);

    /// These and those.
    #[must_use = "returns the union"]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads a list such as `tracecontext,baggage,b3`, the value of `OTEL_PROPAGATORS`. `none` is alone or has no effect.
    ///
    /// # Errors
    ///
    /// A name that is none of `tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger`, `xray` and `none`. (`ottrace` is one
    /// that the specification has given up.)
    pub fn parse(list: &str) -> Result<Self, ParseError> {
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(Self::NONE, |found, name| {
            if name.eq_ignore_ascii_case("none") {
                return Ok(found);
            }
            let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
            known.map(|(_, one)| found.and(*one)).ok_or(ParseError::new("a propagator that is not known"))
        })
    }

    /// Makes these what [`inject`] speaks in this process. For whoever owns the process, once.
    pub fn install(self) {
        INSTALLED.store(self.0, Ordering::Relaxed);
    }

    /// What this process speaks. Default: [`W3C`](Self::W3C).
    pub fn installed() -> Self {
        Self(INSTALLED.load(Ordering::Relaxed))
    }

    /// Reads what `get` has: all values of the header of that name, names in lower case.
    ///
    /// What is malformed is as good as not there, by the specifications of all formats. A header of a context that comes
    /// twice is malformed.
    #[inline]
    pub fn extract<'h, I>(self, get: impl Fn(&'static str) -> I) -> Arrival
    where
        I: IntoIterator<Item = &'h [u8]>,
    {
        let mut arrival = Arrival::default();
        let mut state = TraceState::new();
        if self.has(Self::TRACE_CONTEXT) {
            let parent = single(get("traceparent"));
            arrival.context = parent.and_then(|value| TraceContext::from_traceparent(value).ok());
            if arrival.context.is_some() {
                state = TraceState::parse(get("tracestate")).unwrap_or_default();
            }
        }
        if arrival.context.is_none() && !Self::W3C.has(self) {
            arrival.context = formats::extract(self, |name| {
                single(get(name)).and_then(|value| str::from_utf8(value).ok()).map(str::trim)
            });
        }
        let baggage = match self.has(Self::BAGGAGE) {
            true => Baggage::parse(get("baggage")).unwrap_or_default(),
            false => Baggage::new(),
        };
        arrival.companion = Companion::new(state, baggage);
        arrival
    }

    /// Reads the variables a process was started with, as
    /// [the specification](https://opentelemetry.io/docs/specs/otel/context/env-carriers/) names them: `TRACEPARENT`,
    /// `TRACESTATE`, `BAGGAGE`, `B3` and so on. For jobs, whose parent is whoever started them.
    pub fn extract_env<'e>(self, variable: impl Fn(&str) -> Option<&'e str>) -> Arrival {
        self.extract(|name| variable(&env_name(name)).map(str::as_bytes))
    }

    /// Hands the running trace and what travels with it to `set`, in all these formats. Nothing where there is none.
    pub fn inject(self, mut set: impl FnMut(&'static str, &str)) {
        let Some(context) = current() else { return };
        let companion = current_companion();
        if self.has(Self::TRACE_CONTEXT) {
            set("traceparent", context.traceparent().as_str());
            if let Some(state) = companion.as_ref().and_then(Companion::state) {
                set("tracestate", state.as_str());
            }
        }
        if self.has(Self::BAGGAGE)
            && let Some(baggage) = companion.as_ref().and_then(Companion::baggage)
        {
            set("baggage", baggage.as_str());
        }
        formats::inject(self, context, &mut set);
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self::W3C
    }
}

impl fmt::Display for Propagators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMES.iter().filter(|(_, one)| self.has(*one)).map(|(name, _)| *name).collect();
        if names.is_empty() { f.write_str("none") } else { f.write_str(&names.join(",")) }
    }
}

impl fmt::Debug for Propagators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Propagators({self})")
    }
}

/// The value of a header that may come once.
fn single<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let mut values = values.into_iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Upper case, with `_` for what is no letter or digit.
fn env_name(header: &str) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() } else { b'_' };
    header.bytes().map(byte).map(char::from).collect()
}
