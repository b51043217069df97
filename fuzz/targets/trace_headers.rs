//! The headers of a request, a line each: what they say of the trace is bounded, and what leaves the process says the
//! same to the next.

#![no_main]

use prodkit_trace::{Arrival, Baggage, Companion, Propagators, TraceContext, TraceState};
use std::collections::HashMap;

type Headers = HashMap<String, Vec<Vec<u8>>>;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let mut headers = Headers::new();
    for line in text.split(|byte| *byte == b'\n').take(100) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        headers.entry(name).or_default().push(value.to_vec());
    }
    let w3c = extract(Propagators::W3C, &headers);
    assert_eq!(w3c, extract(Propagators::W3C, &headers), "the second reading says something else");
    let one = match headers.get("traceparent").map(Vec::as_slice) {
        Some([one]) => TraceContext::from_traceparent(one).ok(),
        _ => None,
    };
    assert_eq!(w3c.context, one);
    let companion = w3c.companion.clone().unwrap_or_default();
    assert!(w3c.context.is_some() || companion.state().is_none(), "tracestate without its traceparent");
    if let Some(state) = companion.state() {
        check_state(state);
    }
    if let Some(baggage) = companion.baggage() {
        check_baggage(baggage, &String::from_utf8_lossy(text));
    }
    sent_on(Propagators::W3C, &w3c);
    for other in [Propagators::B3, Propagators::B3_MULTI, Propagators::JAEGER, Propagators::XRAY] {
        sent_on(other, &extract(other, &headers));
    }
});

fn extract(propagators: Propagators, headers: &Headers) -> Arrival {
    propagators.extract(|name| headers.get(name).into_iter().flatten().map(Vec::as_slice))
}

/// What the next process reads of what this one sends.
fn sent_on(propagators: Propagators, arrival: &Arrival) {
    let Some(context) = arrival.context else { return };
    let mut sent = Headers::new();
    {
        let _scope = context.enter_along(arrival.companion.as_ref());
        propagators.inject(|name, value| {
            assert!(
                value.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)),
                "not a header's value: {value:?}"
            );
            assert!(sent.insert(name.to_owned(), vec![value.into()]).is_none(), "{name} twice");
        });
    }
    let again = extract(propagators, &sent);
    let told = |context: TraceContext| (context.trace_id(), context.span_id(), context.is_sampled());
    assert_eq!(again.context.map(told), Some(told(context)), "{sent:?}");
    if propagators == Propagators::W3C {
        assert_eq!(again.companion, arrival.companion, "{sent:?}");
    }
}

fn check_state(state: &TraceState) {
    let members: Vec<_> = state.iter().collect();
    assert!((1..=32).contains(&members.len()) && state.as_str().len() <= 512, "{state}");
    for (key, value) in &members {
        assert_eq!(state.get(key), Some(*value), "a key twice: {state}");
    }
    let mut more = state.clone();
    assert_eq!(more.insert("fuzz", "1"), Ok(()));
    assert!(more.as_str().starts_with("fuzz=1") && more.as_str().len() <= 512, "{more}");
    assert!(more.iter().count() <= 32, "{more}");
}

fn check_baggage(baggage: &Baggage, value: &str) {
    let count = baggage.iter().count();
    assert!((1..=64).contains(&count) && baggage.as_str().len() <= 8192, "{baggage}");
    let mut more = baggage.clone();
    if more.insert("fuzz", value).is_ok() {
        assert_eq!(more.get("fuzz").as_deref(), Some(value));
        assert!(more.iter().count() <= 64 && more.as_str().len() <= 8192, "{more}");
    } else {
        assert_eq!(&more, baggage, "an error changes nothing");
    }
    let headers = [more.as_str().as_bytes()];
    assert_eq!(Baggage::parse(headers).as_ref(), Ok(&more));
    let companion = Companion::new(TraceState::new(), more);
    assert!(companion.is_some());
}
