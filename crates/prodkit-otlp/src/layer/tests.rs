use super::*;
use crate::queue::Bounds;
use crate::span::Attributes;
use crate::{SpanKind, Value};
use prodkit_trace::TraceContext;
use tracing_core::Level;
use tracing_subscriber::layer::SubscriberExt as _;

/// The default of all counts.
const LIMIT: usize = 128;

struct Setup {
    spans: Arc<Queue<Finished>>,
    logs: Arc<Queue<LogRecord>>,
}

/// Runs `work` under a sampled or unsampled context with the layer in place.
fn run(sampled: bool, work: impl FnOnce(TraceContext)) -> (Vec<Span>, Vec<LogRecord>) {
    let limits = Bounds { items: 1000, bytes: 1 << 20, batch: 1000 };
    let Setup { spans, logs } =
        Setup { spans: Arc::new(Queue::new(limits)), logs: Arc::new(Queue::new(limits)) };
    let redact = Redact::new(|name| name == "password");
    let layer = Layer::new(Some(spans.clone()), Some(logs.clone()), Limits::default(), redact);
    let subscriber = tracing_subscriber::registry().with(prodkit_trace::Layer::new()).with(layer);
    let context = TraceContext::root(sampled);
    tracing::subscriber::with_default(subscriber, || {
        let _scope = context.enter();
        work(context);
    });
    let whole = |finished| match finished {
        Finished::Whole(span) => *span,
        Finished::Encoded(_) => panic!("the layer hands over whole spans"),
    };
    (spans.take().into_iter().map(whole).collect(), logs.take())
}

fn attribute<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a Value> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

#[test]
fn a_tree_of_spans_keeps_ids_parents_and_fields() {
    let mut request = None;
    let (spans, _) = run(true, |context| {
        request = Some(context);
        let outer = tracing::info_span!("outer", n = 7, later = tracing::field::Empty, big = u64::MAX);
        outer.in_scope(|| {
            tracing::info_span!(
                "inner",
                otel.kind = "client",
                otel.name = "SELECT orders",
                ok = true,
                f = 0.5
            )
            .in_scope(|| tracing::info!(rows = 3, "found"));
            tracing::Span::current().record("later", "yes");
            tracing::Span::current().record("n", 8);
        });
    });
    let request = request.unwrap();
    let [inner, outer] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&*outer.name, outer.parent), ("outer", Some(request.span_id())));
    assert_eq!((inner.parent, inner.kind), (Some(outer.context.span_id()), SpanKind::Client));
    assert_eq!(&*inner.name, "SELECT orders");
    assert!(spans.iter().all(|span| span.context.trace_id() == request.trace_id()));
    assert!(spans.iter().all(|span| span.end >= span.start && span.status == Status::Unset));

    for (span, name, value) in [
        (outer, "n", Value::I64(8)),
        (outer, "later", "yes".into()),
        (outer, "big", u64::MAX.to_string().into()),
        (inner, "ok", true.into()),
        (inner, "f", 0.5.into()),
    ] {
        assert_eq!(attribute(&span.attributes, name), Some(&value), "{name}");
    }
    assert_eq!(outer.attributes.len(), 3);
    assert_eq!(&*inner.events[0].name, "found");
    assert_eq!(attribute(&inner.events[0].attributes, "rows"), Some(&3.into()));
}

#[test]
fn an_unsampled_trace_exports_no_span_but_its_logs_carry_the_ids() {
    let mut request = None;
    let (spans, logs) = run(false, |context| {
        request = Some(context);
        tracing::info!("outside");
        tracing::info_span!("work").in_scope(|| tracing::warn!(target: "shop", n = 1, "inside"));
    });
    assert!(spans.is_empty());
    let [outside, inside] = &logs[..] else { panic!("{logs:?}") };
    assert_eq!(outside.context, request);
    let context = inside.context.unwrap();
    assert_eq!(context.trace_id(), request.unwrap().trace_id());
    assert_ne!(context.span_id(), request.unwrap().span_id());
    assert_eq!((&*inside.target, inside.level, &*inside.body), ("shop", Level::WARN, "inside"));
    assert_eq!(attribute(&inside.attributes, "n"), Some(&1.into()));
}

