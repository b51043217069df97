//! Errors as the client sees them: `application/problem+json` (RFC 9457), naming every field that is wrong.

use std::borrow::Cow;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One thing wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct FieldError {
    /// Where: `items[3].quantity`, `limit`, `Idempotency-Key`.
    pub(crate) field: Cow<'static, str>,
    /// What was expected. Never repeats what was sent.
    pub(crate) detail: Cow<'static, str>,
}

/// An answer that says what is wrong. Nothing was stored when a request ends in one.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    title: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// By which the log lines and the spans of the request are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, errors: Vec::new(), trace_id: None }
    }

    pub(crate) fn fields(status: StatusCode, title: &'static str, errors: Vec<FieldError>) -> Self {
        Self { status, title, errors, trace_id: None }
    }

    pub(crate) fn field(
        status: StatusCode,
        title: &'static str,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::fields(status, title, vec![FieldError { field: field.into(), detail: detail.into() }])
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.trace_id = prodkit::trace::current().map(|trace| trace.trace_id().to_string());
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// A failure that is ours: logged whole, answered without detail.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(error = &error as &(dyn std::error::Error + 'static), "the order store failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the order store is unavailable")
    }
}
