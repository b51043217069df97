//! Spans.

use super::{nanos, scope, scoped};
use crate::settings::Limits;
use crate::span::Attributes;
use crate::wire::{self, bytes, fixed32, fixed64, message, uint};
use crate::{Event, Link, Span, SpanKind, Status};
use prodkit_trace::{SpanId, TraceContext};

/// Whether a parent is remote is known, and it is.
const KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// A finished span on its way.
#[derive(Debug)]
pub(crate) enum Finished {
    /// Encoded where it ended, made here.
    Encoded(Encoded),
    /// To be encoded where it is sent: what made it has other things to do.
    Whole(Box<Span>),
}

/// A `Span` message of the scope `prodkit`.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) message: Box<[u8]>,
    /// It is sent though its trace was not sampled.
    pub(crate) is_extra: bool,
}

impl Finished {
    fn scope(&self) -> &str {
        match self {
            Self::Encoded(_) => "prodkit",
            Self::Whole(span) => &span.scope,
        }
    }
}

/// An `ExportTraceServiceRequest`.
pub(crate) fn request(resource: &[u8], spans: &[Finished], limits: &Limits) -> Vec<u8> {
    scoped(resource, spans, Finished::scope, scope, |out, finished| match finished {
        Finished::Encoded(Encoded { message, .. }) => bytes(out, 2, message),
        Finished::Whole(span) => message(out, 2, |out| self::span(out, span, limits)),
    })
}

/// The fields of a `Span`.
pub(crate) fn span(out: &mut Vec<u8>, span: &Span, limits: &Limits) {
    ids(out, span.context, [1, 2]);
    bytes(out, 3, span.trace_state.as_bytes());
    parent(out, span.parent);
    bytes(out, 5, span.name.as_bytes());
    kind(out, span.kind);
    fixed64(out, 7, nanos(span.start));
    fixed64(out, 8, nanos(span.end));
    let dropped = attributes(out, 9, &span.attributes, limits.attributes, limits.value_length);
    uint(out, 10, u64::from(span.dropped_attributes) + dropped);
    for event in span.events.iter().take(limits.events) {
        message(out, 11, |out| self::event(out, event, limits));
    }
    let dropped = span.events.len().saturating_sub(limits.events) as u64;
    uint(out, 12, u64::from(span.dropped_events) + dropped);
    for link in span.links.iter().take(limits.links) {
        message(out, 13, |out| self::link(out, link, limits));
    }
    let dropped = span.links.len().saturating_sub(limits.links) as u64;
    uint(out, 14, u64::from(span.dropped_links) + dropped);
    status(out, &span.status);
    flags(out, 16, span.context, span.parent_is_remote);
}

fn event(out: &mut Vec<u8>, event: &Event, limits: &Limits) {
    fixed64(out, 1, nanos(event.time));
    bytes(out, 2, event.name.as_bytes());
    let dropped = attributes(out, 3, &event.attributes, limits.event_attributes, limits.value_length);
    uint(out, 4, u64::from(event.dropped_attributes) + dropped);
}

fn link(out: &mut Vec<u8>, link: &Link, limits: &Limits) {
    ids(out, link.context, [1, 2]);
    let dropped = attributes(out, 4, &link.attributes, limits.link_attributes, limits.value_length);
    uint(out, 5, u64::from(link.dropped_attributes) + dropped);
    fixed32(out, 6, link.context.flags().to_u8().into());
}

/// Attributes up to a count; how many there are beyond it.
pub(crate) fn attributes(
    out: &mut Vec<u8>,
    field: u32,
    attributes: &Attributes,
    most: usize,
    longest: Option<usize>,
) -> u64 {
    for (key, value) in attributes.iter().take(most) {
        wire::key_value(out, field, key, value.into(), longest);
    }
    attributes.len().saturating_sub(most) as u64
}

#[inline]
pub(crate) fn ids(out: &mut Vec<u8>, context: TraceContext, [trace, span]: [u32; 2]) {
    bytes(out, trace, &context.trace_id().to_u128().to_be_bytes());
    bytes(out, span, &context.span_id().to_u64().to_be_bytes());
}

#[inline]
pub(crate) fn parent(out: &mut Vec<u8>, parent: Option<SpanId>) {
    if let Some(parent) = parent {
        bytes(out, 4, &parent.to_u64().to_be_bytes());
    }
}

#[inline]
pub(crate) fn kind(out: &mut Vec<u8>, kind: SpanKind) {
    uint(
        out,
        6,
        match kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        },
    );
}

#[inline]
pub(crate) fn status(out: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => message(out, 15, |out| uint(out, 3, 1)),
        Status::Error(description) => message(out, 15, |out| {
            bytes(out, 2, description.as_bytes());
            uint(out, 3, 2);
        }),
    }
}

/// The W3C flags, in the lowest byte, and whether the parent is remote.
#[inline]
pub(crate) fn flags(out: &mut Vec<u8>, field: u32, context: TraceContext, remote: bool) {
    let flags = u32::from(context.flags().to_u8());
    fixed32(out, field, flags | KNOWN | if remote { REMOTE } else { 0 });
}
