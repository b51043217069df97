//! What an outage looks like in the log.

use super::{AMPLE, patient, resource, span};
use prodkit_fakes::{Behaviour, FakeCollector};
use prodkit_otlp::start;
use std::fmt::Write as _;
use std::sync::{Mutex, Once};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt as _};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps every event of this crate, from all threads: the exporter's own is among them.
struct Keep;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, " {}={value:?}", field.name()).unwrap();
            }
        }
        if event.metadata().target().starts_with("prodkit_otlp") {
            let suppressed = opentelemetry::Context::is_current_telemetry_suppressed();
            let mut line = Line(format!("{} suppressed={suppressed}", event.metadata().level()));
            event.record(&mut line);
            LINES.lock().unwrap().push(line.0);
        }
    }
}

/// Lines about this collector.
pub(super) fn lines(collector: &FakeCollector) -> Vec<String> {
    let about = format!("collector={:?}", collector.addr().to_string());
    LINES.lock().unwrap().iter().filter(|line| line.contains(&about)).cloned().collect()
}

pub(super) fn keep() {
    static SET: Once = Once::new();
    let subscriber = tracing_subscriber::registry().with(Keep);
    SET.call_once(|| tracing::subscriber::set_global_default(subscriber).unwrap());
}

#[tokio::test]
async fn one_warning_per_outage_and_one_line_on_recovery() {
    keep();
    let collector = FakeCollector::start();
    collector.behave(Behaviour::status(404));
    let mut settings = patient(collector.url());
    settings.traces.batch.size = 2;
    settings.traces.batch.queue = 4;
    let otlp = start(settings, resource(), None).unwrap();
    for n in 1..=20 {
        otlp.spans().push(span("x"));
        otlp.spans().push(span("x"));
        collector.wait_for(n).await;
    }
    collector.behave(Behaviour::Answer);
    otlp.spans().push(span("x"));
    otlp.spans().push(span("x"));
    collector.wait_for(21).await;
    let report = otlp.shutdown(AMPLE).await;

    let lines = lines(&collector);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("HTTP status 404"), "{lines:#?}");
    assert!(lines[0].contains("lost=2"), "{lines:#?}");
    assert!(lines[1].starts_with("INFO") && lines[1].contains("delivered again"), "{lines:#?}");
    assert!(lines[1].contains("lost=40"), "{lines:#?}");
    // said where nothing is exported: a line about an export never becomes another one
    assert!(lines.iter().all(|line| line.contains("suppressed=true")), "{lines:#?}");
    assert_eq!((report.stats.traces.exported, report.stats.traces.failed), (2, 40));
}

#[tokio::test]
async fn a_rejected_part_is_warned_about() {
    keep();
    let collector = FakeCollector::start();
    // field 1: a message of field 1 = 1 and field 2 = "old"
    collector.behave(Behaviour::Body(bytes::Bytes::from_static(b"\x0a\x07\x08\x01\x12\x03old")));
    let otlp = start(patient(collector.url()), resource(), None).unwrap();
    otlp.spans().push(span("x"));
    otlp.spans().push(span("x"));
    let report = otlp.shutdown(AMPLE).await;
    assert_eq!((report.stats.traces.exported, report.stats.traces.failed), (1, 1));
    let lines = lines(&collector);
    assert!(lines.len() == 1 && lines[0].starts_with("WARN"), "{lines:#?}");
    assert!(
        lines[0].contains("rejected") && lines[0].contains("old") && lines[0].contains("lost=1"),
        "{lines:#?}"
    );
}
