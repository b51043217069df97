//! The id by which a client, its proxies and our log name one request.

use http::{HeaderMap, HeaderName, HeaderValue};
use prodkit_trace::TraceId;

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The trace, where the request id does not say it.
pub(super) const TRACE: HeaderName = HeaderName::from_static("x-trace-id");

const MAX: usize = 128;

/// The client's id if it is sane, else the trace id.
pub(super) fn of(headers: &HeaderMap, trace: TraceId) -> HeaderValue {
    match headers.get(HEADER) {
        Some(id) if is_sane(id.as_bytes()) => id.clone(),
        _ => HeaderValue::from_bytes(&trace.hex()).unwrap_or_else(|_| HeaderValue::from_static("")),
    }
}

/// The trace id for a header of its own, if the client named its request by another.
pub(super) fn trace(id: &HeaderValue, trace: TraceId) -> Option<HeaderValue> {
    let trace = trace.hex();
    if id.as_bytes() == trace { None } else { HeaderValue::from_bytes(&trace).ok() }
}

/// 1 to 128 visible ASCII characters: it will be copied into headers, log lines and spans.
fn is_sane(id: &[u8]) -> bool {
    (1..=MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_clients_id_only_if_it_is_short_and_visible() {
        let long = "x".repeat(MAX);
        let too_long = "x".repeat(MAX + 1);
        for (id, taken) in [
            ("a", true),
            ("7f0c-42_Z.~/+=", true),
            (long.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("two words", false),
            ("tab\there", false),
            ("caf\u{e9}", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(id.as_bytes()).expect("a header value"));
            let trace = TraceId::random();
            let expected = if taken { id.as_bytes() } else { &trace.hex() };
            assert_eq!(of(&headers, trace).as_bytes(), expected, "{id:?}");
        }
    }
}
