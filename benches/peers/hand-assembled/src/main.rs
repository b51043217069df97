//! What an experienced user assembles for the same features: axum, tower-http, tracing with OpenTelemetry and JSON lines,
//! the Prometheus exporter. Each part is set up as its own documentation says. `peer-hand-assembled PORT METRICS_PORT`;
//! exporter and sampler come from `OTEL_*`.

mod metrics;
mod telemetry;

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{BoxError, Router, middleware};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::ServiceBuilderExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::MakeRequestUuid;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

const TIMEOUT: Duration = Duration::from_secs(30);
const IN_FLIGHT: usize = 1_000;

async fn order(Path(id): Path<u64>) -> impl IntoResponse {
    ([(CONTENT_TYPE, peer_answer::JSON)], peer_answer::order(id))
}

fn router() -> Router {
    let layers = ServiceBuilder::new()
        .set_x_request_id(MakeRequestUuid)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(telemetry::span)
                .on_request(())
                .on_response(telemetry::line)
                .on_failure(()),
        )
        .propagate_x_request_id()
        .layer(CatchPanicLayer::new())
        .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(IN_FLIGHT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT));
    Router::new()
        .route("/", get(async || peer_answer::HELLO))
        .route(peer_answer::ORDER_ROUTE, get(order))
        .route_layer(middleware::from_fn(metrics::track))
        .layer(layers)
}

async fn run(port: u16, metrics_port: u16) -> Result<(), Box<dyn Error>> {
    let provider = telemetry::init()?;
    let exposition = metrics::init()?;
    let mut terminate = signal(SignalKind::terminate())?;

    let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, metrics_port)).await?;
    tokio::spawn(async { axum::serve(metrics, exposition).await });

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, router())
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut ports = std::env::args().skip(1).map(|port| port.parse::<u16>());
    let (Some(port), Some(metrics_port)) = (ports.next(), ports.next()) else {
        return Err("usage: peer-hand-assembled PORT METRICS_PORT".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(port?, metrics_port?))
}