#[test]
fn errors_become_status_and_exception() {
    let (spans, logs) = run(true, |_| {
        tracing::info_span!("a").in_scope(|| tracing::error!(error = %"disk full", "cannot write"));
        tracing::info_span!("b").in_scope(|| tracing::error!(error = "disk full"));
        tracing::info_span!("c", otel.status_code = "OK").in_scope(|| tracing::error!("ignored"));
        tracing::info_span!("d").in_scope(|| tracing::error!("first, then second"));
        tracing::info_span!("e").in_scope(|| tracing::warn!("not an error"));
        let error: &(dyn std::error::Error + 'static) = &std::io::Error::other("boom");
        drop(tracing::info_span!("f", error));
    });
    let full = || Status::error("disk full");
    let expected = [
        ("a", full(), Some("cannot write")),
        ("b", full(), Some("exception")),
        ("c", Status::Ok, Some("ignored")),
        ("d", Status::error("first, then second"), Some("first, then second")),
        ("e", Status::Unset, Some("not an error")),
        ("f", Status::error("boom"), None),
    ];
    for (span, (name, status, event)) in spans.iter().zip(expected) {
        assert_eq!((&*span.name, &span.status), (name, &status));
        assert_eq!(span.events.first().map(|event| &*event.name), event, "{name}");
    }
    assert_eq!(attribute(&spans[0].events[0].attributes, EXCEPTION), Some(&"disk full".into()));
    assert_eq!(attribute(&logs[0].attributes, EXCEPTION), Some(&"disk full".into()));
}

const EXCEPTION: &str = "exception.message";

#[test]
fn links_and_bounds() {
    let (spans, _) = run(true, |_| {
        let cause = tracing::info_span!("cause");
        let effect = tracing::info_span!("effect");
        effect.in_scope(|| (0..LIMIT + 5).for_each(|n| tracing::info!(n, "again")));
        for _ in 0..LIMIT + 5 {
            effect.follows_from(&cause);
        }
    });
    let [effect, cause] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((effect.events.len(), effect.dropped_events), (LIMIT, 5));
    assert_eq!(
        (effect.links.len(), effect.dropped_links, effect.links[0].context),
        (LIMIT, 5, cause.context)
    );
}

#[test]
fn nothing_is_taken_where_telemetry_is_suppressed() {
    let (spans, logs) = run(true, |_| {
        let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
        tracing::info_span!("export").in_scope(|| tracing::info!("sent"));
    });
    assert_eq!((spans.len(), logs.len()), (0, 0));
}

#[test]
fn what_is_redacted_by_name_leaves_neither_by_a_span_nor_by_a_record() {
    const SECRET: &str = "hunter2";
    let (spans, logs) = run(true, |_| {
        let span = tracing::info_span!("login", password = SECRET, user = "u", n = 1);
        span.in_scope(|| {
            let wrong = std::io::Error::other(SECRET);
            tracing::info!(password = ?SECRET, user = %"u", "by value");
            tracing::warn!(password = &wrong as &dyn std::error::Error, "by error");
        });
        span.record("password", format_args!("{SECRET}"));
    });
    assert!(!format!("{spans:?}{logs:?}").contains(SECRET), "{spans:?}{logs:?}");
    let hidden = Some(Value::from("***"));
    assert_eq!(attribute(&spans[0].attributes, "password").cloned(), hidden);
    assert_eq!(attribute(&spans[0].attributes, "user"), Some(&"u".into()));
    assert_eq!(attribute(&spans[0].events[0].attributes, "password").cloned(), hidden);
    assert_eq!(attribute(&logs[0].attributes, "password").cloned(), hidden);
    assert_eq!(attribute(&logs[1].attributes, "exception.message").cloned(), hidden);
}
