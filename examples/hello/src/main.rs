//! The ten-line service.

use axum::{Router, routing::get};
use prodkit::{App, BoxError, Context};
use std::process::ExitCode;

async fn app(_: Context) -> Result<App, BoxError> {
    Ok(App::new().axum(Router::new().route("/", get(async || "hello"))))
}

fn main() -> ExitCode {
    prodkit::run!(app)
}
