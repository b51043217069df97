//! A finished span, as this crate takes it.

use prodkit_trace::{SpanId, TraceContext};
use std::borrow::Cow;
use std::mem::size_of;
use std::time::SystemTime;

/// One piece of work that has ended.
///
/// ```
/// use prodkit_otlp::{Span, SpanKind, Status};
/// use prodkit_trace::TraceContext;
/// use std::time::SystemTime;
///
/// let start = SystemTime::now();
/// let mut span = Span::new(TraceContext::root(true), "GET /orders/{id}", start);
/// span.kind = SpanKind::Server;
/// span.attributes.push(("http.response.status_code".into(), 503.into()));
/// span.status = Status::error("");
/// span.end = SystemTime::now();
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// The trace, the span's own id and its flags.
    pub context: TraceContext,
    /// The `tracestate` header the trace came with, empty if none.
    pub trace_state: String,
    /// The span it ran under; `None` for the first of its trace.
    pub parent: Option<SpanId>,
    /// Whether the parent is in another process. Without meaning where there is no parent.
    pub parent_is_remote: bool,
    /// The instrumentation scope: the library that made the span. Default: `prodkit`.
    pub scope: Cow<'static, str>,
    /// Its role. Default: internal.
    pub kind: SpanKind,
    /// A name of low cardinality: a route, never a path.
    pub name: Cow<'static, str>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended. Default: its start.
    pub end: SystemTime,
    /// What is known about it. Names should be unique; the specification leaves open which of two counts.
    pub attributes: Attributes,
    /// How many attributes were left out.
    pub dropped_attributes: u32,
    /// What happened during it, in order.
    pub events: Vec<Event>,
    /// How many events were left out.
    pub dropped_events: u32,
    /// Spans it is related to without being below them.
    pub links: Vec<Link>,
    /// How many links were left out.
    pub dropped_links: u32,
    /// How it ended.
    pub status: Status,
}

/// Names and values.
pub type Attributes = Vec<(Cow<'static, str>, Value)>;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A number with a fraction.
    F64(f64),
    /// A whole number.
    I64(i64),
    /// Several values.
    List(Vec<Value>),
    /// Text.
    Str(Cow<'static, str>),
}

/// What a span is to the spans around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the specification has exactly these")]
pub enum SpanKind {
    /// It asks another service and waits for the answer.
    Client,
    /// It takes a message that somebody produced earlier.
    Consumer,
    /// It stays inside this process.
    #[default]
    Internal,
    /// It hands a message to somebody who takes it later.
    Producer,
    /// It answers a request.
    Server,
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the specification has exactly these")]
pub enum Status {
    /// It failed, for a reason that may be empty.
    Error(Cow<'static, str>),
    /// Somebody who can tell says that it went well.
    Ok,
    /// Nobody said anything, which is what success usually looks like.
    #[default]
    Unset,
}

/// Something that happened at a moment of a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub name: Cow<'static, str>,
    /// When.
    pub time: SystemTime,
    /// What is known about it.
    pub attributes: Attributes,
    /// How many attributes were left out.
    pub dropped_attributes: u32,
}

/// A span that another is related to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// That span.
    pub context: TraceContext,
    /// What is known about the relation.
    pub attributes: Attributes,
    /// How many attributes were left out.
    pub dropped_attributes: u32,
}

impl From<TraceContext> for Link {
    /// A link without attributes.
    fn from(context: TraceContext) -> Self {
        Self { context, attributes: Vec::new(), dropped_attributes: 0 }
    }
}

impl Span {
    /// An internal span without parent that ends when it starts; the fields are for the caller to fill.
    #[must_use]
    pub fn new(context: TraceContext, name: impl Into<Cow<'static, str>>, start: SystemTime) -> Self {
        Self {
            context,
            trace_state: String::new(),
            parent: None,
            parent_is_remote: false,
            scope: Cow::Borrowed("prodkit"),
            kind: SpanKind::default(),
            name: name.into(),
            start,
            end: start,
            attributes: Vec::new(),
            dropped_attributes: 0,
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            status: Status::default(),
        }
    }
}

impl Event {
    /// An event without attributes.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, time: SystemTime) -> Self {
        Self { name: name.into(), time, attributes: Vec::new(), dropped_attributes: 0 }
    }
}

impl Status {
    /// A failure; the description may be empty.
    #[must_use]
    pub fn error(description: impl Into<Cow<'static, str>>) -> Self {
        Self::Error(description.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::I64(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::I64(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::I64(value.into())
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Str(Cow::Borrowed(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(Cow::Owned(value))
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(value: Cow<'static, str>) -> Self {
        Self::Str(value)
    }
}

impl Value {
    /// The memory behind it, roughly, static text counted like owned.
    pub(crate) fn weigh(&self) -> usize {
        match self {
            Self::Bool(_) | Self::F64(_) | Self::I64(_) => 0,
            Self::List(values) => values.iter().map(|value| size_of::<Self>() + value.weigh()).sum(),
            Self::Str(text) => text.len(),
        }
    }
}
