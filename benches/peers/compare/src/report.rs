//! What came out: tables for people, JSON for programs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::callgrind::Counts;
use crate::peer;
use crate::plot::{self, Bar};
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
        let mut text: String = self.blocks().into_iter().map(|(_, block)| block + "\n").collect();
        for (peer, why) in &self.missing {
            let _ = writeln!(text, "{peer}: {}", why.join("; "));
        }
        text
    }

    /// What was measured, by the name of its place on the page.
    pub(crate) fn blocks(&self) -> Vec<(&'static str, String)> {
        let mut blocks = Vec::new();
        if !self.counts.is_empty() {
            blocks.push(("counts", format!("{}\n{}", self.origin(), self.counts_table())));
        }
        if !self.unsampled.is_empty() {
            blocks.push(("sampling", self.sampling_table()));
        }
        for (name, samples) in [("rounds", &self.rounds), ("silent rounds", &self.silent)] {
            if !samples.is_empty() {
                blocks.push((name, format!("{}\n{}", self.origin(), rounds_table(samples))));
            }
        }
        blocks
    }

    /// Under what conditions.
    pub(crate) fn origin(&self) -> String {
        let about = |key: &str| self.about.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        format!(
            "`{}`, {}, commit {}, on {}; load {} before and {} after; {}; {}.\n",
            about("command"),
            about("date"),
            about("commit"),
            about("machine"),
            about("load_before"),
            about("load_after"),
            about("profile"),
            about("valgrind"),
        )
    }

    fn counts_table(&self) -> String {
        let mut text = "| | instructions | of bare | more than bare | allocations | more than bare |\n\
                        |---|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for peer in &peer::ALL {
            let (Some(counts), Some(bare)) = (self.counts.get(peer.key), self.counts.get(peer.bare)) else {
                if let Some(allocations) = self.allocations.get(peer.key) {
                    let _ = writeln!(
                        text,
                        "| `{}` | callgrind cannot run it | | | {allocations:.1} | |",
                        peer.key
                    );
                }
                continue;
            };
            let Counts { instructions, allocations, .. } = counts;
            let _ = writeln!(
                text,
                "| `{}` | {instructions:.0} | {:.2} | {:.0} | {allocations:.1} | {:.1} |",
                peer.key,
                instructions / bare.instructions,
                instructions - bare.instructions,
                allocations - bare.allocations,
            );
        }
        text
    }

    fn sampling_table(&self) -> String {
        let mut text = "| | instructions, none sampled | of bare | allocations | instructions, all sampled | a span costs | \
                        allocations of a span |\n|---|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for peer in &peer::ALL {
            let (none, all, bare) =
                (self.unsampled.get(peer.key), self.sampled.get(peer.key), self.counts.get(peer.bare));
            let (Some(none), Some(all), Some(bare)) = (none, all, bare) else { continue };
            let _ = writeln!(
                text,
                "| `{}` | {:.0} | {:.2} | {:.1} | {:.0} | {:.0} | {:.1} |",
                peer.key,
                none.instructions,
                none.instructions / bare.instructions,
                none.allocations,
                all.instructions,
                all.instructions - none.instructions,
                all.allocations - none.allocations,
            );
        }
        text
    }

    /// Plots, by the names of their files.
    pub(crate) fn plots(&self) -> Vec<(&'static str, String)> {
        let mut plots = Vec::new();
        let rows = |value: &dyn Fn(&peer::Peer) -> Option<Bar>| {
            peer::ALL.iter().filter_map(value).collect::<Vec<_>>()
        };
        if !self.counts.is_empty() {
            let instructions = rows(&|peer| {
                let (counts, bare) = (self.counts.get(peer.key)?, self.counts.get(peer.bare)?);
                let (value, of_bare) = (counts.instructions, counts.instructions / bare.instructions);
                let note = if peer.key == peer.bare {
                    format!("{value:.0}")
                } else {
                    format!("{value:.0} = {of_bare:.2} × {}", peer.bare)
                };
                Some(Bar { label: peer.key, value, note, range: None })
            });
            plots.push((
                "instructions.svg",
                plot::bars("Instructions of a request, in user space", &instructions),
            ));
            let allocations = rows(&|peer| {
                let counts = self.counts.get(peer.key).map(|counts| counts.allocations);
                let value = counts.or(self.allocations.get(peer.key).copied())?;
                let more = self.counts.get(peer.bare).map_or(0.0, |bare| value - bare.allocations);
                let note = if peer.key == peer.bare {
                    format!("{value:.1}")
                } else {
                    format!("{value:.1} = {} + {more:.1}", peer.bare)
                };
                Some(Bar { label: peer.key, value, note, range: None })
            });
            plots.push(("allocations.svg", plot::bars("Allocations of a request", &allocations)));
        }
        let outputs = [
            (&self.rounds, "requests.svg", "cpu.svg", "the log read from a pipe"),
            (&self.silent, "requests-null.svg", "cpu-null.svg", "the log to the null device"),
        ];
        for (samples, requests, cpu, log) in outputs {
            if samples.is_empty() {
                continue;
            }
            let throughput = rows(&|peer| {
                let ratios = ratios(samples, peer.key, "bare_axum");
                let (least, most) = extremes(&ratios);
                let value = median(ratios)?;
                Some(Bar { label: peer.key, value, note: format!("{value:.2}"), range: Some((least, most)) })
            });
            let title = format!("Requests per second, of bare axum's ({log})");
            plots.push((requests, plot::bars(&title, &throughput)));
            let user = rows(&|peer| {
                let value =
                    median(samples.get(peer.key)?.iter().flatten().map(|sample| sample.user_us).collect())?;
                Some(Bar { label: peer.key, value, note: format!("{value:.1} µs"), range: None })
            });
            plots.push((
                cpu,
                plot::bars(&format!("Processor time of a request in user space ({log})"), &user),
            ));
        }
        plots
    }

    /// Tables, by the name they are to have: what each peer adds to the bare one, and what a sampled span adds to a
    /// request.
    pub(crate) fn profiles(&self) -> Vec<(String, String)> {
        let native = peer::ALL.iter().filter(|peer| !peer.key.starts_with("bare"));
        let mut tables = Vec::new();
        for peer in native {
            if let (Some(counts), Some(bare)) = (self.counts.get(peer.key), self.counts.get(peer.bare)) {
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
pub(crate) fn difference(more: &Counts, less: &Counts) -> String {
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

fn rounds_table(samples: &ByPeer<Vec<Option<Sample>>>) -> String {
    let mut text =
        "| | rounds | requests/s | of bare hyper | of bare axum (least, most) | prodkit_axum is | user µs | \
                    system µs | p50 µs | p99 µs | p99 of bare axum |\n\
                    |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for peer in peer::ALL.iter().filter(|peer| samples.contains_key(peer.key)) {
        let valid: Vec<_> = samples[peer.key].iter().flatten().collect();
        let of = |what: fn(&Sample) -> f64| {
            median(valid.iter().map(|sample| what(sample)).collect()).unwrap_or(f64::NAN)
        };
        let against = ratios(samples, peer.key, "bare_axum");
        let (least, most) = extremes(&against);
        let times =
            ratio(samples, "prodkit_axum", peer.key).map_or(String::new(), |ratio| format!("{ratio:.2} ×"));
        let p99 = within_rounds(samples, peer.key, "bare_axum", |sample| sample.p99_us);
        let _ = writeln!(
            text,
            "| `{}` | {} of {} | {:.0} | {:.2} | {:.2} ({least:.2}, {most:.2}) | {times} | {:.1} | {:.1} | {:.0} | {:.0} | {:.2} |",
            peer.key,
            valid.len(),
            samples[peer.key].len(),
            of(|sample| sample.requests_per_second),
            ratio(samples, peer.key, "bare_hyper").unwrap_or(f64::NAN),
            median(against).unwrap_or(f64::NAN),
            of(|sample| sample.user_us),
            of(|sample| sample.system_us),
            of(|sample| sample.p50_us),
            of(|sample| sample.p99_us),
            median(p99).unwrap_or(f64::NAN),
        );
    }
    text
}

fn extremes(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::NAN, f64::NAN), |(least, most), value| (value.min(least), value.max(most)))
}

/// Of requests per second, within each round.
fn ratios(samples: &ByPeer<Vec<Option<Sample>>>, peer: &str, bare: &str) -> Vec<f64> {
    within_rounds(samples, peer, bare, |sample| sample.requests_per_second)
}

fn within_rounds(
    samples: &ByPeer<Vec<Option<Sample>>>,
    peer: &str,
    bare: &str,
    what: fn(&Sample) -> f64,
) -> Vec<f64> {
    let (Some(peer), Some(bare)) = (samples.get(peer), samples.get(bare)) else { return Vec::new() };
    let both = peer.iter().zip(bare).filter_map(|(peer, bare)| peer.as_ref().zip(bare.as_ref()));
    both.map(|(peer, bare)| what(peer) / what(bare)).collect()
}

fn ratio(samples: &ByPeer<Vec<Option<Sample>>>, peer: &str, bare: &str) -> Option<f64> {
    median(ratios(samples, peer, bare))
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
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
