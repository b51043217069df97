//! The edges: headers in, headers out, and what a job is started with.

use crate::context;
use prodkit_trace::{
    Arrival, Baggage, Companion, FutureExt as _, Layer, Propagators, TraceContext, TraceState, current,
    current_baggage, current_companion, inject,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tracing_subscriber::layer::SubscriberExt as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn extract(propagators: Propagators, headers: &[(&str, &str)]) -> Arrival {
    propagators.extract(|name| {
        headers.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_bytes())
    })
}

fn all() -> Propagators {
    Propagators::parse("tracecontext,baggage,b3,b3multi,jaeger,xray").unwrap()
}

fn injected(propagators: Propagators) -> BTreeMap<&'static str, String> {
    let mut headers = BTreeMap::new();
    propagators.inject(|name, value| drop(headers.insert(name, value.to_owned())));
    headers
}

#[test]
fn names_of_the_specification_in_any_case_and_once() {
    for (list, expected) in [
        ("tracecontext,baggage", "tracecontext,baggage"),
        (" B3 , b3 ,,b3multi", "b3,b3multi"),
        ("xray,jaeger", "jaeger,xray"),
        ("none", "none"),
        ("none,b3", "b3"),
        ("", "none"),
    ] {
        assert_eq!(Propagators::parse(list).unwrap().to_string(), expected, "{list}");
    }
    for list in ["ottrace", "tracecontext baggage", "b4", "tracecontext;baggage"] {
        assert!(Propagators::parse(list).is_err(), "{list}");
    }
    assert_eq!(Propagators::default(), Propagators::parse("tracecontext,baggage").unwrap());
}

