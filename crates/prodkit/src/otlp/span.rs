//! A finished request as a span.

use std::time::Duration;

use http::{Method, StatusCode, Version};
use prodkit_http::{Exchange, GrpcStatus, Outcome};
use prodkit_otlp::{SpanKind, SpanWriter, Spans, Status};

use crate::address::Address;

/// A finished request by the semantic conventions for HTTP server spans. `scheme` is that of the port, where nobody has said
/// one; `kept` says why it is sent though its trace is
/// not sampled.
pub(crate) fn server_span(
    spans: &Spans,
    exchange: &Exchange<'_>,
    scheme: &'static str,
    kept: Option<&'static str>,
) {
    let write = |span: &mut SpanWriter<'_>| {
        let method = known_method(exchange.method());
        match (exchange.route(), exchange.grpc_status()) {
            (Some(route), Some(_)) => span.name(&[route.strip_prefix('/').unwrap_or(route)]),
            (None, Some(_)) => span.name(&["grpc"]),
            (Some(route), None) => span.name(&[method, " ", route]),
            (None, None) => span.name(&[method]),
        }
        let start = exchange.start();
        span.times(start, start + exchange.elapsed().max(Duration::from_nanos(1)));
        span.kind(SpanKind::Server);
        if let Some(parent) = exchange.parent_span_id() {
            span.parent(parent, true);
        }
        if let Some(state) = exchange.tracestate() {
            span.trace_state(state.as_str());
        }
        attributes(span, exchange, scheme, method);
        if let Some(reason) = kept {
            span.str("prodkit.sampling.kept", reason);
        }
        if let Some(error) = failure(exchange) {
            span.str("error.type", error);
            span.status(&Status::error(exchange.error().map(ToString::to_string).unwrap_or_default()));
        }
    };
    match kept {
        Some(_) => spans.write_extra(exchange.context(), write),
        None => spans.write(exchange.context(), write),
    }
}

fn attributes(
    span: &mut SpanWriter<'_>,
    exchange: &Exchange<'_>,
    scheme: &'static str,
    method: &'static str,
) {
    span.str("http.request.method", method);
    span.str("url.path", exchange.path());
    span.str("url.scheme", exchange.scheme().unwrap_or(scheme));
    // what was answered to a call says nothing
    if exchange.grpc_status().is_none() {
        span.int("http.response.status_code", exchange.status().as_u16().into());
    }
    if let Some(status) = exchange.grpc_status() {
        span.str("rpc.system", "grpc");
        if let Some((service, name)) = exchange.grpc_method() {
            span.str("rpc.service", service);
            span.str("rpc.method", name);
        }
        span.int("rpc.grpc.status_code", status.code().into());
    }
    if method == "_OTHER" {
        span.str("http.request.method_original", exchange.method().as_str());
    }
    if let Some(route) = exchange.route() {
        span.str("http.route", route);
    }
    if let Some(version) = protocol(exchange.version()) {
        span.str("network.protocol.version", version);
    }
    let client = exchange.client_addr();
    if let Some(client) = client {
        span.str("client.address", Address::of(client).as_str());
    }
    // who asked for the client
    if let Some(proxy) = exchange.peer_addr()
        && client != Some(proxy.ip().to_canonical())
    {
        span.str("network.peer.address", Address::of(proxy.ip().to_canonical()).as_str());
        span.int("network.peer.port", proxy.port().into());
    }
    if let Some(host) = exchange.forwarded_host() {
        let (name, port) = name_and_port(host);
        span.str("server.address", name);
        if let Some(port) = port {
            span.int("server.port", port.into());
        }
    }
    if let Some(agent) = exchange.user_agent() {
        span.str("user_agent.original", agent);
    }
}

/// A host as in `Host`: an address of IPv6 has brackets there, and none in a span.
fn name_and_port(host: &str) -> (&str, Option<u16>) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
        _ => (host, None),
    };
    (name.trim_start_matches('[').trim_end_matches(']'), port)
}

/// `error.type`: set when the server is to blame, or no whole answer went out.
fn failure<'a>(exchange: &'a Exchange<'_>) -> Option<&'a str> {
    match exchange.outcome() {
        Outcome::Panicked => Some("panic"),
        Outcome::Disconnected => Some("client_disconnected"),
        _ if exchange.status().is_server_error() => {
            let code = || code(exchange.status());
            Some(exchange.grpc_status().map_or_else(code, GrpcStatus::name))
        }
        _ => None,
    }
}

/// A status of 5xx as text; what is not registered counts as 500.
fn code(status: StatusCode) -> &'static str {
    const CODES: [&str; 12] =
        ["500", "501", "502", "503", "504", "505", "506", "507", "508", "509", "510", "511"];
    CODES.get(usize::from(status.as_u16()).wrapping_sub(500)).copied().unwrap_or("500")
}

/// The methods of RFC 9110 and RFC 5789; any other is `_OTHER`, or a client could make names without end.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.iter().find(|known| **known == method.as_str()).copied().unwrap_or("_OTHER")
}

const fn protocol(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}
