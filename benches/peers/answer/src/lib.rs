//! What every peer answers: the same bytes, made by the same code, so that only what is around it differs.

/// The answer to `GET /`, as `text/plain`.
pub const HELLO: &str = "hello";

/// The media type of [`order`].
pub const JSON: &str = "application/json";

/// The route of [`order`], for metrics, logs and spans.
pub const ORDER_ROUTE: &str = "/api/orders/{id}";

/// The answer to `GET /api/orders/{id}`.
#[must_use]
pub fn order(id: u64) -> String {
    format!(r#"{{"id":{id},"status":"shipped","total":1999}}"#)
}

/// The id in a path of [`ORDER_ROUTE`]: the router of the peers that have none.
#[must_use]
pub fn order_id(path: &str) -> Option<u64> {
    path.strip_prefix("/api/orders/")?.parse().ok()
}

/// Routes besides, as many as the variable `PEER_ROUTES` says; each is answered as [`ORDER_ROUTE`] is.
pub fn more_routes() -> impl Iterator<Item = String> {
    (0..number("PEER_ROUTES")).map(|route| format!("/api/orders-{route:04}/{{id}}"))
}

/// The names of series besides, as many as the variable `PEER_SERIES` says.
pub fn more_series() -> impl Iterator<Item = String> {
    (0..number("PEER_SERIES")).map(|series| series.to_string())
}

fn number(variable: &str) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}
