//! Starts the peers, measures them and proves that they did the work; `../compare.sh` builds and calls it.
//!
//! `peer-compare --bin FOLDER [--quick] [--only PEER,…] [--counts-only | --rounds-only] [--repeat N] [--seconds N]
//! [--log pipe,null] [--json FILE] [--page FILE] [--profile FOLDER] [--absent PEER=WHY]…`; or with `--gate FILE`; or with
//! `--flat`; or with `--footprint SERVICE`; or with `--musl FOLDER`.

mod callgrind;
mod flat;
mod footprint;
mod gate;
mod lines;
mod load;
mod musl;
mod page;
mod peer;
mod plot;
mod process;
mod profile;
mod proof;
mod report;
mod rounds;
mod sink;

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use callgrind::Case;
use peer::Peer;
use process::Output;
use report::Report;
use rounds::{Processors, RATIO};
use serde_json::json;
use sink::Sink;

/// How much is measured.
struct Effort {
    rounds: usize,
    seconds: u64,
    requests: usize,
    /// Also with the log to the null device, and with none and all of the traces sampled.
    all: bool,
}

const QUICK: Effort = Effort { rounds: 3, seconds: 2, requests: 2_000, all: false };
const FULL: Effort = Effort { rounds: 5, seconds: 5, requests: 4_000, all: true };

#[derive(Default)]
struct Options {
    folder: PathBuf,
    quick: bool,
    only: Option<Vec<String>>,
    json: Option<PathBuf>,
    profile: Option<PathBuf>,
    page: Option<PathBuf>,
    repeat: Option<usize>,
    seconds: Option<u64>,
    logs: Option<Vec<Output>>,
    absent: HashMap<String, String>,
    about: Vec<(String, String)>,
    counts: bool,
    rounds: bool,
    gate: Option<PathBuf>,
    flat: bool,
    footprint: Option<PathBuf>,
    musl: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { counts: true, rounds: true, ..Self::default() };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            let pair = |value: String| {
                let pair = value.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
                pair.ok_or_else(|| format!("{value} is not KEY=VALUE"))
            };
            match name.as_str() {
                "--bin" => options.folder = value()?.into(),
                "--quick" => options.quick = true,
                "--counts-only" => options.rounds = false,
                "--rounds-only" => options.counts = false,
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--json" => options.json = Some(value()?.into()),
                "--profile" => options.profile = Some(value()?.into()),
                "--page" => options.page = Some(value()?.into()),
                "--repeat" => options.repeat = Some(number(&value()?)?),
                "--seconds" => options.seconds = Some(number(&value()?)? as u64),
                "--log" => options.logs = Some(value()?.split(',').map(log).collect::<Result<_, _>>()?),
                "--absent" => options.absent.extend([pair(value()?)?]),
                "--gate" => options.gate = Some(value()?.into()),
                "--flat" => options.flat = true,
                "--footprint" => options.footprint = Some(value()?.into()),
                "--musl" => options.musl = Some(value()?.into()),
                "--about" => options.about.push(pair(value()?)?),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn log(name: &str) -> Result<Output, String> {
    match name {
        "pipe" => Ok(Output::Pipe),
        "null" => Ok(Output::Null),
        _ => Err(format!("a log goes to pipe or null, not to {name}")),
    }
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).map_err(Into::into).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let effort = if options.quick { QUICK } else { FULL };
    let effort = Effort {
        rounds: options.repeat.unwrap_or(effort.rounds),
        seconds: options.seconds.unwrap_or(effort.seconds),
        ..effort
    };
    let processors = share_processors()?;
    let sink = Sink::start()?;
    if let Some(baseline) = &options.gate {
        return gate::check(baseline, &options.folder, &sink);
    }
    let mut report = Report::default();
    report.about.extend(options.about.iter().map(|(key, value)| (key.clone(), json!(value))));
    let table = if let Some(service) = &options.footprint {
        Some(("footprint", footprint::measure(service, &options.folder.join("peer-bare-axum"), &sink)?))
    } else if options.flat {
        Some(("flat", flat::measure(&options.folder, options.profile.as_deref(), &sink)?))
    } else if let Some(folder) = &options.musl {
        let measured =
            musl::measure(&options.folder, folder, &sink, effort.rounds, effort.seconds, &processors);
        Some(("musl", measured?))
    } else {
        None
    };
    if let Some((name, table)) = table {
        report.about.insert("load_after".to_owned(), json!(load_average()?));
        let block = format!("{}\n{table}", report.origin());
        println!("{block}");
        return options.page.as_ref().map_or(Ok(()), |page| page::put(page, name, &block));
    }

    let wanted =
        |peer: &&Peer| options.only.as_ref().is_none_or(|only| only.iter().any(|key| key == peer.key));
    let mut peers = Vec::new();
    for peer in peer::ALL.iter().filter(wanted) {
        match options.absent.get(peer.key) {
            Some(why) => void(&mut report, peer, "not there", why),
            None => peers.push(*peer),
        }
    }
    let mut run = Run { options, effort, processors, sink, report };
    if options.counts {
        run.count(&peers);
    }
    if options.rounds {
        run.throughput(&peers);
    }
    run.tell()
}

struct Run<'a> {
    options: &'a Options,
    effort: Effort,
    processors: Processors,
    sink: Sink,
    report: Report,
}

