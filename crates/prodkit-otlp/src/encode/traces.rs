//! Spans.

use super::{attributes, nanos, scope};
use crate::{Span, SpanKind, Status};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as proto, SpanFlags, span, status::StatusCode};
use prodkit_trace::{SpanId, TraceContext, TraceId};
use std::collections::BTreeMap;

pub(crate) fn request(resource: &Resource, spans: &[Span]) -> ExportTraceServiceRequest {
    let mut scopes: BTreeMap<&str, Vec<proto::Span>> = BTreeMap::new();
    for span in spans {
        scopes.entry(&span.scope).or_default().push(self::span(span));
    }
    let scope_spans = scopes.into_iter().map(|(name, spans)| proto::ScopeSpans {
        scope: Some(scope(name)),
        spans,
        schema_url: String::new(),
    });
    let resource_spans = proto::ResourceSpans {
        resource: Some(resource.clone()),
        scope_spans: scope_spans.collect(),
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

fn span(span: &Span) -> proto::Span {
    let known = SpanFlags::ContextHasIsRemoteMask as u32;
    let remote = if span.parent_is_remote { SpanFlags::ContextIsRemoteMask as u32 } else { 0 };
    proto::Span {
        trace_id: trace_id(span.context.trace_id()),
        span_id: span_id(span.context.span_id()),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent.map(span_id).unwrap_or_default(),
        flags: flags(span.context) | known | remote,
        name: span.name.to_string(),
        kind: kind(span.kind) as i32,
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.iter().copied().map(link).collect(),
        dropped_links_count: span.dropped_links,
        status: status(&span.status),
    }
}

fn event(event: &crate::Event) -> span::Event {
    span::Event {
        time_unix_nano: nanos(event.time),
        name: event.name.to_string(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes,
    }
}

fn link(context: TraceContext) -> span::Link {
    span::Link {
        trace_id: trace_id(context.trace_id()),
        span_id: span_id(context.span_id()),
        flags: flags(context),
        ..span::Link::default()
    }
}

fn kind(kind: SpanKind) -> span::SpanKind {
    match kind {
        SpanKind::Client => span::SpanKind::Client,
        SpanKind::Consumer => span::SpanKind::Consumer,
        SpanKind::Internal => span::SpanKind::Internal,
        SpanKind::Producer => span::SpanKind::Producer,
        SpanKind::Server => span::SpanKind::Server,
    }
}

fn status(status: &Status) -> Option<proto::Status> {
    let (code, message) = match status {
        Status::Unset => return None,
        Status::Ok => (StatusCode::Ok, String::new()),
        Status::Error(description) => (StatusCode::Error, description.to_string()),
    };
    Some(proto::Status { code: code as i32, message })
}

pub(crate) fn trace_id(id: TraceId) -> Vec<u8> {
    id.to_u128().to_be_bytes().to_vec()
}

pub(crate) fn span_id(id: SpanId) -> Vec<u8> {
    id.to_u64().to_be_bytes().to_vec()
}

/// The W3C flags, in the lowest byte.
pub(crate) fn flags(context: TraceContext) -> u32 {
    context.flags().to_u8().into()
}
