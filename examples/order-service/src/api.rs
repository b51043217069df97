//! The HTTP face: `POST /api/orders`, `GET /api/orders`, `GET /api/orders/{id}`, `GET /api/features`.

use std::error::Error as _;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use prodkit::Live;
use prodkit::http::ReadTimeout;
use serde::Serialize;

use crate::config::FeatureFlags;
use crate::orders::{Checkout, Draft, IdempotencyKey, Order, Store};
use crate::problem::Problem;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) checkout: Checkout,
    pub(crate) features: Live<FeatureFlags>,
}

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/orders", post(create).get(list))
        .route("/api/orders/{id}", get(read))
        .route("/api/features", get(features))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes other methods, see Allow")
        })
        // `server.max_body_size` is the one limit; axum's own would hide it
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

async fn create(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    json_only(&headers)?;
    let key = IdempotencyKey::from_headers(&headers)?;
    let body = body.map_err(|rejection| unread(&rejection))?;
    let order = api.checkout.take(&Draft::parse(&body)?, key.as_ref()).await?;
    let location = format!("/api/orders/{}", order.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(order)))
}

/// A body that did not arrive whole.
fn unread(rejection: &BytesRejection) -> Problem {
    let causes = std::iter::successors(rejection.source(), |&cause| cause.source());
    let (status, title, detail) = match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            (status, "the body is too large", "expected a smaller body")
        }
        _ if causes.into_iter().any(|cause| cause.is::<ReadTimeout>()) => {
            (StatusCode::REQUEST_TIMEOUT, "the body took too long", "expected the whole body in time")
        }
        status => (status, "the body could not be read", "expected a whole body"),
    };
    Problem::field(status, title, "body", detail)
}

async fn read(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Order>, Problem> {
    let missing =
        || Problem::field(StatusCode::NOT_FOUND, "no such order", "id", "expected the id of an order");
    // what is no text, such as %ff, is no id either
    let Path(id) = id.map_err(|_| missing())?;
    get_order(&api.store, &id).await?.map(Json).ok_or_else(missing)
}

/// A span of this service's own, below the one of the request.
#[tracing::instrument(name = "getOrder", skip_all, fields(order.id = id, order.amount = tracing::field::Empty))]
async fn get_order(store: &Store, id: &str) -> Result<Option<Order>, sqlx::Error> {
    let order = store.order(id).await?;
    if let Some(order) = &order {
        // in dollars, as in the metric `order_amount_dollars`
        tracing::Span::current().record("order.amount", order.amount.0 as f64 / 100.0);
    }
    Ok(order)
}

#[derive(Serialize)]
struct Orders {
    orders: Vec<Order>,
}

async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Orders>, Problem> {
    let orders = api.store.newest(limit(query.as_deref().unwrap_or_default())?).await?;
    Ok(Json(Orders { orders }))
}

async fn features(State(api): State<Api>) -> Json<FeatureFlags> {
    Json(api.features.get().clone())
}

/// `limit` of a query string, at most once. Other parameters are for someone else.
fn limit(query: &str) -> Result<u32, Problem> {
    let mut values =
        query.split('&').filter_map(|pair| pair.strip_prefix("limit=").or((pair == "limit").then_some("")));
    let limit = match (values.next(), values.next()) {
        (None, _) => Some(DEFAULT_LIMIT),
        // `+5` would parse, and is a space and a five in a query
        (Some(text), None) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit))
        }
        (Some(_), _) => None,
    };
    limit.ok_or_else(|| {
        let detail = format!("expected a whole number from 1 to {MAX_LIMIT}");
        Problem::field(StatusCode::BAD_REQUEST, "the query is not valid", "limit", detail)
    })
}

fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "expected application/json";
    Err(Problem::field(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not JSON", "Content-Type", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (query, expected) in [("", 100), ("limit=1", 1), ("limit=1000", 1_000), ("a=b&limit=7", 7)] {
            assert_eq!(limit(query).unwrap(), expected, "{query}");
        }
        for query in [
            "limit=0",
            "limit=-1",
            "limit=1001",
            "limit=x",
            "limit=+5",
            "limit=",
            "limit",
            "limit=1&limit=2",
            "limit=%31",
        ] {
            assert!(limit(query).is_err(), "{query}");
        }
    }

    #[test]
    fn content_types() {
        let check = |value: &str| {
            json_only(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())])).is_ok()
        };
        assert!(check("application/json") && check("Application/JSON; charset=utf-8"));
        assert!(!check("text/plain") && !check("application/jsonp") && json_only(&HeaderMap::new()).is_err());
    }
}