impl Run<'_> {
    fn count(&mut self, peers: &[Peer]) {
        let Self { options, effort, sink, report, .. } = self;
        for peer in peers {
            if !peer.native {
                match rounds::allocations(peer, &options.folder, sink, effort.requests) {
                    Ok(allocations) => drop(report.allocations.insert(peer.key, allocations)),
                    Err(error) => void(report, peer, "allocations", &error.to_string()),
                }
                report.miss(peer.key, "callgrind cannot run it");
                continue;
            }
            let count =
                |ratio| callgrind::count(peer, &options.folder, sink, &Case::new(ratio, effort.requests));
            match count(RATIO) {
                Ok(counts) => drop(report.counts.insert(peer.key, counts)),
                Err(error) => void(report, peer, "callgrind", &error.to_string()),
            }
            if !(effort.all && peer.duties.sampled) {
                continue;
            }
            for ratio in [0.0, 1.0] {
                match count(ratio) {
                    Ok(counts) if ratio == 0.0 => drop(report.unsampled.insert(peer.key, counts)),
                    Ok(counts) => drop(report.sampled.insert(peer.key, counts)),
                    Err(error) => {
                        void(report, peer, &format!("callgrind, {ratio} sampled"), &error.to_string());
                    }
                }
            }
        }
    }

    fn throughput(&mut self, peers: &[Peer]) {
        let Self { options, effort, processors, sink, report } = self;
        let usual = if effort.all { &[Output::Pipe, Output::Null][..] } else { &[Output::Pipe] };
        let outputs = options.logs.as_deref().unwrap_or(usual);
        for round in 0..effort.rounds {
            let mut order = peers.to_vec();
            if round % 2 == 1 {
                order.reverse();
            }
            for &output in outputs {
                for peer in &order {
                    let sample =
                        rounds::round(peer, &options.folder, sink, output, effort.seconds, processors);
                    if let Err(error) = &sample {
                        void(report, peer, &format!("round {}", round + 1), &error.to_string());
                    }
                    let sample = sample.ok();
                    let samples =
                        if output == Output::Pipe { &mut report.rounds } else { &mut report.silent };
                    samples.entry(peer.key).or_default().push(sample);
                }
            }
        }
    }

    fn tell(&mut self) -> Result<(), Box<dyn Error>> {
        self.report.about.insert("load_after".to_owned(), json!(load_average()?));
        println!("{}", self.report.markdown());
        if let Some(path) = &self.options.json {
            std::fs::write(path, format!("{:#}\n", self.report.json()))?;
        }
        if let Some(page) = &self.options.page {
            page::write(page, &self.report)?;
        }
        if let Some(folder) = &self.options.profile {
            std::fs::create_dir_all(folder)?;
            for (name, table) in self.report.profiles() {
                std::fs::write(folder.join(format!("{name}.md")), table)?;
            }
        }
        Ok(())
    }
}

fn load_average() -> std::io::Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

fn void(report: &mut Report, peer: &Peer, what: &str, why: &str) {
    eprintln!("compare: {}: {what}: {why}", peer.key);
    report.miss(peer.key, &format!("{what}: {why}"));
}

/// One for the server, the others for this program and wrk.
fn share_processors() -> Result<Processors, Box<dyn Error>> {
    let count = std::thread::available_parallelism()?.get();
    if count < 2 {
        return Err("the server and its clients need a processor each".into());
    }
    let mut others = rustix::thread::CpuSet::new();
    (1..count).for_each(|processor| others.set(processor));
    rustix::thread::sched_setaffinity(None, &others)?;
    Ok(Processors { server: "0".to_owned(), others: format!("1-{}", count - 1) })
}
