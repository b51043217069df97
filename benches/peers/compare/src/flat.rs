//! That the price of a request does not grow with what there is besides: routes, series, idle connections.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::callgrind::{self, Case};
use crate::peer::Peer;
use crate::process::{Output, Process, Setup};
use crate::report::difference;
use crate::rounds::RATIO;
use crate::sink::Sink;

const REQUESTS: usize = 4_000;
const ROUTES: usize = 1_000;
const SERIES: usize = 10_000;
const CONNECTIONS: usize = 10_000;
/// For what is not done at once.
const SETTLE: Duration = Duration::from_secs(1);

/// `profile` is a folder for what each of them is made of, by function.
pub(crate) fn measure(folder: &Path, profile: Option<&Path>, sink: &Sink) -> Result<String, Box<dyn Error>> {
    let peer = |key: &str| Peer::of(key).ok_or("a peer is missing");
    // what is exported once a minute would be in one phase and not in the other
    let quiet = ("OTEL_METRIC_EXPORT_INTERVAL", "3600000".to_owned());
    let paths =
        |count: usize| (0..count).map(|route| format!("/api/orders-{route:04}/4711")).collect::<Vec<_>>();
    let routes = |count: usize| Case {
        paths: paths(count),
        variables: vec![("PEER_ROUTES", count.to_string()), quiet.clone()],
        ..Case::new(RATIO, REQUESTS)
    };
    let series = |count: usize| Case {
        variables: vec![("PEER_SERIES", count.to_string()), quiet.clone()],
        ..Case::new(RATIO, REQUESTS)
    };
    let idle =
        |count: usize| Case { idle: count, variables: vec![quiet.clone()], ..Case::new(RATIO, REQUESTS) };
    let table = [
        ("bare_axum", "routes", [routes(1), routes(ROUTES)], [1, ROUTES]),
        ("prodkit_axum", "routes", [routes(1), routes(ROUTES)], [1, ROUTES]),
        ("prodkit_axum", "other series of metrics", [series(0), series(SERIES)], [0, SERIES]),
        ("bare_hyper", "idle connections", [idle(0), idle(CONNECTIONS)], [0, CONNECTIONS]),
        ("prodkit_hyper", "idle connections", [idle(0), idle(CONNECTIONS)], [0, CONNECTIONS]),
        ("prodkit_axum", "idle connections", [idle(0), idle(CONNECTIONS)], [0, CONNECTIONS]),
    ];
    let mut text = "| peer | instructions with | few | many | more |\n|---|---|---:|---:|---:|\n".to_owned();
    for (key, what, [few, many], [least, most]) in table {
        let count = |case| callgrind::count(&peer(key)?, folder, sink, case);
        let (few, many) = (count(&few)?, count(&many)?);
        if let Some(profile) = profile {
            std::fs::create_dir_all(profile)?;
            let name = format!("{key}_{}.md", what.replace(' ', "_"));
            std::fs::write(profile.join(name), difference(&many, &few))?;
        }
        let (few, many) = (few.instructions, many.instructions);
        let _ = writeln!(
            text,
            "| `{key}` | {least} and {most} {what} | {few:.0} | {many:.0} | {:+.1} % |",
            (many / few - 1.0) * 100.0
        );
    }

    let head =
        format!("\n| peer | RSS | with {CONNECTIONS} idle connections | for each |\n|---|---:|---:|---:|\n");
    text.push_str(&head);
    for key in ["bare_hyper", "prodkit_hyper", "bare_axum", "prodkit_axum"] {
        let (few, many) = resident(&peer(key)?, folder, sink)?;
        let _ = writeln!(
            text,
            "| `{key}` | {:.1} MiB | {:.1} MiB | {:.2} KiB |",
            few / 1024.0,
            many / 1024.0,
            (many - few) / CONNECTIONS as f64
        );
    }
    Ok(text)
}

/// What of a peer is in memory, in KiB: with one connection, and with many that made a request each.
fn resident(peer: &Peer, folder: &Path, sink: &Sink) -> Result<(f64, f64), Box<dyn Error>> {
    let setup = Setup {
        folder,
        sink,
        ratio: RATIO,
        output: Output::Null,
        wrapper: Vec::new(),
        more: vec![("PEER_ROUTES", "0".to_owned())],
    };
    let process = Process::start(peer, &setup)?;
    let case = Case::new(RATIO, 1);
    let mut first = case.load(process.ports.main, 1)?;
    first.run(100)?;
    std::thread::sleep(SETTLE);
    let few = process.resident_kib().ok_or("no size")?;
    let idle = case.load_one_by_one(process.ports.main, CONNECTIONS)?;
    std::thread::sleep(SETTLE);
    let many = process.resident_kib().ok_or("no size")?;
    drop((first, idle));
    process.stop()?;
    Ok((few, many))
}
