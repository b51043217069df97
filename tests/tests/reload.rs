//! A configuration that changes under the running process, from outside: what it answers, logs, counts and shows.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::Service;
use prodkit_fakes::FakeVolume;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// The fixture with its configuration in a volume, as Kubernetes mounts one.
struct Rig {
    service: Service,
    volume: FakeVolume,
    _folder: TempDir,
    main: SocketAddr,
    admin: SocketAddr,
}

impl Rig {
    fn new(text: &str, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let volume = FakeVolume::new(folder.path().join("volume"));
        volume.write(&[("config.yaml", text)]);
        let file = volume.path("config.yaml");
        let arguments = ["--config", file.to_str().unwrap()];
        let settings: Vec<_> = settings.iter().copied().chain(["shutdown.delay=0s"]).collect();
        let mut service = Service::start_with(FIXTURE, folder.path(), &arguments, &settings, &[]).unwrap();
        let Some((Some(main), admin)) = service.ready() else { panic!("never ready: {:#?}", service.seen()) };
        Self { service, volume, _folder: folder, main, admin }
    }

    /// An update of the volume, and the line that says what became of it.
    fn swap(&mut self, text: &str, message: &str) -> Value {
        assert!(self.volume.write(&[("config.yaml", text)]));
        self.line(message)
    }

    fn line(&mut self, message: &str) -> Value {
        self.service.line(message).unwrap_or_else(|| panic!("no {message:?} in {:#?}", self.service.seen()))
    }

    fn greeting(&self) -> (u16, String) {
        let answer = get(self.main, "/greeting").unwrap();
        (answer.status, answer.text())
    }

