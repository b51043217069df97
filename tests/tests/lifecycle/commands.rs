//! What the commands say, and by which exit code.

use super::{FIXTURE, output};
use prodkit_fakes::{Behaviour, FakeCollector};
use std::fs;
use std::process::Command;

#[test]
fn a_program_with_a_subscriber_of_its_own_is_told_so_and_does_not_start() {
    let free = ["--set", "server.port=0", "--set", "admin.port=0"];
    let mut command = Command::new(FIXTURE);
    let run = command.args(free).env_clear().env("FIXTURE_SUBSCRIBER", "1").output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let errors = String::from_utf8(run.stderr).unwrap();
    assert!(errors.contains("this program has a tracing subscriber of its own"), "{errors}");
    assert!(errors.lines().count() == 1 && !errors.contains("panicked"), "{errors}");
}

#[test]
fn a_doctor_asks_the_collector_and_says_by_its_exit_code_what_came_of_it() {
    let collector = FakeCollector::start();
    let doctor = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        output(&["otel", "doctor"].into_iter().chain(settings).collect::<Vec<_>>())
    };
    let endpoint = format!("otlp.endpoint={}", collector.url());
    let good = doctor(&[&endpoint, "otlp.logs=true", "service.name=patient"]);
    let said = String::from_utf8(good.stdout).unwrap();
    assert_eq!((good.status.code(), said.matches(": good").count()), (Some(0), 3), "{said}");
    assert_eq!(collector.received().len(), 3);

    collector.behave(Behaviour::status(401));
    let bad = doctor(&[&endpoint]);
    let said = String::from_utf8(bad.stdout).unwrap();
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        said.contains(": bad") && said.contains("HTTP status 401") && said.contains("otlp.headers"),
        "{said}"
    );

    let off = doctor(&[]);
    assert_eq!(off.status.code(), Some(1));
    assert!(String::from_utf8(off.stderr).unwrap().contains("nothing is exported"));
    assert_eq!(doctor(&["otlp.endpoint=ftp://x"]).status.code(), Some(78));
}

#[test]
fn config_check_refuses_what_the_start_would_refuse() {
    for (settings, field) in [
        ("otlp.endpoint=https://user:word@localhost:4318", "otlp"),
        ("otlp.endpoint=nonsense://", "otlp"),
        ("otlp.headers.a b=c", "otlp.headers"),
        ("health.stall=1ns", "health.stall"),
        ("runtime.workers=100000", "runtime.workers"),
    ] {
        for command in [&["config", "check"][..], &[]] {
            let ports = ["--set", "server.port=0", "--set", "admin.port=0"];
            let refused = output(&[&["--set", settings], command, &ports].concat());
            let errors = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(78), "{settings} {command:?}: {errors}");
            assert!(errors.contains(field), "{settings} {command:?}: {errors}");
        }
    }
    assert_eq!(output(&["config", "check"]).status.code(), Some(0));
}

#[test]
fn config_check_tells_what_a_start_would_warn_of() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "not a configuration").unwrap();
    let checked = output(&["--config", folder.path().to_str().unwrap(), "config", "check"]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(String::from_utf8(checked.stderr).unwrap().contains("notes.txt"));
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let run = Command::new(FIXTURE).args(["config", "show", "--set", "server.port=1"]).stdout(full).output();
    assert_eq!(run.unwrap().status.code(), Some(1));
}
