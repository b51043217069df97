//! The Prometheus formats: two of text, and [`protobuf`].
//!
//! Sources: Prometheus "Exposition formats", text 0.0.4; the OpenMetrics specification 1.0.0. Neither carries
//! timestamps here: a value is as old as the scrape. Numbers, `le` among them, are spelled alike in both, so a series
//! keeps its identity when the scraper changes its mind (OpenMetrics would rather have `le="1.0"`; Prometheus 3
//! makes it that by itself, for both).

mod protobuf;
mod wire;

use crate::catalogue::Meta;
use crate::fold::{Histogram, Shown, Total};
use crate::scrape::{Scrape, Table};
use crate::{Exemplar, Format, Kind, name, number};
use std::time::UNIX_EPOCH;

pub(crate) fn encode(scrape: &Scrape, format: Format, out: &mut Vec<u8>) {
    if format == Format::Protobuf {
        return protobuf::encode(scrape, out);
    }
    for table in scrape.tables() {
        head(table, format, out);
        match table.meta.kind {
            Kind::Counter | Kind::Gauge => table.shown().for_each(|series| simple(series, out)),
            Kind::Histogram => histograms(table, format, out),
        }
    }
    if format == Format::OpenMetrics100 {
        out.extend_from_slice(b"# EOF\n");
    }
}

fn head(table: &Table, format: Format, out: &mut Vec<u8>) {
    let Meta { shown, kind, about, .. } = &table.meta;
    let open = format == Format::OpenMetrics100;
    let (family, kind) = match kind {
        // As `unknown` it keeps its whole name, where as a counter it would share the other metric's.
        Kind::Counter if open && table.clashes => (&**shown, "unknown"),
        Kind::Counter if open => (shown.strip_suffix(name::TOTAL).unwrap_or(shown), "counter"),
        kind => (&**shown, kind.as_str()),
    };
    let mut line = |keyword: &str, text: &mut dyn FnMut(&mut Vec<u8>)| {
        out.extend_from_slice(b"# ");
        out.extend_from_slice(keyword.as_bytes());
        out.push(b' ');
        out.extend_from_slice(family.as_bytes());
        out.push(b' ');
        text(out);
        out.push(b'\n');
    };
    if let Some(help) = &about.help {
        line("HELP", &mut |out| escape(help, open, out));
    }
    line("TYPE", &mut |out| out.extend_from_slice(kind.as_bytes()));
    if open
        && let Some(unit) = about.unit.and_then(name::word)
        && name::ends_with_word(family, unit)
    {
        line("UNIT", &mut |out| out.extend_from_slice(unit.as_bytes()));
    }
}

/// OpenMetrics escapes quotes in a description too.
fn escape(help: &str, quotes: bool, out: &mut Vec<u8>) {
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            other => out.push(other),
        }
    }
}

fn simple(series: Shown<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(series.prefix());
    match series.total() {
        Some(Total::Whole(value)) => number::whole(value, out),
        Some(Total::Float(value)) => number::float(value, out),
        None => {}
    }
    out.push(b'\n');
}

fn histograms(table: &Table, format: Format, out: &mut Vec<u8>) {
    let open = format == Format::OpenMetrics100;
    let shown = table.meta.shown.as_bytes();
    // All series of a metric have the same bounds, since those depend on its name only.
    let Some(first) = table.shown().find_map(Shown::histogram) else { return };
    let ends: Vec<Vec<u8>> = first.bounds().iter().copied().chain([f64::INFINITY]).map(end).collect();
    // With negative values the sum is no counter any more; OpenMetrics then wants neither sum nor count.
    let total = !(open && first.bounds().first().is_some_and(|bound| *bound < 0.0));
    let start = [shown, b"_bucket{"].concat();

    for series in table.shown() {
        let Some(histogram) = series.histogram() else { continue };
        let count = buckets(histogram, &start, series.labels(), &ends, open, out);
        if total {
            for (name, sum) in [("_sum", Some(histogram.sum())), ("_count", None)] {
                out.extend_from_slice(shown);
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(series.prefix());
                match sum {
                    Some(sum) => number::float(sum, out),
                    None => number::whole(count, out),
                }
                out.push(b'\n');
            }
        }
    }
}

/// The lines of one histogram's buckets; returns its count.
fn buckets(
    histogram: Histogram<'_>,
    start: &[u8],
    labels: &str,
    ends: &[Vec<u8>],
    open: bool,
    out: &mut Vec<u8>,
) -> u64 {
    let mut count = 0;
    for (bucket, (more, end)) in histogram.counts().zip(ends).enumerate() {
        count += more;
        out.extend_from_slice(start);
        if !labels.is_empty() {
            out.extend_from_slice(labels.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(end);
        number::whole(count, out);
        if open && let Some(exemplar) = histogram.exemplar(bucket) {
            write_exemplar(&exemplar, out);
        }
        out.push(b'\n');
    }
    count
}

/// `le="0.1"} `
fn end(bound: f64) -> Vec<u8> {
    let mut end = b"le=\"".to_vec();
    number::float(bound, &mut end);
    end.extend_from_slice(b"\"} ");
    end
}

/// 63 characters of labels, of the 128 that OpenMetrics allows.
fn write_exemplar(exemplar: &Exemplar, out: &mut Vec<u8>) {
    let Exemplar { value, at, context } = exemplar;
    out.extend_from_slice(b" # {");
    if let Some(context) = context {
        out.extend_from_slice(b"trace_id=\"");
        out.extend_from_slice(&context.trace_id().hex());
        out.extend_from_slice(b"\",span_id=\"");
        out.extend_from_slice(&context.span_id().hex());
        out.push(b'"');
    }
    out.extend_from_slice(b"} ");
    number::float(*value, out);
    if let Ok(since) = at.duration_since(UNIX_EPOCH) {
        out.push(b' ');
        number::whole(since.as_secs(), out);
        let millis = since.subsec_millis();
        out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
    }
}

fn digit(number: u32) -> u8 {
    b'0' + (number % 10).to_le_bytes()[0]
}
