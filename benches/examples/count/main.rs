//! One operation, as often as told, for counting instructions: run it for N and for 2N and subtract.
//!
//! ```text
//! cargo build --release -p prodkit-benches --example count
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/count event 20000
//! ```
//!
//! Operations, ours and those they are compared with:
//!
//! - `event`, `event-fmt`: one JSON event of six fields with its trace ids; `disabled`: one that the live level leaves out
//! - `span`: one of nine attributes, as the server makes it, to the socket of `count sink`, whose address is the third
//!   argument; with all that is done for it on the exporting thread
//! - `unsampled`, `unsampled-otel`: what a request pays for a trace that nobody records: the caller's context read, the
//!   decision, and the scope in which it is handled
//! - `held`, `atomic`: a counter by our own handle, and an atomic behind an `Arc`; `facade`: by a handle of the facade;
//!   `counter`, `counter-exporter`: by the macro, with three labels
//! - `scrape`, `scrape-client`: 10,000 counters as text
//! - `push`, `push-histograms`: one export over OTLP of as many series as told, three labels each, to the socket of
//!   `count sink`; `kept`, `kept-histograms`: the same series, and no export
//! - `limit`: a request counted by the adaptive limit, one in a thousand as the last of a window
//! - `records`: as many records into 1,000 histograms; prints the resident memory before the first and after the last
//!
//! What is allocated says `valgrind target/release/examples/count event 5000`, in its line of the heap's usage.
#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a tool")]

mod metrics;

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prodkit_benches::{event, event_with_ids, null};
use prodkit_otlp::{Resource, Settings, SpanKind, SpanWriter, start};
use prodkit_trace::TraceContext;
use tracing::subscriber::with_default;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

const PARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let operation = arguments.next().unwrap_or_default();
    let times: usize = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1_000);
    let repeat = |work: &mut dyn FnMut()| (0..times).for_each(|_| work());
    match operation.as_str() {
        "empty" => repeat(&mut || {}),
        "event" | "disabled" => logged(operation == "event", repeat),
        "event-fmt" => {
            let theirs = tracing_subscriber::fmt().json().with_writer(Arc::new(null())).finish();
            with_default(theirs, || repeat(&mut || event_with_ids(black_box(7))));
        }
        "span" => spans(&arguments.next().expect("an address"), times),
        "sink" => sink(),
        "unsampled" => {
            let otlp = start(Settings::default(), Resource::new("a"), None).expect("nothing to start");
            let sampler = otlp.sampler();
            repeat(&mut || {
                let parent = TraceContext::from_traceparent(black_box(PARENT)).expect("a context");
                let sampled = sampler.sample(parent.trace_id(), Some(parent.is_sampled()));
                let context = parent.child();
                let _scope = black_box(context).enter();
                black_box(sampled);
            });
        }
        "unsampled-otel" => unsampled(repeat),
        "limit" => {
            let mut now = tokio::time::Instant::now();
            let mut gradient = prodkit_http::Gradient::new(20, 1_000, now);
            repeat(&mut || {
                now += Duration::from_millis(1);
                black_box(gradient.sample(
                    black_box(now),
                    black_box(Duration::from_millis(10)),
                    black_box(15),
                ));
            });
        }
        operation if metrics::run(operation, times, arguments.next()) => {}
        other => panic!("no operation {other:?}"),
    }
}

/// Nothing is dropped: as many wait for the writer as there are.
fn logged(enabled: bool, repeat: impl Fn(&mut dyn FnMut())) {
    let options = prodkit_log::Options::default().format(prodkit_log::Format::Json).buffer_bytes(1 << 30);
    let (layer, log) = prodkit_log::start(options, null()).expect("a thread");
    let context = TraceContext::from_traceparent(PARENT).expect("a context");
    let _scope = context.enter();
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(layer);
    with_default(subscriber, || match enabled {
        true => repeat(&mut || event(black_box(7))),
        false => repeat(&mut || tracing::debug!(n = black_box(7), "off")),
    });
    log.shutdown(Duration::from_secs(600));
    assert_eq!(log.stats().dropped, 0, "what is dropped is not counted");
}

fn spans(sink: &str, times: usize) {
    let mut settings = Settings::to(format!("http://{sink}"));
    settings.sampling.ratio = 1.0;
    settings.traces.batch.queue = times.max(512);
    settings.traces.batch.bytes = 1 << 30;
    settings.traces.batch.delay = Duration::from_secs(3600);
    settings.timeout = Duration::from_secs(600);
    let otlp = start(settings, Resource::new("orders"), None).expect("a thread");
    let spans = otlp.spans();
    for _ in 0..times {
        let now = SystemTime::now();
        spans.write(TraceContext::root(true), |span: &mut SpanWriter<'_>| {
            span.name(&["GET", " ", "/api/orders/{id}"]);
            span.times(now, now + Duration::from_millis(1));
            span.kind(SpanKind::Server);
            span.str("http.request.method", "GET");
            span.str("url.path", "/api/orders/123456");
            span.str("url.scheme", "http");
            span.int("http.response.status_code", 200);
            span.str("http.route", "/api/orders/{id}");
            span.str("network.protocol.version", "1.1");
            span.str("client.address", "10.0.0.7");
            span.str("user_agent.original", "curl/8.0");
            span.str("server.address", "orders");
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let report = runtime.block_on(otlp.shutdown(Duration::from_secs(600)));
    assert_eq!(report.stats.traces.exported, times as u64, "{report}");
}

/// A collector that takes everything, one connection after the other.
fn sink() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("bound"));
    while let Ok((mut stream, _)) = listener.accept() {
        while serve(&mut stream).is_some() {}
    }
}

fn serve(stream: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    stream.read_exact(&mut vec![0; length]).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}

fn unsampled(repeat: impl Fn(&mut dyn FnMut())) {
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.1))))
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("a"));
    with_default(tracing_subscriber::registry().with(layer), || {
        repeat(&mut || {
            let parent = TraceContext::from_traceparent(black_box(PARENT)).expect("a context");
            let parent = SpanContext::new(
                parent.trace_id().to_u128().into(),
                parent.span_id().to_u64().into(),
                opentelemetry::TraceFlags::NOT_SAMPLED,
                true,
                opentelemetry::trace::TraceState::NONE,
            );
            let span = tracing::info_span!(
                "request",
                otel.kind = "server",
                http.request.method = "GET",
                url.path = "/api/orders/123456",
                http.route = "/api/orders/{id}",
                user_agent.original = "curl/8.0",
                http.response.status_code = tracing::field::Empty,
            );
            let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
            let entered = span.enter();
            span.record("http.response.status_code", 200);
            drop(entered);
        });
    });
}
