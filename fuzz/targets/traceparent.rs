//! One `traceparent`, beside the grammar of W3C Trace Context Level 2, section 3.2.2, written out a second time.

#![no_main]

use prodkit_trace::TraceContext;

libfuzzer_sys::fuzz_target!(|value: &[u8]| {
    let read = TraceContext::from_traceparent(value);
    assert_eq!(read.as_ref().ok().copied().map(parts), grammar(value));
    if let Ok(context) = read {
        let sent = context.traceparent();
        assert_eq!(TraceContext::from_traceparent(sent.as_bytes()), Ok(context), "{}", sent.as_str());
        assert!(sent.as_str().starts_with("00-"), "what is sent is the version that is spoken here");
    }
});

type Parts = (String, String, u8);

fn parts(context: TraceContext) -> Parts {
    (context.trace_id().to_string(), context.span_id().to_string(), context.flags().to_u8())
}

fn grammar(value: &[u8]) -> Option<Parts> {
    // of a later version nothing is known of what comes behind the dash
    let (known, rest) = value.split_at_checked(55)?;
    let fields: Vec<&str> = str::from_utf8(known).ok()?.split('-').collect();
    let [version, trace, span, flags] = fields.as_slice() else { return None };
    let is_hex = |field: &str, length| {
        field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    let is_good = is_hex(version, 2)
        && *version != "ff"
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(span, 16)
        && !is_zero(span)
        && is_hex(flags, 2)
        && (rest.is_empty() || (*version != "00" && rest.starts_with(b"-")));
    // sampled and random: what level 2 knows
    let flags = u8::from_str_radix(flags, 16).unwrap_or(0) & 3;
    is_good.then(|| ((*trace).to_owned(), (*span).to_owned(), flags))
}
