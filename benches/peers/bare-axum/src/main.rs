//! axum's router and server without any layer. `peer-bare-axum PORT`.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

async fn order(Path(id): Path<u64>) -> impl IntoResponse {
    ([(CONTENT_TYPE, peer_answer::JSON)], peer_answer::order(id))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).ok_or("usage: peer-bare-axum PORT")?.parse::<u16>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let router = Router::new()
        .route("/", get(async || peer_answer::HELLO))
        .route(peer_answer::ORDER_ROUTE, get(order));
    let router = peer_answer::more_routes().fold(router, |router, route| router.route(&route, get(order)));
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
