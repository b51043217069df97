use prodkit_trace::{SpanId, TraceContext, TraceFlags, TraceId};
use proptest::prelude::*;

const TRACE: &str = "12345678901234567890123456789012";
const SPAN: &str = "1234567890123456";

/// The cases of the W3C's own conformance suite and of section 3.2 beside it.
#[test]
fn accepts_what_the_specification_accepts() {
    for (value, flags) in [
        ("00-12345678901234567890123456789012-1234567890123456-00", TraceFlags::NONE),
        ("00-12345678901234567890123456789012-1234567890123456-01", TraceFlags::SAMPLED),
        ("00-12345678901234567890123456789012-1234567890123456-02", TraceFlags::RANDOM),
        ("00-12345678901234567890123456789012-1234567890123456-ff", TraceFlags::SAMPLED | TraceFlags::RANDOM),
        ("00-12345678901234567890123456789012-1234567890123456-fe", TraceFlags::RANDOM),
        ("01-12345678901234567890123456789012-1234567890123456-01", TraceFlags::SAMPLED),
        ("cc-12345678901234567890123456789012-1234567890123456-01", TraceFlags::SAMPLED),
        ("cc-12345678901234567890123456789012-1234567890123456-01-", TraceFlags::SAMPLED),
        (
            "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
            TraceFlags::SAMPLED,
        ),
        ("fe-12345678901234567890123456789012-1234567890123456-01", TraceFlags::SAMPLED),
    ] {
        let parsed = TraceContext::from_traceparent(value.as_bytes());
        let expected = TraceContext::new(
            TraceId::from_hex(TRACE.as_bytes()).unwrap(),
            SpanId::from_hex(SPAN.as_bytes()).unwrap(),
            flags,
        );
        assert_eq!(parsed, Ok(expected), "{value}");
    }
}

#[test]
fn refuses_what_the_specification_refuses() {
    for (value, rule) in [
        // length
        ("", "shorter"),
        ("00", "shorter"),
        ("00-12345678901234567890123456789012-1234567890123456-0", "shorter"),
        ("cc-12345678901234567890123456789012-1234567890123456-0", "shorter"),
        ("00-12345678901234567890123456789012-1234567890123456-01.", "longer"),
        ("00-12345678901234567890123456789012-1234567890123456-01-", "longer"),
        ("00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like", "longer"),
        ("00-12345678901234567890123456789012-1234567890123456-001", "longer"),
        // fields of a wrong width
        ("0-12345678901234567890123456789012-1234567890123456-01-", "dashes"),
        ("000-12345678901234567890123456789012-1234567890123456-01", "dashes"),
        ("0000-12345678901234567890123456789012-1234567890123456-01", "dashes"),
        ("00-1234567890123456789012345678901-1234567890123456-01-", "dashes"),
        ("00-123456789012345678901234567890123-1234567890123456-01", "dashes"),
        ("00-12345678901234567890123456789012-123456789012345-01-", "dashes"),
        ("00-12345678901234567890123456789012-12345678901234567-01", "dashes"),
        ("00_12345678901234567890123456789012_1234567890123456_01", "dashes"),
        // version
        ("ff-12345678901234567890123456789012-1234567890123456-01", "version"),
        ("ff-12345678901234567890123456789012-1234567890123456-01-more", "version"),
        (".0-12345678901234567890123456789012-1234567890123456-01", "version"),
        ("0.-12345678901234567890123456789012-1234567890123456-01", "version"),
        ("CC-12345678901234567890123456789012-1234567890123456-01", "version"),
        (
            "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
            "dash after",
        ),
        ("cc-12345678901234567890123456789012-1234567890123456-010", "dash after"),
        // ids
        ("00-00000000000000000000000000000000-1234567890123456-01", "trace-id"),
        ("00-.2345678901234567890123456789012-1234567890123456-01", "trace-id"),
        ("00-1234567890123456789012345678901.-1234567890123456-01", "trace-id"),
        ("00-1234567890123456789012345678901A-1234567890123456-01", "trace-id"),
        ("cc-00000000000000000000000000000000-1234567890123456-01", "trace-id"),
        ("00-12345678901234567890123456789012-0000000000000000-01", "parent-id"),
        ("00-12345678901234567890123456789012-.234567890123456-01", "parent-id"),
        ("00-12345678901234567890123456789012-123456789012345.-01", "parent-id"),
        ("00-12345678901234567890123456789012-123456789012345F-01", "parent-id"),
        // flags
        ("00-12345678901234567890123456789012-1234567890123456-.0", "trace-flags"),
        ("00-12345678901234567890123456789012-1234567890123456-0.", "trace-flags"),
        ("00-12345678901234567890123456789012-1234567890123456-0A", "trace-flags"),
        ("cc-12345678901234567890123456789012-1234567890123456-.0", "trace-flags"),
        // white space is the HTTP parser's to remove
        (" 00-12345678901234567890123456789012-1234567890123456-01", "dashes"),
        ("00-12345678901234567890123456789012-1234567890123456-01 ", "longer"),
        ("00-12345678901234567890123456789012-1234567890123456-01\t", "longer"),
        // two headers joined by a proxy
        (
            "00-12345678901234567890123456789012-1234567890123456-01,\
             00-12345678901234567890123456789012-1234567890123456-01",
            "longer",
        ),
    ] {
        match TraceContext::from_traceparent(value.as_bytes()) {
            Ok(context) => panic!("{value} was read as {context:?}"),
            Err(error) => assert!(error.to_string().contains(rule), "{value}: {error}"),
        }
    }
}

fn contexts() -> impl Strategy<Value = TraceContext> {
    (1..=u128::MAX, 1..=u64::MAX, 0..4_u8).prop_map(|(trace, span, flags)| {
        TraceContext::new(
            TraceId::from_u128(trace).unwrap(),
            SpanId::from_u64(span).unwrap(),
            TraceFlags::from_u8(flags),
        )
    })
}

proptest! {
    #[test]
    fn what_is_sent_is_what_was_meant(context in contexts()) {
        let header = context.traceparent();
        prop_assert_eq!(header.as_str(), header.to_string());
        prop_assert_eq!(header.as_bytes().as_slice(), header.as_str().as_bytes());
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.flags());
        prop_assert_eq!(header.to_string(), format!("00-{trace}-{span}-{flags}"));
        prop_assert_eq!(TraceContext::from_traceparent(header.as_bytes()), Ok(context));
    }

    #[test]
    fn any_bytes_are_a_context_or_an_error(bytes: Vec<u8>) {
        let _ = TraceContext::from_traceparent(&bytes);
    }

    /// One byte of a good header replaced by any other: accepted only where the grammar leaves it open.
    #[test]
    fn one_wrong_byte_is_noticed(context in contexts(), at in 0..55_usize, byte: u8) {
        let mut header = *context.traceparent().as_bytes();
        header[at] = byte;
        let digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let dash = [2, 35, 52].contains(&at);
        let zero = header[3..35] == [b'0'; 32] || header[36..52] == [b'0'; 16];
        let accepted = TraceContext::from_traceparent(&header).is_ok();
        prop_assert_eq!(accepted, !zero && if dash { byte == b'-' } else { digit });
    }
}