#[test]
fn each_format_is_read_where_it_is_asked_for_and_only_there() {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let b3 = format!("{TRACE}-{SPAN}-1");
    let jaeger = format!("{TRACE}:{SPAN}:0:1");
    let xray = format!("Root=1-{}-{};Parent={SPAN};Sampled=1", &TRACE[..8], &TRACE[8..]);
    let multi: &[_] = &[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")];
    let formats: [(&str, &[(&str, &str)]); 5] = [
        ("tracecontext", &[("traceparent", &traceparent)]),
        ("b3", &[("b3", &b3)]),
        ("b3multi", multi),
        ("jaeger", &[("uber-trace-id", &jaeger)]),
        ("xray", &[("x-amzn-trace-id", &xray)]),
    ];
    for (asked, _) in formats {
        for (sent, headers) in formats {
            let found = extract(Propagators::parse(asked).unwrap(), headers).context;
            assert_eq!(found.is_some(), asked == sent, "{sent} to {asked}");
            if let Some(found) = found {
                assert_eq!(
                    (found.trace_id().to_string(), found.span_id().to_string()),
                    (TRACE.into(), SPAN.into())
                );
                assert!(found.is_sampled());
            }
        }
    }
}

#[test]
fn what_was_written_is_read_again_in_each_format() {
    for sampled in [true, false] {
        let context = TraceContext::root(sampled);
        let _scope = context.enter();
        for name in ["tracecontext", "b3", "b3multi", "jaeger", "xray"] {
            let one = Propagators::parse(name).unwrap();
            let headers = injected(one);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let found = extract(one, &headers).context.unwrap();
            assert_eq!(
                (found.trace_id(), found.span_id()),
                (context.trace_id(), context.span_id()),
                "{name}"
            );
            assert_eq!(found.is_sampled(), sampled, "{name}");
        }
    }
}

#[test]
fn of_several_formats_w3c_counts_and_what_is_malformed_is_not_there() {
    let b3 = format!("{TRACE}-{SPAN}-1");
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let found = extract(all(), &[("b3", &b3), ("traceparent", other)]).context.unwrap();
    assert_eq!(found.traceparent().as_str(), other);
    let found = extract(all(), &[("b3", &b3), ("traceparent", "00-nonsense")]).context.unwrap();
    assert_eq!(found.trace_id().to_string(), TRACE);
    // twice is malformed
    assert_eq!(extract(all(), &[("b3", &b3), ("b3", &b3)]).context, None);
    assert_eq!(extract(all(), &[("traceparent", other), ("traceparent", other)]).context, None);
}

#[test]
fn malformed_values_of_the_older_formats() {
    let b3 = |value: &str| extract(all(), &[("b3", value)]).context;
    for value in [
        "0",
        "1",
        "d",
        "",
        "-",
        &format!("{TRACE}-{SPAN}-2"),
        &format!("{TRACE}-{SPAN}-1-xyz"),
        &format!("{TRACE}-{SPAN}-1-{SPAN}-1"),
        &format!("{TRACE}-0000000000000000-1"),
        "0-0-1",
        &format!("{}-{SPAN}-1", "0".repeat(32)),
        &format!("{TRACE}0-{SPAN}-1"),
        &format!("+{}-{SPAN}-1", &TRACE[1..]),
    ] {
        assert_eq!(b3(value), None, "{value}");
    }
    assert!(b3(&format!("{TRACE}-{SPAN}-d")).unwrap().is_sampled());
    assert!(!b3(&format!("{TRACE}-{SPAN}")).unwrap().is_sampled());
    assert_eq!(b3(&format!("{SPAN}-{SPAN}-1-{SPAN}")).unwrap().trace_id().to_u128() >> 64, 0, "64 bits");

    let jaeger = |value: &str| extract(all(), &[("uber-trace-id", value)]).context;
    assert_eq!(jaeger("1%3a2%3A0%3A1").unwrap().trace_id().to_u128(), 1);
    for value in ["", ":::", "1:2:0", "1:2:0:1:1", "0:2:0:1", "1:0:0:1", "g:2:0:1", "1:2:0:fff"] {
        assert_eq!(jaeger(value), None, "{value}");
    }

    let xray = |value: &str| extract(all(), &[("x-amzn-trace-id", value)]).context;
    let root = "1-67891233-abcdef012345678912345678";
    assert!(xray(&format!("Self=x;sampled=1; Parent=463ac35c9f6413ad;Root={root}")).unwrap().is_sampled());
    assert!(!xray(&format!("Root={root};Parent=463ac35c9f6413ad;Sampled=?")).unwrap().is_sampled());
    for value in [
        "",
        "Root=1-1-1;Parent=463ac35c9f6413ad",
        &format!("Root=2{};Parent=463ac35c9f6413ad", &root[1..]),
        &format!("Root={root}"),
        &format!("Root={root};Parent=1"),
    ] {
        assert_eq!(xray(value), None, "{value}");
    }
}

#[test]
fn baggage_is_read_whole_or_not_at_all() {
    let parse = |value: &str| Baggage::parse([value.as_bytes()]).map(|baggage| baggage.to_string());
    for (value, expected) in [
        ("a=1", "a=1"),
        (" a=1 ,, b=2;p;q=3 ", "a=1,b=2;p;q=3"),
        ("a = 1", "a = 1"),
        ("key=%C3%A9%ZZ", "key=%C3%A9%ZZ"),
        ("a=", "a="),
        ("", ""),
    ] {
        assert_eq!(parse(value).unwrap(), expected, "{value}");
    }
    let bad = ["a", "=1", "a b=1", "a=b c", "a=\"1\"", "a=1,b", "a=\u{e9}", "a=\\", "a(=1"];
    for value in bad.into_iter().chain(["a=1;p=\u{12}", "a=1;p\0", "a=1;p=\u{e9}", "a=1;p\u{7f}"]) {
        assert!(parse(value).is_err(), "{value}");
    }
    let two = Baggage::parse([b"a=1".as_slice(), b"b=2,a=3"]).unwrap();
    assert_eq!(two.to_string(), "a=1,b=2,a=3");
    assert_eq!(two.get("a").unwrap(), "1");
    let odd = Baggage::parse([b"a=%41%zz%".as_slice(), b"b=%ff"]).unwrap();
    assert_eq!((&*odd.get("a").unwrap(), &*odd.get("b").unwrap()), ("A%zz%", "\u{fffd}"));
    assert_eq!(odd.get("c"), None);
}

#[test]
fn baggage_has_bounds() {
    let many: String = (0..200).map(|n| format!("k{n}=v,")).collect();
    assert_eq!(Baggage::parse([many.as_bytes()]).unwrap().iter().count(), 64);
    let long = format!("a={},b=1,c={}", "x".repeat(8000), "y".repeat(500));
    let kept = Baggage::parse([long.as_bytes()]).unwrap();
    assert_eq!(kept.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>(), ["a", "b"]);

    let mut baggage = Baggage::new();
    for n in 0..64 {
        baggage.insert(&format!("k{n}"), "v").unwrap();
    }
    assert!(baggage.insert("one-more", "v").is_err());
    baggage.insert("k0", "again").unwrap();
    assert!(baggage.insert("k1", &"x".repeat(9000)).is_err());
    assert!(baggage.insert("no token", "v").is_err());
    assert_eq!((baggage.iter().count(), &*baggage.get("k0").unwrap()), (64, "again"));
    assert!(baggage.remove("k1") && !baggage.remove("k1"));
    let mut any = Baggage::new();
    any.insert("a", "100 %, ä;\"\\\u{0}").unwrap();
    assert_eq!(Baggage::parse([any.as_str().as_bytes()]).unwrap().get("a").unwrap(), "100 %, ä;\"\\\u{0}");
}

#[test]
fn what_came_with_the_trace_leaves_with_it_from_spans_and_tasks() {
    let headers = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "congo=t61"),
        ("tracestate", "rojo=1"),
        ("baggage", "tenant=acme"),
    ];
    let Arrival { context: Some(caller), companion, .. } = extract(Propagators::W3C, &headers) else {
        panic!("no context")
    };
    let subscriber = tracing_subscriber::registry().with(Layer::new());
    let _default = tracing::subscriber::set_default(subscriber);
    let request = caller.child();
    let scope = request.enter_along(companion.as_ref());
    let span = tracing::info_span!("query").entered();
    let sent = injected(Propagators::W3C);
    assert_eq!(sent["traceparent"], current().unwrap().traceparent().as_str());
    assert_ne!(current().unwrap().span_id(), request.span_id());
    assert_eq!((&*sent["tracestate"], &*sent["baggage"]), ("congo=t61,rojo=1", "tenant=acme"));
    let task = async { injected(Propagators::W3C) }.in_current_trace();
    drop(span);
    drop(scope);
    assert_eq!((injected(all()), current_companion()), (BTreeMap::new(), None));
    let mut task = std::pin::pin!(task);
    let Poll::Ready(later) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
    assert_eq!(later, sent);
}

