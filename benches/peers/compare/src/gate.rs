//! The gate: what a request costs more than with the bare peer, as a ratio of two counts of the same run.

use std::error::Error;
use std::path::Path;

use serde_json::Value;

use crate::callgrind::{self, Case, Counts};
use crate::peer::Peer;
use crate::rounds::RATIO;
use crate::sink::Sink;

const REQUESTS: usize = 2_000;
/// A bare peer is counted so often, and its lowest count is taken: what disturbs a run makes it dearer.
const RUNS: usize = 2;
/// The others so often at most: a count that is within its bounds is enough.
const MOST_RUNS: usize = 4;
/// Counts of one build differ by up to 2 %.
const TOLERANCE: f64 = 0.03;

/// Holds the peers that `baseline` names against it; what is above it by more than the tolerance is an error.
///
/// `baseline` is JSON: for each peer, its instructions and its allocations as a ratio to those of its bare peer.
pub(crate) fn check(baseline: &Path, folder: &Path, sink: &Sink) -> Result<(), Box<dyn Error>> {
    let baseline: Value = serde_json::from_str(&std::fs::read_to_string(baseline)?)?;
    let baseline = baseline.as_object().ok_or("the baseline is not an object of peers")?;
    let mut bares: Vec<(&str, Counts)> = Vec::new();
    let mut failures = Vec::new();
    println!("| peer | | measured | baseline | at most |\n|---|---|---:|---:|---:|");
    for (key, expected) in baseline {
        let peer = Peer::of(key).ok_or_else(|| format!("{key} is not a peer"))?;
        let known = bares.iter().position(|(bare, _)| *bare == peer.bare);
        let bare = match known {
            Some(place) => bares[place].1.clone(),
            None => {
                let bare = Peer::of(peer.bare).ok_or_else(|| format!("{} is not a peer", peer.bare))?;
                let counts = lowest(RUNS, || count(&bare, folder, sink), |_| false)?;
                bares.push((peer.bare, counts.clone()));
                counts
            }
        };
        let ratios = |counts: &Counts| -> Result<_, String> {
            let [instructions, allocations] = [
                ("instructions", counts.instructions / bare.instructions),
                ("allocations", counts.allocations / bare.allocations),
            ]
            .map(|(what, measured)| {
                let baseline = expected[what].as_f64().ok_or_else(|| format!("{key} has no {what}"))?;
                Ok::<_, String>((what, measured, baseline, baseline * (1.0 + TOLERANCE)))
            });
            Ok([instructions?, allocations?])
        };
        let is_enough = |counts: &Counts| {
            ratios(counts).is_ok_and(|ratios| ratios.iter().all(|(_, measured, _, most)| measured <= most))
        };
        let counts = lowest(MOST_RUNS, || count(&peer, folder, sink), is_enough)?;
        for (what, measured, baseline, most) in ratios(&counts)? {
            println!("| `{key}` | {what} of `{}` | {measured:.3} | {baseline:.3} | {most:.3} |", peer.bare);
            if measured > most {
                failures.push(format!(
                    "{key} needs {measured:.3} × the {what} of {}, not {baseline:.3}",
                    peer.bare
                ));
            } else if measured < baseline * (1.0 - TOLERANCE) {
                println!("{key}: {what} are lower than the baseline by more than 3 %: write down the gain");
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}

fn count(peer: &Peer, folder: &Path, sink: &Sink) -> Result<Counts, Box<dyn Error>> {
    callgrind::count(peer, folder, sink, &Case::new(RATIO, REQUESTS))
        .map_err(|error| format!("{}: {error}", peer.key).into())
}

/// The lowest of `runs` counts, or of fewer that are enough.
fn lowest(
    runs: usize,
    mut count: impl FnMut() -> Result<Counts, Box<dyn Error>>,
    is_enough: impl Fn(&Counts) -> bool,
) -> Result<Counts, Box<dyn Error>> {
    let mut lowest = count()?;
    for _ in 1..runs {
        if is_enough(&lowest) {
            break;
        }
        let counts = count()?;
        lowest = Counts {
            instructions: lowest.instructions.min(counts.instructions),
            allocations: lowest.allocations.min(counts.allocations),
            ..counts
        };
    }
    Ok(lowest)
}
