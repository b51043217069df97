//! A configuration that changes under the running process, from outside: what it answers, logs, counts and shows.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it cannot do"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

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
        Self::under(&[], "volume/config.yaml", text, settings)
    }

    /// The service is run by `command`, which gets the service's own command line behind its own.
    fn under(command: &[&str], file: &str, text: &str, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let volume = FakeVolume::new(folder.path().join("volume"));
        volume.write(&[("config.yaml", text)]);
        let line = [command, &[FIXTURE, "--config", file]].concat();
        let settings: Vec<_> = settings.iter().copied().chain(["shutdown.delay=0s"]).collect();
        // For a shell to find its tools by.
        let env = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
        let mut service = Service::start_with(line[0], folder.path(), &line[1..], &settings, &env).unwrap();
        let Some((Some(main), admin)) = service.ready() else { panic!("never ready: {:#?}", service.seen()) };
        Self { service, volume, _folder: folder, main, admin }
    }

    /// In namespaces of its own, after this script. `None` where nobody may have such.
    fn alone(script: &str, file: &str, text: &str, settings: &[&str]) -> Option<Self> {
        let own = ["unshare", "--user", "--map-root-user", "--mount"];
        let able = Command::new(own[0]).args(&own[1..]).arg("true").output();
        if !able.is_ok_and(|output| output.status.success()) {
            println!("not run: it needs unprivileged user namespaces");
            return None;
        }
        // One process all the way, which a test ends by its pid.
        let script = format!("{script} && exec \"$@\"");
        Some(Self::under(&[&own[..], &["sh", "-c", &script, "sh"]].concat(), file, text, settings))
    }

    fn count(&self, message: &str) -> usize {
        self.service
            .seen()
            .iter()
            .filter(|line| line["msg"].as_str().is_some_and(|msg| msg.starts_with(message)))
            .count()
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
    assert!(rig.metric("prodkit_config_reloads_total{result=\"refused\"}") >= 1.0);
    let loaded = rig.metric("prodkit_config_loaded_timestamp_seconds");
    assert_eq!(rig.check("config")["status"], "failing");
    assert_eq!(get(rig.admin, "/health/ready").unwrap().status, 200, "it only degrades");

    rig.swap("greeting: two\n", TAKEN);
    assert_eq!((rig.greeting().1.as_str(), &rig.shown()["last_error"]), ("two", &Value::Null));
    assert_eq!(rig.metric("prodkit_config_last_reload_successful"), 1.0);
    assert_eq!(rig.metric("prodkit_config_reloads_total{result=\"committed\"}"), 1.0);
    assert!(rig.metric("prodkit_config_loaded_timestamp_seconds") > loaded);
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

/// Each field, through a start, a commit, a refusal and the next commit.
#[test]
fn what_is_shown_is_complete_and_of_the_promised_form() {
    let mut rig = Rig::new("greeting: one\nfixed: a\n", &[]);
    let start = rig.shown();
    let first = well_formed(&start, 0, &json!([]));
    assert_eq!(start["last_error"], Value::Null);
    assert_eq!(start["values"]["shutdown.delay"], json!({"value": "0s", "source": "--set shutdown.delay"}));

    rig.swap("greeting: two\nfixed: b\nservice: {namespace: n}\n", TAKEN);
    let taken = rig.shown();
    let second = well_formed(&taken, 1, &json!(["fixed", "service"]));
    assert!(second > first && taken["last_error"].is_null());

    rig.swap("greeting: [\n", REFUSED);
    let refused = rig.shown();
    assert_eq!(well_formed(&refused, 1, &json!(["fixed", "service"])), second);
    let error = refused["last_error"].as_str().unwrap();
    assert!(error.contains("config.yaml:1:11: "), "file and line: {error}");
    assert_eq!((&refused["hash"], &refused["values"]), (&taken["hash"], &taken["values"]));

    rig.swap("greeting: three\nfixed: a\n", TAKEN);
    let repaired = rig.shown();
    well_formed(&repaired, 2, &json!([]));
    assert_eq!(repaired["last_error"], Value::Null);
}

/// The moment it was loaded at, which sorts as text.
fn well_formed(shown: &Value, generation: u64, pending: &Value) -> String {
    let names: BTreeSet<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        BTreeSet::from(["generation", "hash", "loaded_at", "last_error", "pending", "secrets", "values"])
    );
    assert_eq!((&shown["generation"], &shown["pending"]), (&json!(generation), pending));
    let hash = shown["hash"].as_str().unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    for (path, value) in shown["values"].as_object().unwrap() {
        let said: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(said, BTreeSet::from(["value", "source"]), "{path}");
        assert!(value["source"].as_str().is_some_and(|source| !source.is_empty()), "{path}");
    }
    let loaded_at = shown["loaded_at"].as_str().unwrap();
    assert!(loaded_at.len() == "2026-01-01T00:00:00.000Z".len() && loaded_at.ends_with('Z'), "{loaded_at}");
    loaded_at.to_owned()
}

