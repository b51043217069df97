//! Exemplars: only in OpenMetrics, only of sampled traces, one per bucket.

use crate::{open_metrics, parser, recorder, text};
use prodkit_metrics::{ExemplarFilter, Format, Options, Recorder, Value};
use prodkit_trace::TraceContext;

fn hex(digits: &[u8]) -> String {
    String::from_utf8(digits.to_vec()).unwrap()
}

fn inside(context: TraceContext, work: impl FnOnce()) {
    let _scope = context.enter();
    work();
}

#[test]
fn the_last_sampled_value_of_a_bucket_is_kept() {
    let recorder = recorder();
    let wait = recorder.histogram("wait_seconds", &[("queue", "a")]);
    let (first, last) = (TraceContext::root(true), TraceContext::root(true));
    wait.record(0.3);
    inside(first, || wait.record(0.2));
    inside(last, || wait.record(0.4));
    inside(TraceContext::root(false), || wait.record(0.45));
    wait.record_in(9.0, first);
    wait.record_in(0.0001, TraceContext::root(false));

    assert!(!text(&recorder).contains(" # "), "none in 0.0.4");
    let blocks = parser::parse(&open_metrics(&recorder), Format::OpenMetrics100).unwrap();
    let seen: Vec<_> = blocks["wait_seconds"]
        .samples
        .iter()
        .filter_map(|sample| Some((sample.labels.last()?.1.as_str(), sample.exemplar.clone()?)))
        .collect();
    let expect = |context: TraceContext, value: f64| {
        let trace = ("trace_id".to_owned(), hex(&context.trace_id().hex()));
        let span = ("span_id".to_owned(), hex(&context.span_id().hex()));
        (vec![trace, span], value)
    };
    assert_eq!(seen, [("0.5", expect(last, 0.4)), ("+Inf", expect(first, 9.0))]);

    let snapshot = recorder.snapshot();
    let Value::Histogram(value) = &snapshot.families[0].points[0].value else { panic!("a histogram") };
    let ids: Vec<_> = value.exemplars.iter().map(|exemplar| exemplar.context.unwrap().trace_id()).collect();
    assert_eq!(ids, [last.trace_id(), first.trace_id()]);
}

#[test]
fn exemplars_can_be_off() {
    let recorder = Recorder::new(Options::new().exemplars(ExemplarFilter::AlwaysOff));
    recorder.histogram("wait", &[]).record_in(1.0, TraceContext::root(true));
    assert!(!open_metrics(&recorder).contains(" # "));
}

#[test]
fn exemplars_can_be_of_anything() {
    let recorder = Recorder::new(Options::new().exemplars(ExemplarFilter::AlwaysOn));
    let wait = recorder.histogram("wait", &[]);
    let unsampled = TraceContext::root(false);
    wait.record(0.2);
    inside(unsampled, || wait.record(9.0));
    let blocks = parser::parse(&open_metrics(&recorder), Format::OpenMetrics100).unwrap();
    let seen: Vec<_> = blocks["wait"].samples.iter().filter_map(|sample| sample.exemplar.clone()).collect();
    let span = ("span_id".to_owned(), hex(&unsampled.span_id().hex()));
    let trace = ("trace_id".to_owned(), hex(&unsampled.trace_id().hex()));
    assert_eq!(seen, [(vec![], 0.2), (vec![trace, span], 9.0)]);
}
