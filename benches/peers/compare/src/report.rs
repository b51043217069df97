//! What came out: tables for people, JSON for programs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::callgrind::Counts;
use crate::peer;
use crate::rounds::Sample;

/// By peer.
pub(crate) type ByPeer<T> = BTreeMap<&'static str, T>;

#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The log read and counted; one entry for each round, `None` where it is void.
    pub(crate) rounds: ByPeer<Vec<Option<Sample>>>,
    /// The log to the null device.
    pub(crate) silent: ByPeer<Vec<Option<Sample>>>,
    /// At 10 %, 0 % and 100 % sampled.
    pub(crate) counts: ByPeer<Counts>,
    pub(crate) unsampled: ByPeer<Counts>,
    pub(crate) sampled: ByPeer<Counts>,
    pub(crate) allocations: ByPeer<f64>,
    /// Why something is missing.
    pub(crate) missing: ByPeer<Vec<String>>,
    pub(crate) about: Map<String, Value>,
}

impl Report {
    pub(crate) fn miss(&mut self, peer: &'static str, why: &str) {
        self.missing.entry(peer).or_default().push(why.to_owned());
    }

    pub(crate) fn json(&self) -> Value {
        let each = |value: &dyn Fn(&'static str) -> Option<f64>| -> Value {
            let entries =
                peer::ALL.iter().map(|peer| (peer.key.to_owned(), json!(value(peer.key).map(rounded))));
            Value::Object(entries.collect())
        };
        let of = |samples: &ByPeer<Vec<Option<Sample>>>, key: &str, what: fn(&Sample) -> f64| {
            median(samples.get(key)?.iter().flatten().map(what).collect())
        };
        let allocations = |key: &str| {
            self.counts.get(key).map(|counts| counts.allocations).or(self.allocations.get(key).copied())
        };
        json!({
            "about": self.about,
            "requests_per_second": each(&|key| of(&self.rounds, key, |sample| sample.requests_per_second)),
            "instructions_per_request": each(&|key| self.counts.get(key).map(|counts| counts.instructions)),
            "allocations_per_request": each(&allocations),
            "user_us_per_request": each(&|key| of(&self.rounds, key, |sample| sample.user_us)),
            "system_us_per_request": each(&|key| of(&self.rounds, key, |sample| sample.system_us)),
            "requests_per_second_of_bare_hyper": each(&|key| ratio(&self.rounds, key, "bare_hyper")),
            "requests_per_second_of_bare_axum": each(&|key| ratio(&self.rounds, key, "bare_axum")),
            "requests_per_second_log_to_null": each(&|key| of(&self.silent, key, |sample| sample.requests_per_second)),
            "instructions_per_unsampled_request": each(&|key| self.unsampled.get(key).map(|counts| counts.instructions)),
            "allocations_per_unsampled_request": each(&|key| self.unsampled.get(key).map(|counts| counts.allocations)),
            "instructions_per_sampled_request": each(&|key| self.sampled.get(key).map(|counts| counts.instructions)),
            "allocations_per_sampled_request": each(&|key| self.sampled.get(key).map(|counts| counts.allocations)),
            "missing": self.missing,
        })
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_counts(&mut text);
        for (samples, log) in [(&self.rounds, "read from a pipe"), (&self.silent, "to the null device")] {
            if !samples.is_empty() {
                write_rounds(&mut text, samples, log);
            }
        }
        for (peer, why) in &self.missing {
            let _ = writeln!(text, "{peer}: {}", why.join("; "));
        }
        text
    }

    fn write_counts(&self, text: &mut String) {
        if self.counts.is_empty() {
            return;
        }
        let columns = [("10 %", &self.counts), ("none", &self.unsampled), ("all", &self.sampled)];
        text.push_str("| peer |");
        for (sampled, _) in columns.iter().filter(|(_, counts)| !counts.is_empty()) {
            let _ = write!(
                text,
                " instructions, {sampled} sampled | / bare | more than bare | allocations | more than bare |"
            );
        }
        text.push_str("\n|---|");
        let shown = columns.iter().filter(|(_, counts)| !counts.is_empty()).count();
        text.push_str(&"---:|".repeat(5 * shown));
        text.push('\n');
        for peer in peer::ALL.iter().filter(|peer| self.counts.contains_key(peer.key)) {
            let _ = write!(text, "| `{}` |", peer.key);
            let bare = if peer.key.ends_with("hyper") { "bare_hyper" } else { "bare_axum" };
            let bare = self.counts.get(bare);
            for (_, counts) in columns.iter().filter(|(_, counts)| !counts.is_empty()) {
                let Some(counts) = counts.get(peer.key) else {
                    text.push_str(" | | | | |");
                    continue;
                };
                let Counts { instructions, allocations, .. } = counts;
                let more = |what: fn(&Counts) -> f64| bare.map_or(f64::NAN, |bare| what(counts) - what(bare));
                let _ = write!(
                    text,
                    " {instructions:.0} | {:.2} | {:+.0} | {allocations:.1} | {:+.1} |",
                    bare.map_or(f64::NAN, |bare| instructions / bare.instructions),
                    more(|counts| counts.instructions),
                    more(|counts| counts.allocations),
                );
            }
            text.push('\n');
        }
        text.push('\n');
    }

