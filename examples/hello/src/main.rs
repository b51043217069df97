//! The ten-line service.

use axum::{Router, routing::get};
use prodkit::{App, BoxError, Context};
use std::process::ExitCode;

/// For images; see the manifest.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn app(_: Context) -> Result<App, BoxError> {
    Ok(App::new().axum(Router::new().route("/", get(async || "hello"))))
}

fn main() -> ExitCode {
    prodkit::run!(app)
}
