//! The store from outside.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod alloc;
mod bounds;
mod concurrent;
mod exemplars;
mod facade;
mod folded;
mod naming;
mod oracle;
mod parser;
mod protobuf;
mod roundtrip;
mod snapshot;

use prodkit_metrics::{Format, Options, Recorder};

fn recorder() -> Recorder {
    Recorder::new(Options::new())
}

/// The text of a scrape, checked against the grammar of its format.
fn scrape(recorder: &Recorder, format: Format) -> String {
    let mut out = Vec::new();
    recorder.encode(format, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    if let Err(error) = parser::parse(&text, format) {
        panic!("{error}\n{text}");
    }
    text
}

fn text(recorder: &Recorder) -> String {
    scrape(recorder, Format::Text004)
}

fn open_metrics(recorder: &Recorder) -> String {
    scrape(recorder, Format::OpenMetrics100)
}
