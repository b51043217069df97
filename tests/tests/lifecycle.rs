//! The story of the process, from outside: what it says, what its probes say, and its exit code.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_fakes::{Behaviour, FakeCollector};
use rustix::process::Signal;
use serde_json::Value;
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
    silent.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
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
    let (mut service, _folder) = start("serve", &["runtime.workers=2", "health.stall=1s"]);
    let (main, admin) = ready(&mut service);
    let main = main.unwrap();
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    let blocked = [(); 2].map(|()| std::thread::spawn(move || get(main, "/block").unwrap().status));
    for _ in &blocked {
        service.line("blocking request").unwrap();
    }
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let dead = loop {
        let asked = Instant::now();
        let answer = get(admin, "/health/live").unwrap();
        slowest = slowest.max(asked.elapsed());
        if answer.status != 200 {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "the stall time is one second");
    };
    assert_eq!((dead.status, dead.text().contains("dead")), (503, true), "{}", dead.text());
    assert!(
        slowest < Duration::from_secs(1),
        "it answers at once all the while, the slowest took {slowest:?}"
    );
    let why = get(admin, "/health/live?verbose").unwrap().text();
    assert!(why.contains("main-runtime: no progress for 1."), "{why}");
    service.line("main runtime recovered").unwrap_or_else(|| panic!("{:#?}", service.seen()));
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    assert_eq!(blocked.map(|blocked| blocked.join().unwrap()), [200, 200]);
    let stalls = service.seen().iter().filter(|line| line["msg"] == "main runtime stalled").count();
    assert_eq!(stalls, 1, "{:#?}", service.seen());
}

#[test]
fn a_task_that_falls_silent_is_named_and_fails_liveness_until_it_beats_again() {
    let (mut service, folder) = start("serve, task-beats", &[]);
    let admin = ready(&mut service).1;
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    fs::write(folder.path().join("silent"), "").unwrap();
    assert_eq!(service.line("task stalled").unwrap()["task"], "beating");
    let dead = get(admin, "/health/live?verbose").unwrap();
    assert_eq!(dead.status, 503);
    assert!(dead.text().contains("beating: no heartbeat for 1."), "{}", dead.text());
    fs::remove_file(folder.path().join("silent")).unwrap();
    service.line("task recovered").unwrap_or_else(|| panic!("{:#?}", service.seen()));
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
}

#[test]
fn the_startup_body_names_what_is_waited_for_and_why() {
    let (mut service, folder) = start("waits-for-redis, serve", &[]);
    service.line("waiting for a dependency").unwrap();
    // The admin port is up before the app is; its address is in the first line of all.
    let admin = service.seen().iter().find_map(|line| line["admin"].as_str()).unwrap().parse().unwrap();
    let startup = get(admin, "/health/startup?verbose").unwrap();
    assert_eq!(startup.status, 503);
    let body: Value = serde_json::from_slice(&startup.body).unwrap();
    assert_eq!(body["status"], "initializing");
    let redis =
        body["pending"].as_array().unwrap().iter().find(|pending| pending["name"] == "redis").unwrap();
    assert!(redis["for_ms"].is_u64() && redis["reason"].as_str().unwrap().contains("No such file"), "{body}");
    fs::write(folder.path().join("redis"), "").unwrap();
    ready(&mut service);
    assert_eq!(get(admin, "/health/startup").unwrap().status, 200);
}

#[test]
fn a_signal_while_something_still_starts_runs_the_hooks_in_reverse() {
    let (mut service, _folder) = start("hooks-speak, holds, serve", &[]);
    let admin = service.started().unwrap().1;
    assert_eq!(get(admin, "/health/startup").unwrap().status, 503);
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
    let lines = service
        .seen()
        .iter()
        .filter(|line| ["hook", "cold still"].contains(&line["msg"].as_str().unwrap_or_default()));
    let ends: Vec<_> = lines.map(|line| line["name"].as_str().unwrap_or("task")).collect();
    assert_eq!(ends, ["task", "last-declared", "first-declared"]);
}

#[test]
fn a_job_runs_once_and_its_end_is_that_of_the_process() {
    let (code, service) = ended("job", &[]);
    assert_eq!(code, Some(0), "{:#?}", service.seen());
    assert!(said(&service, "job done") && said(&service, "requested by the end of once"));
    for (way, why) in [("job-fails", "no luck"), ("job-panics", "the job fell over")] {
        let (code, service) = ended(way, &[]);
        assert_eq!(code, Some(1), "{way}: {:#?}", service.seen());
        assert!(said(&service, why), "{way}: {:#?}", service.seen());
    }
    let (code, service) = terminated("job-goes-on", &[]);
    assert_eq!(code, Some(0), "{:#?}", service.seen());
    assert!(said(&service, "job told to stop"));
    let (code, service) = ended("job, job-goes-on", &[]);
    assert_eq!(code, Some(1), "{:#?}", service.seen());
    assert!(said(&service, "two jobs"));
}

