//! Books that balance while things go wrong.

use super::{AMPLE, patient, resource, span};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::{Tally, start};
use prost::Message;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn tally(tally: Tally) -> [u64; 5] {
    [tally.offered, tally.exported, tally.dropped, tally.failed, tally.queued]
}

#[tokio::test]
async fn a_full_queue_drops_exactly_what_does_not_fit() {
    let collector = FakeCollector::start();
    collector.behave(Behaviour::Hang);
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 10;
    settings.traces.batch.queue = 50;
    let otlp = start(settings, resource(), None).unwrap();
    for _ in 0..10 {
        otlp.spans().push(span("in flight"));
    }
    collector.wait_for(1).await;
    for _ in 0..1000 {
        otlp.spans().push(span("queued or dropped"));
    }
    assert_eq!(tally(otlp.stats().traces), [1010, 0, 950, 0, 60]);
    let report = otlp.shutdown(Duration::from_millis(50)).await;
    assert_eq!(tally(report.stats.traces), [1010, 0, 1000, 10, 0]);
    assert_eq!(report.to_string(), "traces 0 exported, 1000 dropped, 10 failed; metrics off; logs off");
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.traces.batch.bytes = 1 << 20;
    let otlp = start(settings, resource(), None).unwrap();
    for _ in 0..20 {
        let mut large = span("large");
        large.attributes.push(("text".into(), "x".repeat(100_000).into()));
        otlp.spans().push(large);
    }
    assert_eq!(tally(otlp.shutdown(AMPLE).await.stats.traces), [20, 10, 10, 0, 0]);
}

#[tokio::test]
async fn what_a_collector_rejects_has_failed() {
    for (answer, rejected) in [
        (ExportTracePartialSuccess { rejected_spans: 4, error_message: "too old".into() }, 4),
        (ExportTracePartialSuccess { rejected_spans: 0, error_message: "careful".into() }, 0),
        (ExportTracePartialSuccess { rejected_spans: 1 << 40, error_message: String::new() }, 10),
        (ExportTracePartialSuccess { rejected_spans: -9, error_message: String::new() }, 0),
    ] {
        let collector = FakeCollector::start();
        let answer = ExportTraceServiceResponse { partial_success: Some(answer) }.encode_to_vec();
        collector.behave(Behaviour::Body(answer.into()));
        let otlp = start(patient(collector.url()), resource(), None).unwrap();
        for _ in 0..10 {
            otlp.spans().push(span("x"));
        }
        let report = otlp.shutdown(AMPLE).await;
        assert_eq!(tally(report.stats.traces), [10, 10 - rejected, 0, rejected, 0]);
        assert_eq!(collector.received().len(), 1, "a partial success is never sent again");
    }
}

#[tokio::test]
async fn hostile_answers_are_survived() {
    let whole = ExportTracePartialSuccess { rejected_spans: 3, error_message: "x".repeat(100) };
    let whole = ExportTraceServiceResponse { partial_success: Some(whole) }.encode_to_vec();
    let huge = vec![0x0a; (4 << 20) + 1];
    for (answer, [exported, failed]) in [
        // cut off, garbage, another format: success is what the status says
        (whole[..whole.len() - 1].to_vec(), [1, 0]),
        (vec![0xff; 1000], [1, 0]),
        (b"<html>hello</html>".to_vec(), [1, 0]),
        (vec![0; 4 << 20], [1, 0]),
        // more than is ever read
        (huge, [0, 1]),
    ] {
        let collector = FakeCollector::start();
        collector.behave(Behaviour::Body(answer.into()));
        let otlp = start(patient(collector.url()), resource(), None).unwrap();
        otlp.spans().push(span("x"));
        assert_eq!(tally(otlp.shutdown(AMPLE).await.stats.traces), [1, exported, 0, failed, 0]);
    }
}

#[test]
fn the_books_balance_at_every_moment_and_under_contention() {
    let collector = FakeCollector::start();
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 16;
    settings.traces.batch.queue = 64;
    let otlp = start(settings, resource(), None).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let [offered, rest @ ..] = tally(otlp.stats().traces);
                assert_eq!(offered, rest.iter().sum::<u64>());
            }
        });
        let pushers: Vec<_> = (0..4)
            .map(|_| {
                let spans = otlp.spans();
                scope.spawn(move || (0..2000).for_each(|_| spans.push(span("x"))))
            })
            .collect();
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let [offered, exported, dropped, failed, queued] =
        tally(runtime.block_on(otlp.shutdown(AMPLE)).stats.traces);
    assert_eq!((offered, failed, queued), (8000, 0, 0));
    assert_eq!(exported + dropped, 8000);
}
