//! Metrics as in axum's own example `prometheus-metrics`.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};

const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder; what is returned serves it.
pub(crate) fn init() -> Result<Router, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Router::new().route("/metrics", get(async move || recorder.render())))
}

pub(crate) async fn track(request: Request, next: Next) -> impl IntoResponse {
    let start = Instant::now();
    let route = match request.extensions().get::<MatchedPath>() {
        Some(route) => route.as_str().to_owned(),
        None => "unmatched".to_owned(),
    };
    let method = request.method().to_string();

    let response = next.run(request).await;

    let latency = start.elapsed().as_secs_f64();
    let status = response.status().as_u16().to_string();
    let labels = [("method", method), ("endpoint", route), ("status", status)];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(latency);
    response
}
