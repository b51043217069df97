//! The story of the process, from outside: what it says, what its probes say, and its exit code.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::Service;
use prodkit_fakes::{Behaviour, FakeCollector};
use rustix::process::Signal;
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
        ("otlp.endpoint=https://localhost:4318", "otlp"),
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

#[test]
fn service_links_of_kubernetes_are_neither_an_error_nor_a_warning() {
    let (link, folder) = ("tcp://10.0.0.1:80", tempfile::tempdir().unwrap());
    let links: Vec<_> =
        ["APP", "APP__SERVER", "SERVER", "OTEL_COLLECTOR", "OTEL_EXPORTER_OTLP", "LOG", "HTTP"]
            .iter()
            .flat_map(|service| {
                [
                    ("PORT", link),
                    ("PORT_80_TCP_PORT", "80"),
                    ("SERVICE_HOST", "10.0.0.1"),
                    ("SERVICE_PORT", "80"),
                ]
                .map(|(what, value)| (format!("{service}_{what}"), value))
            })
            .chain([("PORT".to_owned(), link)])
            .collect();
    let links: Vec<_> = links.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut service =
        Service::start_with(FIXTURE, folder.path(), &[], &["shutdown.delay=0s"], &links).unwrap();
    ready(&mut service);
    let loud = |line: &&serde_json::Value| line["level"] != "INFO";
    assert_eq!(service.seen().iter().find(loud), None);
}

#[test]
fn a_check_says_nothing_of_what_a_hook_has_closed() {
    let (code, service) =
        terminated("serve, hook-closes-checked", &["health.period=20ms", "health.unhealthy_after=1"]);
    assert_eq!(code, Some(0));
    assert!(!said(&service, "check failing"), "{:#?}", service.seen());
}

#[test]
fn a_probe_does_not_wait_long_behind_those_who_say_nothing() {
    let (mut service, _folder) = start("serve", &[]);
    let admin = ready(&mut service).1;
    let mut silent = std::net::TcpStream::connect(admin).unwrap();
    silent.set_read_timeout(Some(std::time::Duration::from_secs(8))).unwrap();
    assert_eq!(
        std::io::Read::read(&mut silent, &mut [0]).unwrap(),
        0,
        "closed long before the default of 10 s"
    );
}

#[test]
fn a_supervised_task_is_started_again() {
    let (mut service, _folder) = start("task-recovers", &[]);
    assert!(service.line("recovered").is_some(), "{:#?}", service.seen());
}

#[test]
fn a_request_in_flight_is_finished() {
    let (mut service, _folder) = start("serve", &[]);
    let main = ready(&mut service).0.unwrap();
    let request = std::thread::spawn(move || get(main, "/slow").unwrap());
    service.line("slow request").unwrap();
    service.signal(Signal::TERM).unwrap();
    let answer = request.join().unwrap();
    assert_eq!((answer.status, answer.text()), (200, "at last".to_owned()));
    assert_eq!(service.wait().unwrap().code(), Some(0));
}

#[test]
fn readiness_follows_critical_checks_and_not_optional_ones() {
    for (ways, status, word) in [
        ("serve, check-fails", 503, "not_ready"),
        ("serve, check-panics", 503, "not_ready"),
        ("serve, optional-check-fails", 200, "degraded"),
    ] {
        let (mut service, _folder) = start(ways, &["health.unhealthy_after=1"]);
        let admin = service.started().unwrap().1;
        service.line("check failing").unwrap_or_else(|| panic!("{:#?}", service.seen()));
        let answer = get(admin, "/health/ready").unwrap();
        assert_eq!(answer.status, status, "{ways}: {}", answer.text());
        assert!(answer.text().contains(word), "{ways}: {}", answer.text());
        assert_eq!(get(admin, "/health/live").unwrap().status, 200, "{ways}");
    }
}

#[test]
fn a_panic_in_a_handler_is_a_500_with_its_trace_and_a_line_with_the_same() {
    let (mut service, _folder) = start("serve", &[]);
    let main = ready(&mut service).0.unwrap();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let header = format!("00-{trace}-b7ad6b7169203331-01");
    let answer =
        Connection::open(main).unwrap().request("GET", "/panic", &[("traceparent", &header)], b"").unwrap();
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains(trace) && !answer.text().contains("fell over"), "{}", answer.text());
    let line =
        service.seen_or_next(|line| line["level"] == "ERROR" && line.to_string().contains("fell over"));
    assert_eq!(line.unwrap()["trace_id"], trace);
    assert_eq!(get(main, "/").unwrap().status, 200, "and it goes on serving");
}

#[test]
fn liveness_fails_while_no_worker_makes_progress_and_recovers() {
    let (mut service, _folder) = start("serve", &["runtime.workers=1", "health.stall=1s"]);
    let (main, admin) = ready(&mut service);
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    let blocked = std::thread::spawn(move || get(main.unwrap(), "/block").unwrap().status);
    service.line("main runtime stalled").unwrap_or_else(|| panic!("{:#?}", service.seen()));
    let dead = get(admin, "/health/live").unwrap();
    assert_eq!((dead.status, dead.text().contains("dead")), (503, true), "{}", dead.text());
    service.line("main runtime recovered").unwrap_or_else(|| panic!("{:#?}", service.seen()));
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    assert_eq!(blocked.join().unwrap(), 200);
}
