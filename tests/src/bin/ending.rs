//! A server on the crates that ends in the way it is told to, wrong ones included: what the rolling restarts must be able
//! to notice. Outwardly it is an order-service, but that it forgets every order.
//!
//! It takes `--set` for `server.port`, `admin.port`, `shutdown.delay` and `ending` and does not care about others.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use prodkit::config::duration;
use prodkit_health::{Health, Probes, Settings};
use prodkit_http::{Drain, Limits, Listener, Service, serve};
use prodkit_shutdown::{Cause, Signals, Stop, channel};
use serde_json::{Value, json};

type Orders = Arc<AtomicU64>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::install()?;
    let settings = settings();
    let setting = |key: &str| settings.get(key).map(String::as_str).ok_or(format!("{key} is not set"));
    let delay = duration::parse(setting("shutdown.delay")?)?;
    let ending = setting("ending")?;

    let health = Health::new(Settings::default(), Instant::now());
    let served = Orders::default();
    let main = Listener::bind("127.0.0.1", setting("server.port")?.parse()?).await?;
    let admin = Listener::bind("127.0.0.1", setting("admin.port")?.parse()?).await?;
    let address = |listener: &Listener| listener.local_addr().map(|address| address.to_string());
    say(&json!({ "msg": "started", "server": address(&main), "admin": address(&admin) }));
    let (polite, on_polite) = channel();
    let (close, on_close) = channel();
    let drain = Drain::new(on_polite, on_close, Stop::never());
    let serving = serve(main, orders(&served), Limits::default(), drain);
    let (end, on_end) = channel();
    let operators = serve(
        admin,
        operators(&served, &health),
        Limits::default(),
        Drain::new(Stop::never(), on_end.clone(), on_end),
    );
    health.started(Instant::now());
    say(&json!({ "msg": "ready" }));

    let story = async {
        let cause = signals.recv().await.map_or_else(|| Cause::requested("nobody"), Cause::Signal);
        health.draining(Instant::now());
        match ending {
            "listener-first" => drop(close.fire(cause.clone())),
            "orderly" => drop(polite.fire(cause.clone())),
            _ => {}
        }
        tokio::time::sleep(delay).await;
        close.fire(cause.clone());
        cause
    };
    let server = async {
        let (cause, drained) = tokio::join!(story, serving);
        end.fire(cause);
        drained
    };
    let (drained, _) = tokio::join!(server, operators);
    say(&json!({ "msg": "stopped", "requests_cut": drained.requests_cut }));
    Ok(())
}

fn settings() -> HashMap<String, String> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let pairs = arguments.iter().filter_map(|argument| argument.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn orders(served: &Orders) -> Service {
    let list = async |State(served): State<Orders>| {
        served.fetch_add(1, Relaxed);
        Json(json!({ "orders": [] }))
    };
    let create = async |State(served): State<Orders>| {
        let id = format!("{}-{}", std::process::id(), served.fetch_add(1, Relaxed));
        (StatusCode::CREATED, Json(json!({ "id": id })))
    };
    Service::new(Router::new().route("/api/orders", get(list).post(create)).with_state(served.clone()))
}

fn operators(served: &Orders, health: &Health) -> Service {
    let (served, probes) = (served.clone(), Probes::public(health.clone(), Instant::now));
    let metrics = async move || {
        let served = served.load(Relaxed);
        format!("http_requests_total{{endpoint=\"/api/orders\",method=\"\",status=\"\"}} {served}\n")
    };
    let probe = move |request: axum::http::Request<axum::body::Body>| {
        std::future::ready(probes.answer(&request).map(axum::body::Body::new))
    };
    let router = Router::new().route("/metrics", get(metrics)).fallback(probe);
    Service::new(router)
}

fn say(line: &Value) {
    // nobody reads it any more: nothing to say then
    let _ = writeln!(std::io::stdout(), "{line}");
}
