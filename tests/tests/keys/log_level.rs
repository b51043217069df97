//! `/admin/log-level`: an operator sets another level for a while.

use std::fs;

use prodkit_e2e::http::{Connection, Response};
use serde_json::Value;

use crate::rig::{Rig, Setup, within};

const PATH: &str = "/admin/log-level";

fn ask(rig: &Rig, method: &str, query: &str, headers: &[(&str, &str)]) -> Response {
    let mut connection = Connection::open(rig.admin).unwrap();
    connection.request(method, &format!("{PATH}{query}"), headers, b"").unwrap()
}

fn shown(rig: &Rig) -> Value {
    serde_json::from_slice(&ask(rig, "GET", "", &[]).body).unwrap()
}

/// Whether what a handler says at debug is written now.
fn whispers(rig: &mut Rig) -> bool {
    let before = rig.service.seen().len();
    assert_eq!(rig.status("/say/0"), 200);
    rig.line("said");
    rig.service.seen()[before..].iter().any(|line| line["msg"] == "whispered")
}

fn changes(rig: &Rig) -> Vec<&Value> {
    rig.service.seen().iter().filter(|line| line["msg"] == "changed by an operator").collect()
}

pub(crate) fn an_operator_sets_the_level_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("level.yaml");
    let write = |level: &str| {
        fs::write(folder.path().join("new"), format!("log:\n  level: {level}\n")).unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
    };
    write("info");
    let mut rig = Setup::new().config(&file).serve();
    assert_eq!((whispers(&mut rig), &shown(&rig)["until"]), (false, &Value::Null));

    // for all targets, then for one; each is a line, and said by GET
    let answer: Value = serde_json::from_slice(&ask(&rig, "PUT", "?level=debug&ttl=1h", &[]).body).unwrap();
    assert!(answer["until"].as_str().unwrap().ends_with('Z'), "{answer}");
    assert!(answer["seconds"].as_u64().is_some_and(|seconds| (3_500..=3_600).contains(&seconds)), "{answer}");
    assert!(answer["level"].as_str().unwrap().contains("debug"), "{answer}");
    assert_eq!(shown(&rig)["level"], answer["level"]);
    assert!(whispers(&mut rig));
    assert_eq!(ask(&rig, "PUT", "?level=info,fixture=debug", &[]).status, 200);
    let ten_minutes = shown(&rig)["seconds"].as_u64().unwrap();
    assert!(whispers(&mut rig) && (500..=600).contains(&ten_minutes), "{ten_minutes}");
    assert_eq!(ask(&rig, "PUT", "?level=debug,fixture=info", &[]).status, 200);
    assert!(!whispers(&mut rig));
    let audit = changes(&rig);
    assert_eq!(audit.len(), 3, "{audit:#?}");
    assert!(audit.iter().all(|line| line["change"] == "set the log level for a while"), "{audit:#?}");

    // what the file says meanwhile is what holds afterwards
    write("debug,fixture=warn");
    within("the new base", || shown(&rig)["configured"].as_str().unwrap().contains("fixture=warn"));
    assert!(shown(&rig)["level"].as_str().unwrap().contains("fixture=info"));
    assert_eq!(ask(&rig, "PUT", "?level=debug&ttl=300ms", &[]).status, 200);
    rig.line("the log level is as configured again");
    let after = shown(&rig);
    assert_eq!((&after["until"], &after["level"]), (&Value::Null, &after["configured"]));
    assert!(after["level"].as_str().unwrap().contains("fixture=warn"), "{after}");

    // and it can be ended before its time
    write("info");
    within("the next base", || !shown(&rig)["configured"].as_str().unwrap().contains("fixture"));
    assert_eq!(ask(&rig, "PUT", "?level=debug", &[]).status, 200);
    assert!(whispers(&mut rig));
    assert_eq!(ask(&rig, "DELETE", "", &[]).status, 200);
    assert_eq!((whispers(&mut rig), &shown(&rig)["until"]), (false, &Value::Null));
    for wrong in ["", "?level=loud", "?level=debug&ttl=25h", "?level=debug&ttl=0s", "?ttl=1m"] {
        assert_eq!(ask(&rig, "PUT", wrong, &[]).status, 400, "{wrong}");
    }
    assert_eq!(ask(&rig, "POST", "?level=debug", &[]).status, 405);
    assert!(!whispers(&mut rig));
}

/// As with everything that changes something: by the token, or a loopback address; and each change is said, by the filter
/// before it or by the one after.
pub(crate) fn who_may_set_the_level() {
    let mut rig = Setup::new().set("admin.token", "s3cret").serve();
    for method in ["PUT", "DELETE"] {
        assert_eq!(ask(&rig, method, "?level=debug", &[]).status, 401, "{method}");
        assert_eq!(rig.line("change refused")["level"], "WARN");
    }
    assert_eq!(ask(&rig, "GET", "", &[]).status, 401);
    let bearer = [("authorization", "Bearer s3cret")];
    for level in ["error", "debug", "error"] {
        assert_eq!(ask(&rig, "PUT", &format!("?level={level}"), &bearer).status, 200);
        assert!(rig.line("changed by an operator")["level"].is_string());
    }
    let foreign = [("authorization", "Bearer s3cret"), ("origin", "http://evil.example")];
    assert_eq!(ask(&rig, "PUT", "?level=debug", &foreign).status, 403);

    let open = Setup::new().unset("admin.host").set("admin.host", "0.0.0.0").set("admin.public", "true");
    let mut open = open.serve();
    assert_eq!(ask(&open, "GET", "", &[]).status, 200);
    assert_eq!(ask(&open, "PUT", "?level=debug", &[]).status, 403, "public is for reading");
    assert!(!whispers(&mut open));
}
