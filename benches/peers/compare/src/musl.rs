//! The same service by two C libraries: what a static binary costs in throughput.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use crate::peer::Peer;
use crate::process::Output;
use crate::report::median;
use crate::rounds::{Processors, round};
use crate::sink::Sink;

const PEERS: [&str; 2] = ["prodkit_hyper", "prodkit_axum"];

/// Rounds with the peers of both folders in turn, each against the other of its round.
pub(crate) fn measure(
    glibc: &Path,
    musl: &Path,
    sink: &Sink,
    rounds: usize,
    seconds: u64,
    processors: &Processors,
) -> Result<String, Box<dyn Error>> {
    let mut text =
        "| | rounds | glibc, requests/s | static musl, requests/s | of glibc's (least, most) |\n|---|---:|---:|---:|---:|\n"
            .to_owned();
    for key in PEERS {
        let peer = Peer::of(key).ok_or("a peer is missing")?;
        let run = |folder| round(&peer, folder, sink, Output::Pipe, seconds, processors);
        let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..rounds {
            let (glibc, musl) = if number % 2 == 0 {
                let glibc = run(glibc)?;
                (glibc, run(musl)?)
            } else {
                let musl = run(musl)?;
                (run(glibc)?, musl)
            };
            theirs.push(glibc.requests_per_second);
            ours.push(musl.requests_per_second);
            ratios.push(musl.requests_per_second / glibc.requests_per_second);
        }
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let middle = |values| median(values).unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| `{key}` | {rounds} | {:.0} | {:.0} | {:.2} ({least:.2}, {most:.2}) |",
            middle(theirs),
            middle(ours),
            middle(ratios)
        );
    }
    Ok(text)
}
