//! No sink of the process shows a secret, whatever goes wrong. Each is first shown to be searched: a mark that is planted
//! beside the secrets is found in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::Service;
use prodkit_fakes::FakeCollector;
use rustix::process::Signal;
use serde_json::Value;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// In every secret.
const CANARY: &str = "canary7f3e";
/// In what is no secret, and has to be seen.
const MARK: &str = "marker91c2";

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

/// The sink is searched, and holds no secret.
fn clean(sink: &str, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    let shown = || String::from_utf8_lossy(text);
    assert!(holds(text, MARK), "{sink} is not searched: {}", shown());
    assert!(!holds(text, CANARY), "{sink} shows a secret: {}", shown());
}

/// A file that only its owner can read.
fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::rename(new, path).unwrap();
}

fn binary(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(FIXTURE);
    command.current_dir(folder).env_clear().envs(env.iter().copied()).args(arguments);
    command
}

#[test]
fn no_sink_of_a_running_service_shows_a_secret() {
    let collector = FakeCollector::start();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join(format!("{MARK}.txt"));
    write(&secret, &format!("{CANARY}-file\n"));
    let config = folder.path().join("config.yaml");
    write(
        &config,
        &format!(
            "fixed: {MARK}
secret: file:{}
hidden:
  written: {CANARY}-written
  variable: env:CANARY
  list: [env:NONE, {CANARY}-list]
  url: postgres://user:{CANARY}-url@host/database
admin: {{token: {CANARY}-token}}
otlp:
  endpoint: http://{}
  logs: true
  sampling_ratio: 1
  headers: {{authorization: {CANARY}-header}}
log: {{level: debug}}
",
            secret.display(),
            collector.addr()
        ),
    );
    let env = [("CANARY", "canary7f3e-variable")];

    let shown = binary(folder.path(), &["config", "show", "--config", "config.yaml"], &env).output().unwrap();
    clean("config show", &shown.stdout);
    assert!(shown.status.success() && !holds(&shown.stderr, CANARY));

    let arguments = ["--config", "config.yaml"];
    let settings = ["shutdown.delay=0s", "health.period=50ms"];
    let mut service = Service::start_with(FIXTURE, folder.path(), &arguments, &settings, &env).unwrap();
    let (main, admin) = service.ready().unwrap();
    let main = main.unwrap();
    let bearer = [("authorization", "Bearer canary7f3e-token")];
    let read = |path: &str| {
        let answer = Connection::open(admin).unwrap().request("GET", path, &bearer, b"").unwrap();
        assert!(matches!(answer.status, 200 | 503), "{path}: {}", answer.status);
        answer.body
    };
    assert_eq!(get(main, "/secret").unwrap().text(), (CANARY.len() + 5).to_string());
    get(main, &format!("/count/{MARK}")).unwrap();
    get(main, "/panic").unwrap();
    let panicked = service.seen_or_next(|line| line.to_string().contains("fell over")).unwrap();
    assert!(panicked.to_string().contains("***"), "{panicked}");
    clean("GET /admin/config", read("/admin/config"));

    // refused by somebody who quotes it
    write(&secret, &format!("{CANARY}-refused\n"));
    let refused = service.line("new secrets refused, the last good ones stay").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("*** is refused"), "{refused}");
    clean("GET /admin/config, refused", read("/admin/config"));
    clean("/health/ready?verbose, refused", read("/health/ready?verbose"));
    // taken
    write(&secret, &format!("{CANARY}-second\n"));
    service.line("secrets replaced").unwrap();
    assert_eq!(get(main, "/secret").unwrap().text(), (CANARY.len() + 7).to_string());
    // gone
    fs::remove_file(&secret).unwrap();
    service.line("a secret cannot be kept current").unwrap();
    clean("GET /admin/config, failing", read("/admin/config"));
    clean("/health/ready?verbose, failing", read("/health/ready?verbose"));
    clean("/metrics", read("/metrics"));
    // refused as a part of a configuration
    let text = fs::read_to_string(&config).unwrap();
    let place = format!("secret: file:{}", secret.display());
    write(&config, &text.replace(&place, &format!("secret: {CANARY}-refused")));
    let refused = service.line("new configuration refused, the last good one stays").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("*** is refused"), "{refused}");
    clean("GET /admin/config, refused configuration", read("/admin/config"));

    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(0));
    clean("the log", Value::from(service.seen().to_vec()).to_string());
    for signal in ["traces", "logs", "metrics"] {
        let sent = collector.received().into_iter().filter(|request| request.path == format!("/v1/{signal}"));
        clean(signal, sent.flat_map(|request| request.body.to_vec()).collect::<Vec<_>>());
    }
    assert!(
        collector.received().iter().all(|request| request.headers["authorization"] == "canary7f3e-header")
    );
}

