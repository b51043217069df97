//! The story of the process, from outside: what it says, what its probes say, and its exit code.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod running;
mod systemd;

use prodkit_e2e::process::Service;
use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output};
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// The fixture with these ways to misbehave.
fn start(ways: &str, settings: &[&str]) -> (Service, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings: Vec<_> = settings.iter().copied().chain(["shutdown.delay=0s"]).collect();
    fs::write(folder.path().join("fixture.yaml"), format!("ways: [{ways}]")).unwrap();
    let config = ["--config", "fixture.yaml"];
    let service = Service::start_with(FIXTURE, folder.path(), &config, &settings, &[]).unwrap();
    (service, folder)
}

fn ready(service: &mut Service) -> (Option<SocketAddr>, SocketAddr) {
    service.ready().unwrap_or_else(|| panic!("never ready: {:#?}", service.seen()))
}

/// Runs to the end with SIGTERM once it is ready; the exit code.
fn terminated(ways: &str, settings: &[&str]) -> (Option<i32>, Service) {
    let (mut service, _folder) = start(ways, settings);
    ready(&mut service);
    service.signal(Signal::TERM).unwrap();
    (service.wait().unwrap().code(), service)
}

/// Runs to the end by itself; the exit code.
fn ended(ways: &str, settings: &[&str]) -> (Option<i32>, Service) {
    let (mut service, _folder) = start(ways, settings);
    (service.wait().unwrap().code(), service)
}

fn said(service: &Service, text: &str) -> bool {
    service.seen().iter().any(|line| line.to_string().contains(text))
}

fn output(arguments: &[&str]) -> Output {
    Command::new(FIXTURE).args(arguments).env_clear().output().unwrap()
}

#[test]
fn exit_0_for_a_signal_with_and_without_http() {
    assert_eq!(terminated("serve", &[]).0, Some(0));
    assert_eq!(terminated("", &[]).0, Some(0), "an app that does nothing is a service");
}

#[test]
fn exit_0_for_a_signal_while_starting() {
    let (mut service, _folder) = start("app-hangs", &[]);
    assert!(service.line("starting").is_some());
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
}

#[test]
fn exit_0_when_the_app_itself_asks() {
    let (code, service) = ended("serve, triggers", &[]);
    assert_eq!(code, Some(0), "{:#?}", service.seen());
}

#[test]
fn exit_1_when_the_app_fails_or_panics_or_its_port_is_taken() {
    let (code, service) = ended("app-fails", &[]);
    assert_eq!(code, Some(1));
    assert!(said(&service, "the app does not want to"));

    let (code, service) = ended("app-panics", &[]);
    assert_eq!(code, Some(1));
    assert!(said(&service, "the app fell over"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for port in ["server.port", "admin.port"] {
        let (code, service) = ended("serve", &[&format!("{port}={}", taken.local_addr().unwrap().port())]);
        assert_eq!(code, Some(1), "{:#?}", service.seen());
        assert!(said(&service, "in use"), "{:#?}", service.seen());
    }

    let (code, service) = ended("check-twice", &[]);
    assert_eq!(code, Some(1));
    assert!(said(&service, "twice"));
}

#[test]
fn exit_2_for_a_second_signal() {
    let (mut service, _folder) = start("serve, task-hangs", &["shutdown.grace=60s"]);
    ready(&mut service);
    service.signal(Signal::TERM).unwrap();
    service.line("stopping").unwrap();
    service.signal(Signal::INT).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(2));
}

#[test]
fn exit_3_names_what_was_abandoned() {
    for (way, name) in [("task-hangs", "hanging"), ("hook-hangs", "hanging-hook")] {
        let (code, service) = terminated(&format!("serve, {way}"), &["shutdown.grace=1s"]);
        assert_eq!(code, Some(3), "{way}: {:#?}", service.seen());
        let report = service.seen().iter().rfind(|line| line["msg"] == "stopped").unwrap();
        assert!(report["abandoned"].to_string().contains(name), "{report}");
    }
}

#[test]
fn exit_3_when_user_code_blocks_past_the_deadline() {
    let (code, service) = terminated("serve, hook-blocks", &["shutdown.grace=1s", "runtime.workers=1"]);
    assert_eq!(code, Some(3), "{:#?}", service.seen());

    let (mut service, _folder) = start("app-blocks", &["shutdown.grace=1s"]);
    service.line("blocking").unwrap();
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(3), "{:#?}", service.seen());
}

#[test]
fn exit_3_when_a_request_had_to_be_cut() {
    let (mut service, _folder) = start("serve", &["shutdown.grace=1s", "server.timeout=60s"]);
    let main = ready(&mut service).0.unwrap();
    let mut client = std::net::TcpStream::connect(main).unwrap();
    client.write_all(b"GET /hang HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    service.line("hanging request").unwrap();
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(3), "{:#?}", service.seen());
}

#[test]
fn exit_4_when_a_critical_task_fails() {
    for way in ["task-fails", "task-panics"] {
        let (code, service) = ended(&format!("serve, {way}"), &[]);
        assert_eq!(code, Some(4), "{way}: {:#?}", service.seen());
    }
}

#[test]
fn a_failing_hook_does_not_keep_the_rest_from_stopping() {
    let (code, service) = terminated("hook-fails, serve", &[]);
    assert_eq!(code, Some(0), "{:#?}", service.seen());
    assert!(said(&service, "no luck"));
}

#[test]
fn exit_64_and_78() {
    assert_eq!(output(&["--nonsense"]).status.code(), Some(64));
    let wrong = output(&["--set", "server.port=x", "--set", "nothing=1"]);
    assert_eq!(wrong.status.code(), Some(78));
    let errors = String::from_utf8(wrong.stderr).unwrap();
    assert!(errors.contains("server.port") && errors.contains("nothing"), "{errors}");
}
