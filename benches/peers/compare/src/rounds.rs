//! Throughput and CPU time: fresh processes, interleaved, so that what the machine does besides hits all of them alike.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use crate::callgrind::counter;
use crate::load::{CONNECTIONS, Load, wrk};
use crate::peer::Peer;
use crate::process::{Output, Process, Setup};
use crate::proof::Seen;
use crate::sink::Sink;

/// Requests whose answers are looked at one by one, before wrk comes.
const LOOKED_AT: usize = 200;
const WARM_UP_SECONDS: u64 = 1;
/// For what wrk left behind when it went.
const SETTLE: Duration = Duration::from_millis(100);
/// The share of traces sampled, as in production.
pub(crate) const RATIO: f64 = 0.1;

/// One peer in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Which processors the server and everybody else have.
#[derive(Clone, Debug)]
pub(crate) struct Processors {
    pub(crate) server: String,
    pub(crate) others: String,
}

pub(crate) fn round(
    peer: &Peer,
    folder: &Path,
    sink: &Sink,
    output: Output,
    seconds: u64,
    processors: &Processors,
) -> Result<Sample, Box<dyn Error>> {
    let wrapper = ["taskset", "-c", &processors.server].map(str::to_owned).to_vec();
    let setup = Setup { folder, sink, ratio: RATIO, output, wrapper, more: Vec::new() };
    let scratch = tempfile::tempdir()?;
    let spans = sink.spans();
    let process = Process::start(peer, &setup)?;
    let port = process.ports.main;

    let mut load = Load::open(port, 1)?;
    load.run(LOOKED_AT)?;
    let answers = load.answers;
    drop(load);
    let warm_up = wrk(port, WARM_UP_SECONDS, &processors.others, scratch.path())?;
    let before = process.cpu_us().ok_or("no CPU time")?;
    let run = wrk(port, seconds, &processors.others, scratch.path())?;
    let after = process.cpu_us().ok_or("no CPU time")?;
    std::thread::sleep(SETTLE);

    let counted = counter(peer, &process)?;
    let lines = process.stop()?;
    let spans = sink.spans() - spans;
    let answered = answers.all + warm_up.requests + run.requests;
    peer.prove(&Seen { answered, cut_off: 2 * CONNECTIONS, counted, lines, spans, ratio: RATIO, answers })?;
    if run.errors > 0 {
        return Err(format!("{} errors", run.errors).into());
    }
    // All answers are of one length, so one without its request id shows. What wrk had of an answer when it ended counts.
    let expected = run.requests * answers.size;
    if run.bytes.abs_diff(expected) > CONNECTIONS * answers.size {
        return Err(format!("{} bytes for {} answers of {}", run.bytes, run.requests, answers.size).into());
    }

    let requests = run.requests as f64;
    Ok(Sample {
        requests_per_second: requests / run.seconds,
        user_us: (after.0 - before.0) / requests,
        system_us: (after.1 - before.1) / requests,
        p50_us: run.p50_us,
        p99_us: run.p99_us,
    })
}

/// Allocations of a peer that callgrind cannot run, by its own count.
pub(crate) fn allocations(peer: &Peer, folder: &Path, sink: &Sink, n: usize) -> Result<f64, Box<dyn Error>> {
    let setup =
        Setup { folder, sink, ratio: RATIO, output: Output::Null, wrapper: Vec::new(), more: Vec::new() };
    let process = Process::start(peer, &setup)?;
    let mut load = Load::open(process.ports.main, 8)?;
    let mut counts = Vec::new();
    for requests in [n, n, 2 * n] {
        load.run(requests)?;
        counts.push(process.metric("go_memstats_mallocs_total")?);
    }
    drop(load);
    process.stop()?;
    let &[first, second, third] = counts.as_slice() else { return Err("no counts".into()) };
    Ok(((third - second) - (second - first)) / n as f64)
}
