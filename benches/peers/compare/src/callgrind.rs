//! Instructions and allocations of one request, exact to a few in a thousand whatever else the machine does.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::load::Load;
use crate::peer::Peer;
use crate::process::{Output, Process, Setup};
use crate::profile::Profile;
use crate::proof::Seen;
use crate::sink::Sink;

const CONNECTIONS: usize = 8;
const WARM_UP: usize = 500;
/// Spans wait for so long to be sent, and each phase waits for longer, so that it pays for its own.
const SPANS_WAIT: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_secs(2);

/// Per request.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// By function.
    pub(crate) functions: HashMap<String, f64>,
}

/// What is asked of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The share of traces to sample.
    pub(crate) ratio: f64,
    pub(crate) requests: usize,
    /// The paths that are asked for in turn; the usual one if none.
    pub(crate) paths: Vec<String>,
    /// Connections that made one request each and then stay open.
    pub(crate) idle: usize,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Case {
    pub(crate) fn new(ratio: f64, requests: usize) -> Self {
        Self { ratio, requests, paths: Vec::new(), idle: 0, variables: Vec::new() }
    }

    pub(crate) fn load(&self, port: u16, connections: usize) -> std::io::Result<Load> {
        if self.paths.is_empty() {
            Load::open(port, connections)
        } else {
            Load::of_paths(port, connections, &self.paths)
        }
    }

    /// Connections that make a request each before the next one is opened: many that are opened first would have to wait
    /// longer for their turn than a server waits for a first byte.
    pub(crate) fn load_one_by_one(&self, port: u16, connections: usize) -> std::io::Result<Load> {
        let mut load = self.load(port, 0)?;
        for _ in 0..connections {
            load.one_more(port)?;
        }
        Ok(load)
    }
}

/// Counts for `n` requests and for twice as many over the same connections; the difference is that of `n` requests and
/// of nothing else.
pub(crate) fn count(peer: &Peer, folder: &Path, sink: &Sink, case: &Case) -> Result<Counts, Box<dyn Error>> {
    let (ratio, n) = (case.ratio, case.requests);
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let wrapper =
        ["taskset", "-c", "0", "valgrind", "--quiet", "--tool=callgrind"].map(str::to_owned).into_iter();
    let setup = Setup {
        folder,
        sink,
        ratio,
        output: Output::Pipe,
        wrapper: wrapper.chain([format!("--callgrind-out-file={}", out.display())]).collect(),
        more: [("OTEL_BSP_SCHEDULE_DELAY", SPANS_WAIT.as_millis().to_string())]
            .into_iter()
            .chain(case.variables.iter().cloned())
            .collect(),
    };
    let spans = sink.spans();
    let process = Process::start(peer, &setup)?;
    let idle = case.load_one_by_one(process.ports.main, case.idle)?;
    let mut load = case.load(process.ports.main, CONNECTIONS)?;
    // every path has been there before it is counted
    for requests in [WARM_UP.max(2 * case.paths.len()), n, 2 * n] {
        load.run(requests)?;
        std::thread::sleep(SETTLE);
        dump(process.id())?;
    }
    let counted = counter(peer, &process)?;
    let answers = load.answers.and(idle.answers);
    drop((load, idle));
    let lines = process.stop()?;
    let spans = sink.spans() - spans;
    peer.prove(&Seen { answered: answers.all, cut_off: 0, counted, lines, spans, ratio, answers })?;

    let profile = |number: u8| -> Result<Profile, Box<dyn Error>> {
        let path = PathBuf::from(format!("{}.{number}", out.display()));
        Ok(Profile::parse(&std::fs::read_to_string(path)?))
    };
    let (once, twice) = (profile(2)?, profile(3)?);
    let each = |more: u64, less: u64| (more as f64 - less as f64) / n as f64;
    let functions = twice.functions.iter().map(|(name, more)| {
        (name.clone(), each(*more, once.functions.get(name).copied().unwrap_or_default()))
    });
    Ok(Counts {
        instructions: each(twice.total, once.total),
        allocations: each(twice.allocations, once.allocations),
        functions: functions.collect(),
    })
}

/// What the peer itself counted.
pub(crate) fn counter(peer: &Peer, process: &Process) -> std::io::Result<Option<u64>> {
    peer.duties.counted.then(|| process.metric("http_requests_total").map(|count| count as u64)).transpose()
}

/// Has callgrind write what it counted, and begin anew.
fn dump(process: u32) -> Result<(), Box<dyn Error>> {
    let status = Command::new("callgrind_control")
        .args(["--dump", &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("callgrind_control failed: {status}").into()) }
}
