//! The app returns the router instead of an `App` with it.

use axum::Router;
use prodkit::{BoxError, Context};

async fn app(_: Context) -> Result<Router, BoxError> {
    Ok(Router::new())
}

fn main() -> std::process::ExitCode {
    prodkit::run(app)
}
