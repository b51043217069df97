//! What the layer answers itself.

use super::exchange::Record;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, Version};

/// A problem as RFC 9457 has it, with the trace id as its only detail.
pub(super) fn problem(status: StatusCode, record: &Record) -> Response<Bytes> {
    let body = format!(
        r#"{{"type":"about:blank","title":"{}","status":{},"trace_id":"{}"}}"#,
        status.canonical_reason().unwrap_or_default(),
        status.as_u16(),
        record.context.trace_id(),
    );
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match status {
        StatusCode::SERVICE_UNAVAILABLE if !record.admitted => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // what is left of the body is not waited for
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE if record.version < Version::HTTP_2 => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}
