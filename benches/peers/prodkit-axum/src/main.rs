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

async fn app(_: Context) -> Result<App, BoxError> {
    Ok(App::new().axum(
        Router::new()
            .route("/", get(async || peer_answer::HELLO))
            .route(peer_answer::ORDER_ROUTE, get(order)),
    ))
}

fn main() -> ExitCode {
    prodkit::run!(app)
}
