//! Cloudflare's foundations on axum: a span, two metrics and a JSON line for each request, as its example
//! `http_server` has them. It brings no request id, timeout, panic guard or limit. `peer-foundations PORT METRICS_PORT`.

use std::net::Ipv4Addr;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Path, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use foundations::BootstrapResult;
use foundations::telemetry::metrics::{Counter, HistogramBuilder, TimeHistogram};
use foundations::telemetry::settings::{
    ActiveSamplingSettings, LogFormat, OpenTelemetryGrpcOutputSettings, SamplingStrategy, TelemetrySettings,
    TracesOutput,
};
use foundations::telemetry::{self, TelemetryConfig, TelemetryContext, log, tracing};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Metrics of requests.
#[foundations::telemetry::metrics::metrics]
pub(crate) mod metrics {
    /// Requests, by status.
    pub fn http_requests_total(method: &'static str, endpoint: String, status: u16) -> Counter;

    /// Time from the head of a request to that of its response.
    #[ctor = HistogramBuilder { buckets: &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0] }]
    pub fn http_request_duration_seconds(method: &'static str, endpoint: String) -> TimeHistogram;
}

async fn order(Path(id): Path<u64>) -> impl IntoResponse {
    ([(CONTENT_TYPE, peer_answer::JSON)], peer_answer::order(id))
}

async fn observe(request: Request, next: Next) -> Response {
    let context = {
        let _log = TelemetryContext::current().with_forked_log().scope();
        tracing::span("request").into_context()
    };
    context.apply(answer(request, next)).await
}

async fn answer(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = if request.method() == Method::GET { "GET" } else { "_OTHER" };
    let path = request.uri().path().to_owned();
    tracing::add_span_tags!(
        "http.request.method" => method,
        "http.route" => route.clone(),
        "url.path" => path.clone()
    );

    let response = next.run(request).await;

    let status = response.status().as_u16();
    let duration = start.elapsed();
    tracing::add_span_tags!("http.response.status_code" => i64::from(status));
    metrics::http_requests_total(method, route.clone(), status).inc();
    metrics::http_request_duration_seconds(method, route.clone())
        .observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    log::info!("request";
        "method" => method,
        "route" => route,
        "path" => path,
        "status" => status,
        "duration_ms" => duration.as_secs_f64() * 1_000.0,
        "trace_id" => tracing::trace_id()
    );
    response
}

fn settings(metrics_port: u16) -> BootstrapResult<TelemetrySettings> {
    let mut settings = TelemetrySettings::default();
    settings.logging.format = LogFormat::Json;
    settings.server.addr = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, metrics_port)).into();
    settings.tracing.sampling_strategy = SamplingStrategy::Active(ActiveSamplingSettings {
        sampling_ratio: std::env::var("OTEL_TRACES_SAMPLER_ARG")?.parse()?,
        ..Default::default()
    });
    settings.tracing.output = TracesOutput::OpenTelemetryGrpc(OpenTelemetryGrpcOutputSettings {
        endpoint_url: std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT")?,
        ..Default::default()
    });
    Ok(settings)
}

async fn run(port: u16, metrics_port: u16) -> BootstrapResult<()> {
    let mut driver = telemetry::init(TelemetryConfig {
        service_info: &foundations::service_info!(),
        settings: &settings(metrics_port)?,
        custom_server_routes: Vec::new(),
    })?;
    let router = Router::new()
        .route("/", get(async || peer_answer::HELLO))
        .route(peer_answer::ORDER_ROUTE, get(order))
        .layer(middleware::from_fn(observe));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        driven = &mut driver => driven?,
        _ = terminate.recv() => {
            // it has no flush for spans: what waits is given the time to leave
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), &mut driver).await;
        }
    }
    tokio::task::spawn_blocking(move || driver.shutdown_logger()).await?;
    Ok(())
}

fn main() -> BootstrapResult<()> {
    let usage = "usage: peer-foundations PORT METRICS_PORT";
    let mut ports = std::env::args().skip(1).map(|port| port.parse::<u16>());
    let (Some(port), Some(metrics_port)) = (ports.next(), ports.next()) else {
        return Err(std::io::Error::other(usage).into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(port?, metrics_port?))
}
