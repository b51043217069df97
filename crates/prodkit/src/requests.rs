//! The request path's two ends: what the observability layer is told to do, and what becomes of a finished request.
//!
//! The only place that knows both `Form` and `Spans`.

use std::sync::Arc;

use prodkit_http::{Decision, Exchange, Limits, Observe, Observer, Outcome, Parent, TrustedProxies};
use prodkit_log::{Filled, Form, Level};

use crate::address::Address;
use crate::debug::{self, DebugTraces};
use crate::reload::Answers;
use crate::settings::{Server, Settings};
use crate::telemetry::Telemetry;

/// The target of the access log: `log.level: info,http=warn` keeps good requests out of it.
pub(crate) const TARGET: &str = "http";

pub(crate) const MESSAGE: &str = "request";

/// The fields of a request's line, in the order in which `write_line` fills them in; the last ones are those of calls of
/// gRPC alone.
pub(crate) const FIELDS: [&str; 15] = [
    "method",
    "route",
    "path",
    "status",
    "duration_ms",
    "bytes_in",
    "bytes_out",
    "request_id",
    "client.address",
    "outcome",
    "error.message",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
];

/// The layer around the app's service.
pub(crate) fn observe(settings: &Settings, telemetry: &Telemetry, answers: Option<Arc<Answers>>) -> Observe {
    let server = &settings.server;
    let proxies: TrustedProxies = server.trusted_proxies.iter().map(|proxy| proxy.0).collect();
    let observer = Requests {
        answers,
        clients: !proxies.is_empty(),
        lines: telemetry.log.lines().target(TARGET).form(MESSAGE, &FIELDS),
        #[cfg(feature = "otlp")]
        traces: telemetry.otlp.as_ref().map(|otlp| (otlp.sampler(), otlp.spans())),
        #[cfg(feature = "otlp")]
        records: crate::otlp::Records::of(telemetry),
        #[cfg(feature = "otlp")]
        keep: crate::otlp::Keep::new(settings),
        #[cfg(feature = "otlp")]
        scheme: if server.tls.cert.is_some() { "https" } else { "http" },
        debug: telemetry.debug.clone(),
    };
    let observe = Observe::new(Arc::new(observer), Arc::new(telemetry.metrics.clone()))
        .timeout(server.timeout)
        .propagators(telemetry.propagators)
        .trusted_proxies(proxies);
    let most = server.max_in_flight.get();
    match server.adaptive_limit {
        Some(least) => observe.adaptive_in_flight(least.get().min(most), most),
        None => observe.max_in_flight(most),
    }
}

/// What a client may take and send.
pub(crate) fn limits(server: &Server) -> Limits {
    Limits::default()
        .handshake(server.tls.handshake_timeout)
        .first_byte(server.first_byte_timeout)
        .header_timeout(server.header_timeout)
        .read_timeout(server.read_timeout)
        .write_timeout(server.write_timeout)
        .idle(server.idle_timeout)
        .header_bytes(server.max_header_size.as_usize())
        .body_bytes(server.max_body_size.count())
        .max_connections(server.max_connections.get())
}

struct Requests {
    answers: Option<Arc<Answers>>,
    /// Whether the client's address is in the line: it is when somebody has said whom to believe about it.
    clients: bool,
    lines: Form,
    #[cfg(feature = "otlp")]
    traces: Option<(prodkit_otlp::Sampler, prodkit_otlp::Spans)>,
    /// Where the lines go as well.
    #[cfg(feature = "otlp")]
    records: Option<crate::otlp::Records>,
    #[cfg(feature = "otlp")]
    keep: crate::otlp::Keep,
    /// Of the main port.
    #[cfg(feature = "otlp")]
    scheme: &'static str,
    debug: DebugTraces,
}

impl Observer for Requests {
    fn decide(&self, parent: &Parent<'_>) -> Decision {
        if self.debug.begins(parent.trace_id(), || parent.header(debug::HEADER)) {
            return Decision::new(true);
        }
        let of_the_caller = parent.context().map(|context| context.is_sampled());
        #[cfg(feature = "otlp")]
        if let Some((sampler, _)) = &self.traces {
            return Decision::new(sampler.sample(parent.trace_id(), of_the_caller));
        }
        // Nothing is recorded here; whoever comes next may want to.
        Decision::new(of_the_caller.unwrap_or(false))
    }

    fn finished(&self, exchange: &Exchange<'_>) {
        if let Some(answers) = &self.answers {
            answers.count(exchange.status());
        }
        self.write_line(exchange);
        #[cfg(feature = "otlp")]
        if let Some((_, spans)) = &self.traces
            && spans.is_on()
        {
            if exchange.context().is_sampled() {
                crate::otlp::server_span(spans, exchange, self.scheme, None);
            } else if let Some(reason) = self.keep.reason(exchange) {
                crate::otlp::server_span(spans, exchange, self.scheme, Some(reason));
            }
        }
        self.debug.ended(exchange.context().trace_id());
    }
}

impl Requests {
    fn write_line(&self, exchange: &Exchange<'_>) {
        let level = match exchange.outcome() {
            Outcome::Failed | Outcome::Panicked => Level::ERROR,
            _ if exchange.status().is_server_error() => Level::WARN,
            _ => Level::INFO,
        };
        let client = if self.clients { exchange.client_addr().map(Address::of) } else { None };
        let names = [exchange.method().as_str(), exchange.route().unwrap_or_default()];
        let form = exchange.shared(|| self.lines.with(&names));
        let mut line = form.unwrap_or(&self.lines).line(level, Some(exchange.context()));
        if form.is_none() {
            line.str(names[0]).str(names[1]);
        }
        line.str(exchange.path())
            .u64(exchange.status().as_u16().into())
            .millis(exchange.elapsed())
            .u64(exchange.bytes_in())
            .u64(exchange.bytes_out())
            .maybe_str(exchange.request_id())
            .maybe_str(client.as_ref().map(Address::as_str))
            .maybe_str(outcome(exchange.outcome()));
        if exchange.error().is_some() || exchange.grpc_status().is_some() {
            self.write_more(&mut line, exchange, level);
        }
        line.finish();
        #[cfg(feature = "otlp")]
        if let Some(records) = self.records.as_ref().filter(|_| self.lines.enabled(level)) {
            records.request(exchange, level, client.as_ref(), outcome(exchange.outcome()));
        }
    }

    /// What few lines have.
    #[cold]
    fn write_more(&self, line: &mut Filled<'_>, exchange: &Exchange<'_>, level: Level) {
        // as text only where somebody reads it
        let error = exchange.error().filter(|_| self.lines.enabled(level));
        let error = error.map(|error| crate::error::chain(error));
        line.maybe_str(error.as_deref());
        if let Some(status) = exchange.grpc_status() {
            let (service, method) = exchange.grpc_method().unzip();
            line.str("grpc").maybe_str(service).maybe_str(method).u64(status.code().into());
        }
    }
}

/// What is worth a word: everything but an answer.
const fn outcome(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Completed => None,
        Outcome::Disconnected => Some("disconnected"),
        Outcome::TimedOut => Some("timed_out"),
        Outcome::BodyRefused => Some("body_refused"),
        Outcome::Shed => Some("shed"),
        Outcome::Failed => Some("failed"),
        Outcome::Panicked => Some("panicked"),
        _ => Some("other"),
    }
}
