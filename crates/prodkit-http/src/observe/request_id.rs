//! The id by which a client, its proxies and our log name one request.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use prodkit_trace::TraceId;
use std::cell::RefCell;

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The trace, where the request id does not say it.
pub(super) const TRACE: HeaderName = HeaderName::from_static("x-trace-id");

const MAX: usize = 128;

/// The client's id if it is sane; without one, the trace id is the request's.
pub(super) fn of_client(id: &HeaderValue) -> Option<HeaderValue> {
    is_sane(id.as_bytes()).then(|| id.clone())
}

/// 1 to 128 visible ASCII characters: it will be copied into headers, log lines and spans.
fn is_sane(id: &[u8]) -> bool {
    (1..=MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// How many ids a thread makes room for at once.
const ROOM: usize = 64;

thread_local! {
    // A header's value owns its bytes. These are cut from one piece of memory, which is used again once none of the
    // values is left: they live only until the response's head is written.
    static DIGITS: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The trace id as a header's value, without an allocation nearly always.
pub(super) fn of_trace(trace: TraceId) -> HeaderValue {
    let digits = trace.hex();
    let cut = DIGITS.try_with(|room| {
        let mut room = room.borrow_mut();
        if room.capacity() < digits.len() {
            room.reserve(ROOM * digits.len());
        }
        room.extend_from_slice(&digits);
        HeaderValue::from_maybe_shared(room.split().freeze())
    });
    match cut {
        Ok(Ok(id)) => id,
        // the thread is ending
        _ => HeaderValue::from_bytes(&digits).unwrap_or(const { HeaderValue::from_static("") }),
    }
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
            let value = HeaderValue::from_bytes(id.as_bytes()).expect("a header value");
            assert_eq!(of_client(&value).is_some(), taken, "{id:?}");
        }
    }

    #[test]
    fn ids_stay_as_they_are_however_many_are_made_and_kept() {
        let traces: Vec<_> = (0..5 * ROOM).map(|_| TraceId::random()).collect();
        let mut kept = Vec::new();
        for (place, trace) in traces.iter().enumerate() {
            let id = of_trace(*trace);
            assert_eq!(id.as_bytes(), trace.hex());
            if place % 3 == 0 {
                kept.push((id, *trace));
            }
        }
        assert!(kept.iter().all(|(id, trace)| id.as_bytes() == trace.hex()));
    }

    #[test]
    fn memory_is_used_again_once_no_id_of_it_is_left() {
        let place = || of_trace(TraceId::random()).as_bytes().as_ptr().addr();
        let first = place();
        assert!((0..10 * ROOM).any(|_| place() == first));
    }
}
