//! The service to copy: orders over HTTP, with everything production asks for from `prodkit`.
//!
//! `cargo run` starts it with an embedded database; `--config` names a file, `--help` the rest.

mod api;
mod config;
mod decimal;
mod orders;
mod problem;

use std::process::ExitCode;

use prodkit::tasks::Backoff;
use prodkit::{App, Context, Host};

use api::Api;
use config::Config;
use orders::{Checkout, Inventory, Payments, Store, describe_metrics};

/// For images; see the manifest.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn app(cx: Context<Config>) -> anyhow::Result<App> {
    let config = cx.config();
    config.check()?;
    describe_metrics();
    let store = Store::open(&config.database).await?;
    let checkout = Checkout::new(store.clone(), Inventory, Payments::default());
    let api =
        Api { store: store.clone(), checkout: checkout.clone(), features: config.feature_flags.clone() };

    Ok(App::new()
        .on_shutdown("database", {
            let store = store.clone();
            async move || store.close().await
        })
        .check("database", async move || store.ping().await)
        .supervise("settle-pending", Backoff::default(), move |stop| checkout.settle_pending(stop))
        .axum(api::router(api)))
}

fn main() -> ExitCode {
    Host::new(prodkit::build!())
        .schema::<Config>()
        .buckets("order_amount_dollars", &[10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0])
        .run(app)
}