    fn shown(&self) -> Value {
        let answer = get(self.admin, "/admin/config").unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn metric(&self, name: &str) -> f64 {
        let text = get(self.admin, "/metrics").unwrap().text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{name}: {text}"))
    }

    /// The state of a check, as the verbose probe has it.
    fn check(&self, name: &str) -> Value {
        let report = get(self.admin, &format!("/health/ready/{name}")).unwrap();
        serde_json::from_slice(&report.body).unwrap()
    }
}

const TAKEN: &str = "configuration reloaded";
const REFUSED: &str = "new configuration refused, the last good one stays";

#[test]
fn a_swap_moves_what_moves_and_names_what_waits() {
    let mut rig = Rig::new("greeting: one\nfixed: a\n", &[]);
    assert_eq!(rig.greeting(), (200, "one".to_owned()));
    let before = rig.shown();
    assert_eq!(
        (&before["generation"], &before["last_error"], &before["pending"]),
        (&json!(0), &Value::Null, &json!([]))
    );
    assert_eq!(before["values"]["greeting"]["value"], "one");
    let source = before["values"]["greeting"]["source"].as_str().unwrap();
    assert!(source.ends_with("config.yaml:1:11"), "{source}");

    let line = rig.swap("greeting: two\nfixed: b\nlog: {level: debug}\n", TAKEN);
    assert_eq!((&line["generation"], &line["moved"]), (&json!(1), &json!("greeting log.level")));
    assert_eq!(rig.greeting(), (200, "two".to_owned()));
    let after = rig.shown();
    assert_eq!((&after["generation"], &after["pending"]), (&json!(1), &json!(["fixed"])));
    assert_ne!(after["hash"], before["hash"]);
    assert_eq!(rig.metric("prodkit_config_generation"), 1.0);
    assert_eq!(rig.metric("prodkit_config_restart_pending"), 1.0);
    // Seen from outside: debug lines come now.
    rig.swap("greeting: two # again\nfixed: b\nlog: {level: debug}\n", "the configuration says nothing new");
    assert_eq!(rig.metric("prodkit_config_generation"), 1.0);

    // Back to what it was started with, the level to its default.
    rig.swap("greeting: one\nfixed: a\n", TAKEN);
    let back = rig.shown();
    assert_eq!((&back["hash"], &back["pending"]), (&before["hash"], &json!([])));
}

#[test]
fn a_broken_file_changes_nothing_and_is_told() {
    let mut rig = Rig::new("greeting: one\n", &[]);
    let line = rig.swap("greeting: two\nlog: {level: inof}\nshutdown: {flush: x}\n", REFUSED);
    let told = line["error"].as_str().unwrap();
    assert!(
        told.contains("config.yaml:2:14: log.level: ") && told.contains("config.yaml:3:19: shutdown.flush: "),
        "{told}"
    );
    assert_eq!(rig.greeting().1, "one");
    let shown = rig.shown();
    assert_eq!((&shown["generation"], &shown["last_error"]), (&json!(0), &line["error"]));
    assert_eq!(rig.metric("prodkit_config_last_reload_successful"), 0.0);
    assert_eq!(rig.check("config")["status"], "failing");
    assert_eq!(get(rig.admin, "/health/ready").unwrap().status, 200, "it only degrades");

    rig.swap("greeting: two\n", TAKEN);
    assert_eq!((rig.greeting().1.as_str(), &rig.shown()["last_error"]), ("two", &Value::Null));
    assert_eq!(rig.metric("prodkit_config_last_reload_successful"), 1.0);
    assert_eq!(rig.check("config")["status"], "healthy");
}

#[test]
fn what_follows_from_a_value_may_refuse_it() {
    let mut rig = Rig::new("greeting: one\n", &[]);
    let line = rig.swap("greeting: refused\nlog: {level: debug}\n", REFUSED);
    assert!(line["error"].as_str().unwrap().ends_with(": that is no greeting"), "{line}");
    assert_eq!(rig.greeting().1, "one");
    assert_eq!(rig.shown()["values"]["log.level"], Value::Null);
}

#[test]
fn a_hangup_asks_for_a_look_and_nothing_else() {
    let mut rig = Rig::new("log: {level: debug}\n", &[]);
    rig.service.signal(Signal::HUP).unwrap();
    rig.line("the configuration says nothing new");
    assert_eq!(rig.greeting().1, "hello");
}

#[test]
fn reload_can_be_turned_off() {
    let mut rig = Rig::new("greeting: one\nconfig: {reload: false, poll: 10ms}\n", &[]);
    rig.volume.write(&[("config.yaml", "greeting: two\n")]);
    rig.service.signal(Signal::HUP).unwrap();
    rig.line("looking at the configuration");
    rig.service.signal(Signal::TERM).unwrap();
    assert_eq!(rig.service.wait().unwrap().code(), Some(0));
    assert!(!rig.service.seen().iter().any(|line| line["msg"] == TAKEN));
}

#[test]
fn secrets_are_not_shown() {
    let rig = Rig::new("admin: {token: hunter2}\ngreeting: http://u:hunter2@db/\n", &[]);
    assert_eq!(get(rig.admin, "/admin/config").unwrap().status, 401);
    let headers = [("authorization", "Bearer hunter2")];
    let answer = Connection::open(rig.admin).unwrap().request("GET", "/admin/config", &headers, b"").unwrap();
    let text = answer.text();
    assert!(answer.status == 200 && text.contains("admin.token") && !text.contains("hunter2"), "{text}");
}

#[test]
fn nobody_reads_it_who_is_not_meant_to() {
    let get_with = |rig: &Rig, method: &str, headers: &[(&str, &str)]| {
        let answer = Connection::open(rig.admin).unwrap().request(method, "/admin/config", headers, b"");
        answer.unwrap().status
    };
    let local = Rig::new("greeting: one\n", &[]);
    assert_eq!(get_with(&local, "GET", &[]), 200);
    assert_eq!(get_with(&local, "GET", &[("origin", "http://evil.example")]), 403);
    assert_eq!(get_with(&local, "POST", &[]), 405);
    let open = Rig::new("greeting: one\n", &["admin.host=0.0.0.0"]);
    assert_eq!(get_with(&open, "GET", &[]), 403);
    assert_eq!(get_with(&Rig::new("admin: {public: true}\n", &["admin.host=0.0.0.0"]), "GET", &[]), 200);
}

#[test]
fn a_configuration_that_makes_things_worse_is_taken_back() {
    let mut rig = Rig::new("greeting: one\n", &["config.soak=60s"]);
    let load = |rig: &Rig, status: u16| {
        let mut connection = Connection::open(rig.main).unwrap();
        // As many as make a judgement: the next one may be answered by what is back.
        for _ in 0..50 {
            assert_eq!(connection.request("GET", "/greeting", &[], b"").unwrap().status, status);
        }
    };
    load(&rig, 200);
    let good = rig.shown()["hash"].clone();
    let bad = rig.swap("greeting: broken\n", TAKEN)["hash"].clone();
    load(&rig, 500);
    let line = rig.line("configuration taken back: it made things worse");
    assert_eq!((&line["from"], &line["to"]), (&bad, &good));
    assert!(line["reason"].as_str().unwrap().contains("50 of 50 requests failed"), "{line}");
    assert_eq!(rig.greeting(), (200, "one".to_owned()));
    // The same text is not tried again; another is.
    rig.service.signal(Signal::HUP).unwrap();
    rig.swap("greeting: three\n", TAKEN);
    assert_eq!(rig.greeting().1, "three");
}

#[test]
fn a_check_that_turns_bad_takes_a_configuration_back() {
    let settings = ["config.soak=60s", "health.period=100ms", "health.unhealthy_after=1"];
    let mut rig = Rig::new("greeting: one\n", &settings);
    rig.swap("greeting: sick\n", TAKEN);
    let line = rig.line("configuration taken back: it made things worse");
    assert_eq!(line["reason"], "the check greeting turned bad");
    assert_eq!(rig.greeting().1, "one");
}