#[test]
fn no_step_of_the_start_that_fails_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{MARK}.txt"));
    write(&file, "canary7f3e-file");
    let latin = folder.path().join(format!("{MARK}.bin"));
    fs::write(&latin, b"canary7f3e\xff").unwrap();
    let large = folder.path().join(format!("{MARK}.large"));
    fs::write(&large, "canary7f3e".repeat(200_000)).unwrap();
    let beside = file.display().to_string();
    let at = |path: &Path| format!("hidden.{MARK}=file:{}", path.display());
    let named = |value: &str| format!("hidden.{MARK}={value}");
    let env: &[(&str, &str)] = &[("MARKER", "canary7f3e-other"), ("MARKER_FILE", &beside)];
    for (setting, said) in [
        (named("env:CANARY_NOT_SET"), "the variable is not set"),
        (named("env:MARKER"), "are both set, and differ"),
        (named("env:canary7f3e in the wrong place"), "takes the name of a variable"),
        (named("vault:canary7f3e"), "takes a path and a field"),
        (named("vault:somewhere#field"), "secrets.vault.address is not set"),
        (at(folder.path()), "no regular file"),
        (at(&folder.path().join("nowhere")), "no such file"),
        (at(&large), "larger than 1 MiB"),
        (format!("admin.token=canary7f3e {MARK}"), "one word of visible ASCII"),
        (format!("secrets.allow_literals=false\nhidden.{MARK}=canary7f3e"), "the secret is written out"),
        (format!("otlp.headers.{MARK}-token=env:NOT_SET"), "the variable is not set"),
        (format!("secre=canary7f3e-{MARK}"), "unknown key"),
        (format!("secret=canary7f3e-refused\nfixed={MARK}"), "*** is refused"),
        (format!("secret=file:{}", latin.display()), "invalid utf-8"),
        (format!("fixed={MARK}\nhidden=canary7f3e"), "hidden: expected a map, found one value"),
        (format!("service.name={MARK}\notlp.headers=canary7f3e"), "headers: expected a map, found one value"),
        (
            format!("service.name={MARK}\nadmin=canary7f3e"),
            "admin: expected a map of keys and values, found one value",
        ),
    ] {
        let mut arguments =
            vec!["--set", "server.port=0", "--set", "admin.port=0", "--set", "admin.host=127.0.0.1"];
        setting.lines().for_each(|setting| arguments.extend(["--set", setting]));
        let run = binary(folder.path(), &arguments, env).output().unwrap();
        assert!(matches!(run.status.code(), Some(1 | 78)), "{setting}: {:?}", run.status);
        let text = [run.stdout, run.stderr].concat();
        let shown = String::from_utf8_lossy(&text);
        assert!(shown.contains(said), "{setting}: {shown}");
        assert!(!shown.contains(CANARY), "{setting}: {shown}");
    }
    // one that looks like a section, in a file
    let config = folder.path().join("config.yaml");
    fs::write(&config, format!("{MARK}: 1\nsecret: {{canary: canary7f3e}}\n")).unwrap();
    let run = binary(folder.path(), &["--config", "config.yaml"], &[]).output().unwrap();
    assert_eq!(run.status.code(), Some(78));
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(text.contains(MARK) && text.contains("secret: expected text, found a map"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
    // and a section that looks like one
    for section in ["hidden", "otlp", "admin", "ways"] {
        fs::write(&config, format!("{MARK}: 1\n{section}: \"canary7f3e\"\n")).unwrap();
        let run = binary(folder.path(), &["--config", "config.yaml"], &[]).output().unwrap();
        assert_eq!(run.status.code(), Some(78));
        let text = String::from_utf8_lossy(&run.stderr);
        assert!(text.contains(&format!("{section}: expected a")) && !text.contains(CANARY), "{text}");
    }
}

#[test]
fn a_file_that_only_its_owner_reads_may_hold_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rendered.yaml");
    fs::write(&config, "hidden: {a: canary7f3e}\n").unwrap();
    for (mode, warned) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&config, fs::Permissions::from_mode(mode)).unwrap();
        let run =
            binary(folder.path(), &["config", "check", "--config", "rendered.yaml"], &[]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(
            said.contains("hidden.a (") && said.contains("rendered.yaml:1:13"),
            warned,
            "{mode:o}: {said}"
        );
        assert!(run.status.success() && !said.contains(CANARY), "{said}");
    }
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "hidden.a=env:NONE",
        "hidden.b=file:/nowhere",
        "secret=env:ALSO_NONE",
        "server.port=0",
        "admin.port=0",
    ];
    let arguments: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let run = binary(folder.path(), &arguments, &[]).output().unwrap();
    assert_eq!(run.status.code(), Some(78));
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    for missing in ["hidden.a (env:NONE)", "hidden.b (file:/nowhere)", "secret (env:ALSO_NONE)"] {
        assert!(said.contains(missing), "{missing}: {said}");
    }
}

#[test]
fn a_reference_that_changes_in_the_file_is_followed_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("one"), "1");
    write(&path("two"), "22");
    let config = path("config.yaml");
    let say = |name: &str| write(&config, &format!("secret: file:{}\n", path(name).display()));
    say("one");
    let mut service = Service::start_with(
        FIXTURE,
        folder.path(),
        &["--config", "config.yaml"],
        &["shutdown.delay=0s"],
        &[],
    )
    .unwrap();
    let main = service.ready().unwrap().0.unwrap();
    let length = || get(main, "/secret").unwrap().text();
    say("none");
    let refused = service.line("new configuration refused, the last good one stays").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("there is no such file"), "{refused}");
    assert_eq!(length(), "1");
    say("two");
    let moved = service.line("configuration reloaded").unwrap();
    assert_eq!((moved["moved"].as_str().unwrap(), length().as_str()), ("secret", "2"));
    // and from then on the new file is the one that is watched
    write(&path("two"), "333");
    service.line("secrets replaced").unwrap();
    assert_eq!(length(), "3");
}
