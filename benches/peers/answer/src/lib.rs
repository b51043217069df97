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
