//! Prometheus' protobuf format, the only one that carries native histograms.
//!
//! Source: `io/prometheus/client/metrics.proto` of prometheus/client_model; the numbers below are its field numbers.
//! Each `MetricFamily` stands behind its length. Counters and buckets carry what the text formats say, under the same
//! names; a histogram that has exponential buckets has them beside its explicit ones, for the scraper to choose.

use super::wire::{delimited, double, int, message, sint, string, uint};
use crate::exponential::Side;
use crate::fold::{Histogram, Shown, Total};
use crate::scrape::{Scrape, Table};
use crate::{Exemplar, Exponential, Kind, name};
use std::time::{SystemTime, UNIX_EPOCH};

/// A run of empty buckets up to this long is cheaper to send than the start of another span.
const SMALL_GAP: usize = 2;

pub(super) fn encode(scrape: &Scrape, out: &mut Vec<u8>) {
    for table in scrape.tables() {
        delimited(out, |out| family(table, out));
    }
}

fn family(table: &Table, out: &mut Vec<u8>) {
    let about = &table.meta.about;
    string(1, &table.meta.shown, out);
    if let Some(help) = &about.help {
        string(2, help, out);
    }
    let kind = match table.meta.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    uint(3, kind, out);
    for series in table.shown() {
        message(4, out, |out| metric(series, table.meta.kind, out));
    }
    if let Some(unit) = about.unit.and_then(name::word) {
        string(5, unit, out);
    }
}

fn metric(series: Shown<'_>, kind: Kind, out: &mut Vec<u8>) {
    series.each_label(|name, value| {
        message(1, out, |out| {
            string(1, name, out);
            string(2, value, out);
        });
    });
    let value = match series.total() {
        Some(Total::Whole(value)) => value as f64,
        Some(Total::Float(value)) => value,
        None => 0.0,
    };
    match kind {
        Kind::Gauge => message(2, out, |out| double(1, value, out)),
        Kind::Counter => message(3, out, |out| {
            double(1, value, out);
            timestamp(3, series.start(), out);
        }),
        Kind::Histogram => message(7, out, |out| {
            if let Some(histogram) = series.histogram() {
                self::histogram(histogram, series.start(), out);
            }
        }),
    }
}

fn histogram(cells: Histogram<'_>, start: SystemTime, out: &mut Vec<u8>) {
    let exponential = cells.exponential();
    let counts: Vec<u64> = cells.counts().collect();
    // The count belongs to the exponential buckets, where there are some: a scraper refuses a native histogram whose
    // buckets do not add up to it. What was recorded in between is in the explicit ones by now; it waits there.
    let count = exponential.as_ref().map_or_else(|| counts.iter().sum(), Exponential::count);
    uint(1, count, out);
    double(2, cells.sum(), out);
    let mut cumulative = 0;
    let bounds = cells.bounds().iter().copied().chain([f64::INFINITY]);
    for (bucket, (more, bound)) in counts.iter().zip(bounds).enumerate() {
        cumulative += more;
        message(3, out, |out| {
            uint(1, cumulative.min(count), out);
            double(2, bound, out);
            if let Some(last) = cells.exemplar(bucket) {
                message(3, out, |out| exemplar(&last, out));
            }
        });
    }
    timestamp(15, start, out);
    if let Some(exponential) = &exponential {
        sint(5, i64::from(exponential.scale), out);
        double(6, exponential.zero_threshold, out);
        uint(7, exponential.zero_count, out);
        buckets(&exponential.negative, [9, 10], out);
        buckets(&exponential.positive, [12, 13], out);
        if exponential.count() == 0 {
            // What says that this is a native histogram, when nothing else does.
            message(12, out, |out| span(0, 0, out));
        }
    }
}

/// Runs of buckets that follow each other, and each bucket's difference to the one before.
fn buckets(side: &Side, [span_field, delta_field]: [u32; 2], out: &mut Vec<u8>) {
    let mut deltas = Vec::new();
    let mut before = 0;
    // One further than where OpenTelemetry would say.
    let mut offset = i64::from(side.offset) + 1;
    let mut rest = &side.counts[..];
    while !rest.is_empty() {
        let length = run(rest);
        message(span_field, out, |out| span(offset, length as u64, out));
        for count in &rest[..length] {
            let count = *count as i64;
            sint(delta_field, count.wrapping_sub(before), &mut deltas);
            before = count;
        }
        rest = &rest[length..];
        // The offset of the next span is how many buckets lie between.
        let gap = rest.iter().take_while(|count| **count == 0).count();
        rest = &rest[gap..];
        offset = gap as i64;
    }
    out.extend_from_slice(&deltas);
}

/// How many buckets there are until a gap that is worth a new span.
fn run(counts: &[u64]) -> usize {
    let mut length = 0;
    for (place, count) in counts.iter().enumerate() {
        if *count > 0 {
            length = place + 1;
        } else if place >= length + SMALL_GAP {
            break;
        }
    }
    length
}

fn span(offset: i64, length: u64, out: &mut Vec<u8>) {
    sint(1, offset, out);
    uint(2, length, out);
}

fn exemplar(exemplar: &Exemplar, out: &mut Vec<u8>) {
    let Exemplar { value, at, context } = exemplar;
    let mut label = |name, hex: &[u8]| {
        message(1, out, |out| {
            string(1, name, out);
            string(2, &String::from_utf8_lossy(hex), out);
        });
    };
    if let Some(context) = context {
        label("trace_id", &context.trace_id().hex());
        label("span_id", &context.span_id().hex());
    }
    double(2, *value, out);
    timestamp(3, *at, out);
}

fn timestamp(field: u32, at: SystemTime, out: &mut Vec<u8>) {
    if let Ok(since) = at.duration_since(UNIX_EPOCH) {
        message(field, out, |out| {
            int(1, since.as_secs() as i64, out);
            int(2, i64::from(since.subsec_nanos()), out);
        });
    }
}