#[test]
fn a_plan_that_cannot_fit_is_a_warning_with_its_arithmetic() {
    let folder = tempfile::tempdir().unwrap();
    let period = [("TERMINATION_GRACE_PERIOD_SECONDS", "10")];
    let mut service =
        Service::start(FIXTURE, folder.path(), &["shutdown.grace=20s", "shutdown.delay=0s"], &period)
            .unwrap();
    ready(&mut service);
    assert!(
        said(&service, "grace 20s + margin 3s = 23s, but the termination grace period is 10s"),
        "{:#?}",
        service.seen()
    );
}

/// What brings a service to its end.
type End<'a> = &'a dyn Fn(&mut Service);

#[test]
fn the_last_words_tell_how_it_ended_whatever_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("termination-log");
    let path = format!("shutdown.termination_message_path={}", words.display());
    let settings = ["shutdown.grace=1s", path.as_str()];
    let last = |ways: &str, end: End<'_>| {
        fs::write(&words, "").unwrap();
        let (mut service, _folder) = start(ways, &settings);
        end(&mut service);
        let code = service.wait().unwrap().code();
        (code, fs::read_to_string(&words).unwrap())
    };
    let signal = |service: &mut Service| {
        ready(service);
        service.signal(Signal::TERM).unwrap();
    };
    let twice = |service: &mut Service| {
        signal(service);
        service.line("stopping").unwrap();
        service.signal(Signal::TERM).unwrap();
    };
    let nothing = |_: &mut Service| {};
    let table: [(&str, End<'_>, i32, &str); 6] = [
        ("serve", &signal, 0, "exit 0 (SIGTERM) after "),
        (
            "app-fails",
            &nothing,
            1,
            "exit 1: failed to start: failed to start the app: the app does not want to",
        ),
        ("serve, task-hangs", &twice, 2, "exit 2: second signal, SIGTERM"),
        ("serve, task-hangs", &signal, 3, "; abandoned: hanging"),
        ("serve, hook-blocks", &signal, 3, "exit 3"),
        ("serve, task-fails", &nothing, 4, "exit 4 (task failing failed) after "),
    ];
    for (ways, end, code, text) in table {
        let (exit, said) = last(ways, end);
        assert_eq!(exit, Some(code), "{ways}: {said}");
        assert!(said.contains(text), "{ways}: {said}");
    }
}

#[test]
fn every_address_of_ipv6_answers_both_families() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let (mut service, _folder) = start("serve", &["server.host=::", "admin.host=::"]);
    let (main, admin) = ready(&mut service);
    for port in [main.unwrap().port(), admin.port()] {
        for host in ["127.0.0.1", "::1"] {
            let address = SocketAddr::new(host.parse().unwrap(), port);
            assert_eq!(get(address, "/health/ready").unwrap().status, 200, "{address}");
        }
    }
}

#[test]
fn a_check_has_a_memory() {
    let (mut service, _folder) =
        start("serve, check-handed", &["health.period=10ms", "health.unhealthy_after=1"]);
    let (main, admin) = service.started().unwrap();
    for result in ["good", "bad", "bad"] {
        service.line("checking").unwrap();
        assert_eq!(get(main.unwrap(), &format!("/check/{result}")).unwrap().status, 202);
    }
    service.line("checking").unwrap();
    let check: Value =
        serde_json::from_slice(&get(admin, "/health/ready/handed?verbose").unwrap().body).unwrap();
    assert_eq!(
        (&check["status"], &check["was"], &check["streak"]),
        (&"failing".into(), &"healthy".into(), &2.into())
    );
    assert!(check["p99_ms"].is_u64() && check["since_ms"].is_u64(), "{check}");
    let metrics = get(admin, "/metrics").unwrap().text();
    assert!(metrics.contains("prodkit_check_streak{check=\"handed\"} 2"), "{metrics}");
    for name in ["prodkit_check_p99_seconds", "prodkit_check_last_transition_timestamp_seconds"] {
        assert!(metrics.contains(&format!("{name}{{check=\"handed\"}}")), "{metrics}");
    }
}

