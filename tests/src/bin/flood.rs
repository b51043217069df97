//! Offers as many spans, log records and metric records to a collector as it is told to, on one kind of runtime, and
//! prints what that cost: one line of JSON.
//!
//! `flood current_thread|one|many grpc|http/protobuf ENDPOINT COUNT [CA]`

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use metrics::{Key, Label, Level, Metadata, Recorder as _};
use prodkit_metrics::{Options, Recorder};
use prodkit_otlp::{Otlp, Protocol, Resource, Settings, Span, SpanKind, start};
use prodkit_trace::TraceContext;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tracing_subscriber::layer::SubscriberExt as _;

/// Tasks that offer at once.
const TASKS: u64 = 4;
/// Series of the histogram.
const SERIES: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [flavour, protocol, endpoint, count, ca @ ..] = &arguments[..] else { return ExitCode::from(64) };
    let (Some(runtime), Some(protocol)) = (runtime(flavour), self::protocol(protocol)) else {
        return ExitCode::from(64);
    };
    match runtime.block_on(flood(endpoint, protocol, count.parse().unwrap_or(0), ca.first())) {
        Ok(report) => {
            #[expect(clippy::print_stdout, reason = "the test reads it")]
            {
                println!("{report}");
            }
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn runtime(flavour: &str) -> Option<Runtime> {
    let mut builder = match flavour {
        "current_thread" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let workers = match flavour {
        "current_thread" | "one" => 1,
        "many" => 4,
        _ => return None,
    };
    builder.worker_threads(workers).enable_all().build().ok()
}

fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "grpc" => Some(Protocol::Grpc),
        "http/protobuf" => Some(Protocol::HttpProtobuf),
        _ => None,
    }
}

async fn flood(
    endpoint: &str,
    protocol: Protocol,
    count: u64,
    ca: Option<&String>,
) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let recorder = Recorder::new(Options::default());
    let mut settings = Settings::to(endpoint);
    settings.protocol = Some(protocol);
    settings.tls.ca = ca.map(Into::into);
    settings.logs.enabled = true;
    settings.metric_interval = Duration::from_millis(200);
    settings.sampling.ratio = 1.0;
    let begun = Instant::now();
    let otlp = Arc::new(start(settings, Resource::new("flood"), Some(recorder.clone()))?);
    let started = begun.elapsed();
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(otlp.layer());
    tracing::subscriber::set_global_default(subscriber)?;
    // every series once: what a store holds for them is not what an outage costs
    (0..SERIES).for_each(|n| record(&recorder, n));
    let idle = resident();

    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (otlp, recorder) = (otlp.clone(), recorder.clone());
        tasks.spawn(async move { offer(&otlp, &recorder, count / TASKS * task, count / TASKS).await });
    }
    while tasks.join_next().await.transpose()?.is_some() {}
    let flooded = resident();

    let begun = Instant::now();
    let report = otlp.shutdown(Duration::from_secs(1)).await;
    let tally = |tally: prodkit_otlp::Tally| {
        json!({
            "offered": tally.offered, "exported": tally.exported, "dropped": tally.dropped,
            "failed": tally.failed, "queued": tally.queued,
        })
    };
    Ok(json!({
        "start_ms": started.as_millis() as u64,
        "shutdown_ms": begun.elapsed().as_millis() as u64,
        "idle_kib": idle,
        "flooded_kib": flooded,
        "peak_kib": status("VmHWM:"),
        "traces": tally(report.stats.traces),
        "metrics": tally(report.stats.metrics),
        "logs": tally(report.stats.logs),
    }))
}

async fn offer(otlp: &Otlp, recorder: &Recorder, from: u64, count: u64) {
    let spans = otlp.spans();
    for n in from..from + count {
        let context = TraceContext::root(true);
        match n % 3 {
            // as the request path does, as a library does, as user code does
            0 => spans.write(context, |span| {
                span.name(&["GET", " ", "/orders/{id}"]);
                span.kind(SpanKind::Server);
                span.times(SystemTime::now(), SystemTime::now());
                span.str("url.path", "/orders/1234567890");
            }),
            1 => {
                let mut span = Span::new(context, "work", SystemTime::now());
                span.attributes.push(("n".into(), i64::try_from(n).unwrap_or_default().into()));
                spans.push(span);
            }
            _ => {
                let _trace = context.enter();
                tracing::info_span!("work", n).in_scope(|| {});
            }
        }
        tracing::info!(n, text = "a line of log as they come", "record");
        record(recorder, n);
        if n % 256 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn record(recorder: &Recorder, n: u64) {
    let metadata = Metadata::new(module_path!(), Level::INFO, None);
    let key = Key::from_parts("flood_seconds", vec![Label::new("n", (n % SERIES).to_string())]);
    recorder.register_histogram(&key, &metadata).record(0.01);
}

fn resident() -> u64 {
    status("VmRSS:")
}

/// A line of `/proc/self/status`, in KiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
