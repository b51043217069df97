//! One trace looked at closely, by a signed header or by an operator.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use prodkit_e2e::http::{Connection, Response};
use prodkit_fakes::FakeCollector;
use serde_json::Value;

use crate::rig::{Rig, Setup};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A request whose handler whispers, in a trace its caller did not sample; its lines and whether it was whispered.
fn whisper(rig: &mut Rig, trace: &str, headers: &[(&str, &str)]) -> bool {
    let parent = format!("00-{trace}-b7ad6b7169203331-00");
    let headers: Vec<_> = headers.iter().copied().chain([("traceparent", parent.as_str())]).collect();
    let before = rig.service.seen().len();
    let mut connection = Connection::open(rig.main).unwrap();
    assert_eq!(connection.request("GET", "/say/0", &headers, b"").unwrap().status, 200);
    rig.line("request");
    let seen = &rig.service.seen()[before..];
    let whispered = seen.iter().filter(|line| line["msg"] == "whispered").collect::<Vec<_>>();
    assert!(whispered.iter().all(|line| line["trace_id"] == *trace && line["level"] == "DEBUG"), "{seen:#?}");
    !whispered.is_empty()
}

/// Signed as the documentation says, by somebody else's software.
fn signed(key: &str, trace: &str, until: u64) -> String {
    let script =
        "import hmac,sys;print(hmac.new(sys.argv[1].encode(),sys.argv[2].encode(),'sha256').hexdigest())";
    let output = Command::new("python3")
        .args(["-c", script, key, &format!("{trace}.{until}")])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    format!("{until}.{}", String::from_utf8(output.stdout).unwrap().trim())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn debug_key() {
    let collector = FakeCollector::start();
    let setup = Setup::new()
        .set("otlp.endpoint", &collector.url())
        .set("otlp.sampling_ratio", "0")
        .set("log.debug_key", "s3cret");
    let mut rig = setup.serve();
    assert!(!whisper(&mut rig, TRACE, &[]));
    for wrong in
        [signed("other", TRACE, now() + 60), signed("s3cret", OTHER, now() + 60), signed("s3cret", TRACE, 1)]
    {
        assert!(!whisper(&mut rig, TRACE, &[("x-debug-trace", &wrong)]), "{wrong}");
    }
    let right = signed("s3cret", TRACE, now() + 600);
    assert!(whisper(&mut rig, TRACE, &[("x-debug-trace", &right)]));
    // for a minute, and for no other trace
    assert!(whisper(&mut rig, TRACE, &[]) && !whisper(&mut rig, OTHER, &[]));
    rig.end();
    assert!(!collector.received_at("/v1/traces").is_empty(), "what is raised is recorded");

    let mut without = Setup::new().serve();
    assert!(
        !whisper(&mut without, TRACE, &[("x-debug-trace", &right)]),
        "without a key the header means nothing"
    );
}

fn raise(rig: &Rig, query: &str, headers: &[(&str, &str)]) -> Response {
    let mut connection = Connection::open(rig.admin).unwrap();
    connection.request("POST", &format!("/admin/debug-trace{query}"), headers, b"").unwrap()
}

pub(crate) fn an_operator_raises_one_trace() {
    let mut rig = Setup::new().serve();
    let answer = raise(&rig, &format!("?trace_id={TRACE}"), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(whisper(&mut rig, TRACE, &[]) && !whisper(&mut rig, OTHER, &[]));
    let audit = rig.service.seen().iter().find(|line| line["msg"] == "changed by an operator").unwrap();
    assert_eq!((&audit["change"], &audit["trace"]), (&"raise a trace to debug".into(), &TRACE.into()));

    let new: Value = serde_json::from_slice(&raise(&rig, "", &[]).body).unwrap();
    assert!(whisper(&mut rig, new["trace_id"].as_str().unwrap(), &[]), "{new}");
    for _ in 2..8 {
        assert_eq!(raise(&rig, "", &[]).status, 200);
    }
    assert_eq!(raise(&rig, "", &[]).status, 429, "eight at a time");
    for query in ["?trace_id=1", "?trace_id=", &format!("?trace_id={}", "0".repeat(32)), "?x"] {
        assert_eq!(raise(&rig, query, &[]).status, 400, "{query}");
    }
    assert_eq!(rig.ask("/admin/debug-trace").status, 405, "to look changes nothing");
}

pub(crate) fn who_may_raise_a_trace() {
    let mut rig = Setup::new().set("admin.token", "s3").set("admin.public", "true").serve();
    assert_eq!(raise(&rig, "", &[]).status, 401);
    let line = rig.line("change refused");
    assert_eq!(line["level"], "WARN");
    assert_eq!(raise(&rig, "", &[("authorization", "Bearer s3")]).status, 200);
    let foreign = [("authorization", "Bearer s3"), ("origin", "http://evil.example")];
    assert_eq!(raise(&rig, "", &foreign).status, 403);
    let open =
        Setup::new().unset("admin.host").set("admin.host", "0.0.0.0").set("admin.public", "true").serve();
    assert_eq!(raise(&open, "", &[]).status, 403, "public is for reading");
}