#[test]
fn another_trace_does_not_take_the_baggage_along() {
    let mut baggage = Baggage::new();
    baggage.insert("a", "1").unwrap();
    let companion = Companion::new(TraceState::new(), baggage.clone());
    let _request = context(1).enter_along(companion.as_ref());
    assert_eq!(current_baggage().as_deref(), Some(&baggage));
    {
        let _other = context(2).enter();
        assert_eq!(current_baggage(), None);
        assert_eq!(injected(Propagators::W3C).keys().collect::<Vec<_>>(), [&"traceparent"]);
    }
    let mut own = std::pin::pin!(
        async { current_baggage() }.in_trace(context(3)).with_baggage(Arc::new(Baggage::new()))
    );
    assert!(
        matches!(own.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Some(own)) if own.is_empty())
    );
    assert_eq!(Companion::new(TraceState::new(), Baggage::new()), None);
}

#[test]
fn a_job_is_told_by_its_variables() {
    let variables = [
        ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("TRACESTATE", "congo=1"),
        ("BAGGAGE", "a=1"),
        ("X_B3_TRACEID", TRACE),
        ("X_B3_SPANID", SPAN),
    ];
    let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let arrival = Propagators::W3C.extract_env(env);
    assert!(arrival.context.unwrap().is_sampled());
    let companion = arrival.companion.unwrap();
    assert_eq!(
        (companion.state().unwrap().as_str(), companion.baggage().unwrap().as_str()),
        ("congo=1", "a=1")
    );
    assert!(!Propagators::B3_MULTI.extract_env(env).context.unwrap().is_sampled());
    assert_eq!(Propagators::NONE.extract_env(env), Arrival::default());
}

#[test]
fn the_process_speaks_w3c_until_told_otherwise() {
    // the only test of this file that changes what the process speaks
    let _scope = context(9).enter();
    let mut names = Vec::new();
    inject(|name, _| names.push(name));
    assert_eq!(names, ["traceparent"]);
    Propagators::B3.install();
    names.clear();
    inject(|name, _| names.push(name));
    Propagators::W3C.install();
    assert_eq!(names, ["b3"]);
}