    /// Tables, by the name they are to have: what each peer adds to the bare one, and what a sampled span adds to a
    /// request.
    pub(crate) fn profiles(&self) -> Vec<(String, String)> {
        let native = peer::ALL.iter().filter(|peer| !peer.key.starts_with("bare"));
        let mut tables = Vec::new();
        for peer in native {
            let bare = if peer.key.ends_with("hyper") { "bare_hyper" } else { "bare_axum" };
            if let (Some(counts), Some(bare)) = (self.counts.get(peer.key), self.counts.get(bare)) {
                tables.push((peer.key.to_owned(), difference(counts, bare)));
            }
            if let (Some(all), Some(none)) = (self.sampled.get(peer.key), self.unsampled.get(peer.key)) {
                tables.push((format!("{}_span", peer.key), difference(all, none)));
            }
        }
        tables
    }
}

/// Where the instructions go that `more` needs and `less` does not, by function, the largest differences first.
fn difference(more: &Counts, less: &Counts) -> String {
    let (more, less) = (&more.functions, &less.functions);
    let names = more.keys().chain(less.keys().filter(|name| !more.contains_key(*name)));
    let value = |functions: &HashMap<String, f64>, name: &str| functions.get(name).copied().unwrap_or(0.0);
    let mut rows: Vec<_> = names.map(|name| (name, value(more, name), value(less, name))).collect();
    rows.sort_by(|a, b| (b.1 - b.2).abs().total_cmp(&(a.1 - a.2).abs()));
    let mut text = "| difference | here | without | function |\n|---:|---:|---:|---|\n".to_owned();
    for (name, here, without) in rows.iter().filter(|(_, here, without)| (here - without).abs() >= 4.0) {
        let _ = writeln!(text, "| {:+.0} | {here:.0} | {without:.0} | `{name}` |", here - without);
    }
    text
}

fn write_rounds(text: &mut String, samples: &ByPeer<Vec<Option<Sample>>>, log: &str) {
    let _ = writeln!(
        text,
        "| log {log} | requests/s | / bare hyper | / bare axum (least, most) | user µs | system µs | p50 µs | p99 µs |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|"
    );
    for peer in peer::ALL.iter().filter(|peer| samples.contains_key(peer.key)) {
        let of = |what: fn(&Sample) -> f64| {
            median(samples[peer.key].iter().flatten().map(what).collect()).unwrap_or(f64::NAN)
        };
        let against = ratios(samples, peer.key, "bare_axum");
        let (least, most) = against
            .iter()
            .fold((f64::NAN, f64::NAN), |(least, most), ratio| (ratio.min(least), ratio.max(most)));
        let _ = writeln!(
            text,
            "| `{}` | {:.0} | {:.2} | {:.2} ({least:.2}, {most:.2}) | {:.1} | {:.1} | {:.0} | {:.0} |",
            peer.key,
            of(|sample| sample.requests_per_second),
            ratio(samples, peer.key, "bare_hyper").unwrap_or(f64::NAN),
            median(against).unwrap_or(f64::NAN),
            of(|sample| sample.user_us),
            of(|sample| sample.system_us),
            of(|sample| sample.p50_us),
            of(|sample| sample.p99_us),
        );
    }
    text.push('\n');
}

/// Of requests per second, within each round.
fn ratios(samples: &ByPeer<Vec<Option<Sample>>>, peer: &str, bare: &str) -> Vec<f64> {
    let (Some(peer), Some(bare)) = (samples.get(peer), samples.get(bare)) else { return Vec::new() };
    let both = peer.iter().zip(bare).filter_map(|(peer, bare)| peer.as_ref().zip(bare.as_ref()));
    both.map(|(peer, bare)| peer.requests_per_second / bare.requests_per_second).collect()
}

fn ratio(samples: &ByPeer<Vec<Option<Sample>>>, peer: &str, bare: &str) -> Option<f64> {
    median(ratios(samples, peer, bare))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

/// No more digits than are known.
fn rounded(value: f64) -> f64 {
    if value.abs() >= 1_000.0 { value.round() } else { (value * 1_000.0).round() / 1_000.0 }
}
