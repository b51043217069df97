//! Between ready and the end: probes, tasks, requests, and the last words.

use super::{FIXTURE, ended, ready, said, start, terminated};
use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::Service;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
        // a start that is over is told as what it is: not ready, or degraded
        let told = if status == 200 { "degraded" } else { "check failing" };
        let told = |line: &Value| line["msg"] == told;
        service.seen_or_next(told).unwrap_or_else(|| panic!("{:#?}", service.seen()));
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
        assert!(begun.elapsed() < Duration::from_secs(3), "{:#?}", service.seen());
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
fn a_handler_that_blocks_one_worker_of_two_does_not_take_the_other_with_it() {
    let (mut service, _folder) = start("serve", &["runtime.workers=2", "health.stall=1s"]);
    let main = ready(&mut service).0.unwrap();
    // Both connections are there and idle: whoever hears of the request has nothing else to do, and was the one who
    // waited for all.
    let mut connections = [(); 2].map(|()| Connection::open(main).unwrap());
    for connection in &mut connections {
        assert_eq!(connection.request("GET", "/", &[], b"").unwrap().status, 200);
    }
    let [mut blocks, mut other] = connections;
    let blocked = std::thread::spawn(move || blocks.request("GET", "/block", &[], b"").unwrap().status);
    service.line("blocking request").unwrap();
    assert_eq!(other.request("GET", "/", &[], b"").unwrap().status, 200);
    assert!(!blocked.is_finished(), "it waited for the blocked one: {:#?}", service.seen());
    assert_eq!(blocked.join().unwrap(), 200);
    assert!(service.seen().iter().all(|line| line["msg"] != "main runtime stalled"), "{:#?}", service.seen());
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