/// A datagram socket in the place of systemd: it shows what is sent, not what systemd would make of it.
struct Systemd {
    heard: Receiver<(Instant, String)>,
    environment: String,
    _folder: TempDir,
}

impl Systemd {
    /// Named by a path, or by an abstract name.
    fn start(is_abstract: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let (socket, environment) = if is_abstract {
            let name = format!("prodkit-{}", path.display()).replace('/', "-");
            let address = UnixAddress::from_abstract_name(&name).unwrap();
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
        } else {
            (UnixDatagram::bind(&path).unwrap(), path.display().to_string())
        };
        let (send, heard) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if send.send((Instant::now(), said)).is_err() {
                    break;
                }
            }
        });
        Self { heard, environment, _folder: folder }
    }

    /// The next that begins so.
    fn hear(&self, start: &str) -> String {
        loop {
            let (_, said) = self.heard.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("never {start}"));
            if said.starts_with(start) {
                return said;
            }
        }
    }
}

#[test]
fn systemd_is_told_of_the_start_of_reloads_and_of_the_end() {
    for is_abstract in [false, true] {
        let systemd = Systemd::start(is_abstract);
        let folder = tempfile::tempdir().unwrap();
        let environment = [("NOTIFY_SOCKET", systemd.environment.as_str())];
        let mut service = Service::start(
            FIXTURE,
            folder.path(),
            &["shutdown.grace=20s", "shutdown.delay=0s"],
            &environment,
        )
        .unwrap();
        ready(&mut service);
        systemd.hear("READY=1");
        systemd.hear("STATUS=ready");
        service.signal(Signal::HUP).unwrap();
        let reloading = systemd.hear("RELOADING=1");
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
        systemd.hear("READY=1");
        service.signal(Signal::TERM).unwrap();
        assert_eq!(systemd.hear("STOPPING=1"), "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000");
        assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
    }
}

#[test]
fn a_reload_that_is_turned_off_is_over_at_once() {
    let systemd = Systemd::start(false);
    let folder = tempfile::tempdir().unwrap();
    let environment = [("NOTIFY_SOCKET", systemd.environment.as_str())];
    let mut service = Service::start(FIXTURE, folder.path(), &["config.reload=false"], &environment).unwrap();
    ready(&mut service);
    systemd.hear("READY=1");
    service.signal(Signal::HUP).unwrap();
    systemd.hear("RELOADING=1");
    systemd.hear("READY=1");
}

#[test]
fn the_watchdog_of_systemd_is_fed_by_real_progress() {
    let systemd = Systemd::start(false);
    let folder = tempfile::tempdir().unwrap();
    let environment = [("NOTIFY_SOCKET", systemd.environment.as_str()), ("WATCHDOG_USEC", "100000")];
    let settings = ["runtime.workers=1", "health.stall=500ms"];
    let mut service = Service::start(FIXTURE, folder.path(), &settings, &environment).unwrap();
    let main = ready(&mut service).0.unwrap();
    systemd.hear("WATCHDOG=1");
    systemd.hear("WATCHDOG=1");
    let blocked = std::thread::spawn(move || get(main, "/block").unwrap().status);
    service.line("main runtime stalled").unwrap();
    let stalled = Instant::now();
    service.line("main runtime recovered").unwrap();
    let recovered = Instant::now();
    assert_eq!(blocked.join().unwrap(), 200);
    let mut meanwhile = 0;
    loop {
        let (at, said) = systemd.heard.recv_timeout(DEADLINE).unwrap();
        match said.as_str() {
            "WATCHDOG=1" if at > recovered => break,
            "WATCHDOG=1" if at > stalled => meanwhile += 1,
            _ => {}
        }
    }
    // Nothing but what was on its way.
    assert!(meanwhile <= 2 && recovered - stalled > Duration::from_secs(1), "{meanwhile}");
}

#[test]
fn a_socket_that_nobody_listens_on_is_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    for socket in ["/nowhere/notify", "nonsense"] {
        let environment = [("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "20000")];
        let mut service =
            Service::start(FIXTURE, folder.path(), &["shutdown.delay=0s"], &environment).unwrap();
        ready(&mut service);
        service.signal(Signal::TERM).unwrap();
        assert_eq!(service.wait().unwrap().code(), Some(0));
        let warnings = service
            .seen()
            .iter()
            .filter(|line| line["level"] == "WARN")
            .filter(|line| line.to_string().contains("systemd"));
        assert_eq!(warnings.count(), 1, "{socket}: {:#?}", service.seen());
    }
}
