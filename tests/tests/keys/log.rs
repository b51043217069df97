//! `log.*`: the lines on standard output.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use prodkit_e2e::http::Connection;
use serde_json::Value;

use crate::rig::{Setup, metric, with, within};

pub(crate) fn level() {
    for (value, debug) in [("info", false), ("debug", true)] {
        assert_eq!(whispers(&Setup::new().set("log.level", value)), debug, "{value}");
    }
}

/// Whether it says at level debug what a request makes it say.
pub(crate) fn whispers(setup: &Setup) -> bool {
    setup.serve().count("whispered") > 0
}

pub(crate) fn format() {
    for (value, json) in [("json", true), ("console", false)] {
        let (mut service, _folder) = Setup::new().set("log.format", value).spawn();
        let line = service.seen_or_next(|line| line.to_string().contains("ready")).unwrap();
        assert_eq!(line.is_object(), json, "{line}");
    }
}

pub(crate) fn max_line() {
    for (limit, whole) in [(1_100, false), (5_000, true)] {
        let mut rig = with("log.max_line", &limit.to_string());
        rig.get("/say/3000");
        let line = rig.line("said");
        assert!(line.to_string().len() <= limit, "{line}");
        assert_eq!(line["text"].as_str().is_some_and(|text| text.len() == 3_000), whole, "{line}");
    }
}

pub(crate) fn buffer() {
    for (value, is_enough) in [("16KiB", false), ("8MiB", true)] {
        assert_eq!(lines_dropped(value) == 0.0, is_enough, "{value}");
    }
}

/// How many lines are lost when nobody reads a megabyte of them.
fn lines_dropped(buffer: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Setup::new().set("log.buffer", buffer).command(&folder);
    let mut silenced = Silenced(command.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(silenced.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let started = lines.find(|line| line["msg"] == "started").unwrap();
    let [main, admin] = ["server", "admin"].map(|port| started[port].as_str().unwrap().parse().unwrap());
    let mut connection = Connection::open(main).unwrap();
    for _ in 0..100 {
        assert_eq!(connection.request("GET", "/say/10000", &[], b"").unwrap().status, 200);
    }
    metric(admin, "prodkit_log_lines_total{outcome=\"dropped\"}").unwrap()
}

/// A process that would wait for ever to be read.
struct Silenced(Child);

impl Drop for Silenced {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

const SUPPRESSED: &str = "prodkit_log_lines_total{outcome=\"suppressed\"}";

/// What one place in the code says too often is left out, and told by the next line from there.
pub(crate) fn rate_limit() {
    let mut rig = with("log.rate_limit", "2");
    for _ in 0..20 {
        rig.get("/say/0");
    }
    // whatever it took: more than that the seconds have no room for
    rig.until(SUPPRESSED, |lines| lines > 0.0);
    within("the word about it", || {
        rig.get("/say/0");
        rig.line("request");
        rig.service.seen().iter().any(|line| line["msg"] == "said" && line["suppressed"].as_u64() > Some(0))
    });

    let rig = Setup::new().serve();
    for _ in 0..20 {
        rig.get("/say/0");
    }
    assert_eq!(rig.metric(SUPPRESSED), Some(0.0));
}

/// The fixture's `/spans` logs an error, and `/panic` panics.
pub(crate) fn stacktrace() {
    for (value, by_environment, has_one) in [("true", "0", true), ("false", "1", false)] {
        let mut rig = Setup::new().env("RUST_BACKTRACE", by_environment).set("log.stacktrace", value).serve();
        rig.get("/spans");
        assert_eq!(rig.line("it failed")["stacktrace"].is_string(), has_one, "{value}");
        rig.get("/panic");
        let panic =
            rig.line_where(|line| line["msg"].as_str().is_some_and(|msg| msg.starts_with("panicked")));
        assert!(panic["stacktrace"].is_string(), "{panic}");
    }
    for (by_environment, has_one) in [("0", false), ("1", true)] {
        let mut rig = Setup::new().env("RUST_BACKTRACE", by_environment).serve();
        rig.get("/spans");
        assert_eq!(rig.line("it failed")["stacktrace"].is_string(), has_one, "{by_environment}");
    }
}

pub(crate) fn redact() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("redact.yaml");
    for (value, text) in [("[]", "xxx"), ("[iban, TEXT]", "***")] {
        std::fs::write(&file, format!("log: {{redact: {value}}}")).unwrap();
        let mut rig = Setup::new().config(&file).serve();
        rig.get("/say/3");
        assert_eq!(rig.line("said")["text"], text, "{value}");
    }
}