/// By its key, by its type alone, as a password of a URL, where an alias repeats it, and in what is wrong.
#[test]
fn nothing_secret_is_shown_whatever_makes_it_one() {
    let text = "greeting: &one http://user:hunter2@db/orders\nmotto: &two hunter2\n\
                notes: {a: *two, password: hunter2, url: 'amqp://hunter2:hunter2@mq', again: *one}\n";
    let mut rig = Rig::new(text, &[]);
    let start = rig.shown();
    for path in ["greeting", "motto", "notes.a", "notes.password", "notes.url", "notes.again"] {
        assert!(start["values"][path]["value"].as_str().unwrap().contains("***"), "{path}: {start}");
    }
    let line = rig.swap(&text.replace("notes: {", "notes: {b: *two, c: [*two], "), REFUSED);
    let refused = rig.shown();
    assert_eq!(refused["last_error"], line["error"]);
    assert!(line["error"].as_str().unwrap().contains("notes.c: expected "), "{line}");
    rig.swap(&text.replace("motto: &two hunter2", "motto: &two hunter22"), TAKEN);
    let taken = rig.shown();
    assert_eq!(taken["generation"], 1);
    assert_eq!(taken["hash"], start["hash"], "a hash that tells secrets apart tells of them");
    let verbose = get(rig.admin, "/health/ready?verbose").unwrap().text();
    for text in [start.to_string(), refused.to_string(), taken.to_string(), line.to_string(), verbose] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    // But for what the app itself says of its own plain fields.
    let told = rig.service.seen().iter().filter(|line| line["msg"] != "made");
    assert!(!told.map(ToString::to_string).collect::<String>().contains("hunter2"));
}

const BLIND: &str = "changes cannot be seen: it is mounted by itself (subPath)";
const POLLING: &str = "files are polled";

#[test]
fn a_file_mounted_by_sub_path_is_told_at_start() {
    // The file of this moment and no other: what kubelet mounts for a subPath.
    let script = "touch mounted.yaml && mount --bind \"$(readlink -f volume/config.yaml)\" mounted.yaml";
    let text = "greeting: one\n";
    let Some(mut mounted) = Rig::alone(script, "mounted.yaml", text, &["log.level=debug"]) else { return };
    mounted.volume.write(&[("config.yaml", "greeting: two\n")]);
    mounted.service.signal(Signal::HUP).unwrap();
    mounted.line("the configuration says nothing new");
    assert_eq!(mounted.greeting().1, "one");
    assert_eq!(mounted.count(BLIND), 1, "{:#?}", mounted.service.seen());

    let Some(mut whole) = Rig::alone(script, "volume/config.yaml", text, &[]) else { return };
    whole.swap("greeting: two\n", TAKEN);
    assert_eq!(whole.count(BLIND), 0);
}

#[test]
fn without_inotify_it_polls_and_warns_once() {
    let script = "echo 0 > /proc/sys/user/max_inotify_instances";
    let Some(mut rig) = Rig::alone(script, "volume/config.yaml", "greeting: 0\n", &["config.poll=50ms"])
    else {
        return;
    };
    for n in 1..=5 {
        rig.swap(&format!("greeting: {n}\n"), TAKEN);
        assert_eq!(rig.greeting().1, n.to_string());
    }
    assert_eq!(rig.count(POLLING), 1, "{:#?}", rig.service.seen());

    // The watch of the default settings is older than the log.
    let Some(mut rig) = Rig::alone(script, "volume/config.yaml", "greeting: 0\n", &["log.level=debug"])
    else {
        return;
    };
    rig.service.signal(Signal::HUP).unwrap();
    rig.line("the configuration says nothing new");
    assert_eq!(rig.count(POLLING), 1, "{:#?}", rig.service.seen());
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
