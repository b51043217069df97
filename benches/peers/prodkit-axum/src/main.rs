//! prodkit around an axum router, everything on. Settings come from arguments and environment, as always.

use std::process::ExitCode;

use axum::Router;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prodkit::{App, BoxError, Context};

async fn order(Path(id): Path<u64>) -> impl IntoResponse {
    ([(CONTENT_TYPE, peer_answer::JSON)], peer_answer::order(id))
}

/// As in the images of the examples.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn app(_: Context) -> Result<App, BoxError> {
    let router = Router::new()
        .route("/", get(async || peer_answer::HELLO))
        .route(peer_answer::ORDER_ROUTE, get(order));
    let router = peer_answer::more_routes().fold(router, |router, route| router.route(&route, get(order)));
    for name in peer_answer::more_series() {
        metrics::counter!("peer_series", "name" => name).increment(1);
    }
    Ok(App::new().axum(router))
}

fn main() -> ExitCode {
    prodkit::run!(app)
}
