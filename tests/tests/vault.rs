//! A service whose secrets are in Vault, from the start that waits for it to the end that gives everything back.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::get;
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_fakes::{Behaviour, Condition, FakeVault, Terms};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const REFERENCE: &str = "vault:secret/data/app#password";
/// In every secret.
const CANARY: &str = "canary7f3e";

struct Rig {
    vault: FakeVault,
    folder: TempDir,
}

impl Rig {
    /// A Vault with a secret, in which a service logs in as an AppRole.
    fn new() -> Self {
        let vault = FakeVault::start();
        vault.write("secret/data/app", json!({"data": {"password": CANARY}}));
        vault.approle("approle", "orders", &format!("{CANARY}-id"), Terms::ttl(Duration::from_secs(3_600)));
        Self { vault, folder: tempfile::tempdir().unwrap() }
    }

    fn settings(&self, secret: &str, more: &[&str]) -> Vec<String> {
        let mut settings = vec![
            format!("secret={secret}"),
            format!("secrets.vault.address={}", self.vault.url()),
            "secrets.vault.auth=approle".to_owned(),
            "secrets.vault.role_id=orders".to_owned(),
            "secrets.vault.secret_id=env:SECRET_ID".to_owned(),
            "shutdown.delay=0s".to_owned(),
        ];
        settings.extend(more.iter().map(|setting| (*setting).to_owned()));
        settings
    }

    fn start(&self, secret: &str, more: &[&str]) -> Service {
        let settings = self.settings(secret, more);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let env = [("SECRET_ID", "canary7f3e-id")];
        Service::start(FIXTURE, self.folder.path(), &settings, &env).unwrap()
    }

    /// One that does not start; what it says.
    fn refused(&self, more: &[&str]) -> String {
        let mut service = self.start(REFERENCE, more);
        assert_eq!(service.wait().unwrap().code(), Some(78), "{:#?}", service.seen());
        let said = Value::from(service.seen().to_vec()).to_string();
        assert!(!said.contains(CANARY), "{said}");
        said
    }
}

fn ready(service: &mut Service) -> (SocketAddr, SocketAddr) {
    let (main, admin) = service.ready().unwrap_or_else(|| panic!("never ready: {:#?}", service.seen()));
    (main.unwrap(), admin)
}

fn length(main: SocketAddr) -> String {
    get(main, "/secret").unwrap().text()
}

/// The state of the check of the secrets.
fn check(admin: SocketAddr) -> String {
    let report: Value = serde_json::from_slice(&get(admin, "/health/ready/secrets").unwrap().body).unwrap();
    report["status"].as_str().unwrap_or_default().to_owned()
}

fn within(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

fn end(service: &mut Service) {
    service.signal(Signal::TERM).unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{:#?}", service.seen());
    let said = Value::from(service.seen().to_vec()).to_string();
    assert!(!said.contains(CANARY), "{said}");
}

#[test]
fn the_start_waits_for_vault_and_is_not_ready_meanwhile() {
    let rig = Rig::new();
    rig.vault.condition(Condition::Sealed);
    let mut service = rig.start(REFERENCE, &["secrets.start_timeout=1m"]);
    let waiting = service.line("waiting for secrets").unwrap();
    assert!(
        waiting["missing"].as_str().unwrap().contains("secret (vault:secret/data/app#password): "),
        "{waiting}"
    );
    assert!(waiting["missing"].as_str().unwrap().contains("sealed"), "{waiting}");
    let starting = service.seen().iter().find(|line| line["msg"] == "starting").unwrap();
    let admin = starting["admin"].as_str().unwrap().parse().unwrap();
    let probe = get(admin, "/health/startup").unwrap();
    assert_eq!(probe.status, 503);
    assert!(get(admin, "/health/startup?verbose").unwrap().text().contains("secrets"), "{}", probe.text());
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    rig.vault.condition(Condition::Active);
    let (main, _) = ready(&mut service);
    assert_eq!(length(main), CANARY.len().to_string());
    end(&mut service);
}

#[test]
fn a_signal_ends_the_wait() {
    let rig = Rig::new();
    rig.vault.behave(Behaviour::Hang);
    let mut service = rig.start(REFERENCE, &["secrets.start_timeout=1h"]);
    let starting = service.line("starting").unwrap();
    let admin = starting["admin"].as_str().unwrap().parse().unwrap();
    within("asked", || rig.vault.requests() > 0);
    assert_eq!(get(admin, "/health/live").unwrap().status, 200);
    end(&mut service);
}

#[test]
fn a_vault_that_stays_away_ends_the_start_with_78_and_the_names_of_all_that_is_missing() {
    let rig = Rig::new();
    let more = ["secrets.start_timeout=500ms", "hidden.key=vault:kv/payments#key"];
    type Away = fn(&FakeVault);
    let conditions: [(Away, &str); 4] = [
        (|vault| vault.behave(Behaviour::Refuse), "no connection"),
        (|vault| vault.condition(Condition::Sealed), "Vault is sealed"),
        (|vault| vault.behave(Behaviour::status(429)), "429"),
        (|vault| vault.behave(Behaviour::Reset), "Vault is away"),
    ];
    for (away, why) in conditions {
        rig.vault.behave(Behaviour::Answer);
        rig.vault.condition(Condition::Active);
        away(&rig.vault);
        let said = rig.refused(&more);
        for expected in [
            "hidden.key (vault:kv/payments#key)",
            "secret (vault:secret/data/app#password)",
            &format!("the Vault at {} (secrets.vault.address)", rig.vault.url()),
            why,
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
    // what does not get better by waiting is not waited for
    rig.vault.behave(Behaviour::Answer);
    let before = Instant::now();
    let said = rig.refused(&["hidden.key=vault:kv/payments#key", "secrets.start_timeout=1h"]);
    assert!(said.contains("hidden.key (vault:kv/payments#key)"), "{said}");
    assert!(before.elapsed() < DEADLINE);
}

#[test]
fn without_its_secrets_it_starts_degraded_and_fills_in_when_vault_comes() {
    let rig = Rig::new();
    rig.vault.behave(Behaviour::Refuse);
    let mut service = rig.start(REFERENCE, &["secrets.required=false", "secrets.start_timeout=200ms"]);
    let (main, admin) = service.started().unwrap();
    let main = main.unwrap();
    service.line("degraded").unwrap();
    assert_eq!((length(main).as_str(), check(admin).as_str()), ("0", "failing"));
    assert_eq!(get(admin, "/health/ready").unwrap().status, 200);
    rig.vault.behave(Behaviour::Answer);
    service.line("secrets replaced").unwrap();
    assert_eq!(length(main), CANARY.len().to_string());
    within("healthy", || check(admin) == "healthy");
    end(&mut service);
    assert_eq!(rig.vault.tokens(), 0);
}

#[test]
fn a_short_lease_is_renewed_and_its_successor_reaches_the_service() {
    let rig = Rig::new();
    let terms = Terms::ttl(Duration::from_secs(2)).max_ttl(Duration::from_secs(4));
    rig.vault.dynamic("database/creds/app", terms);
    let mut service = rig.start("vault:database/creds/app#password", &[]);
    let (main, admin) = ready(&mut service);
    let first = rig.vault.leases();
    assert_eq!(first.len(), 1);
    for _ in 0..2 {
        let Some(moved) = service.line("secrets replaced") else {
            panic!("{:#?} {:#?}", rig.vault.counts(), service.seen());
        };
        assert_eq!(moved["secrets"], "secret", "{moved}");
        assert_ne!(length(main), "0");
    }
    assert!(rig.vault.count("sys/leases/renew") > 0, "{:?}", rig.vault.counts());
    assert!(!rig.vault.leases().contains(&first[0]));
    assert_eq!(check(admin), "healthy");
    end(&mut service);
}

#[test]
fn the_end_gives_back_the_token_and_its_leases() {
    let rig = Rig::new();
    rig.vault.dynamic("database/creds/app", Terms::ttl(Duration::from_secs(3_600)));
    let mut service = rig.start("vault:database/creds/app#password", &[]);
    ready(&mut service);
    assert_eq!((rig.vault.tokens(), rig.vault.leases().len()), (1, 1));
    end(&mut service);
    assert_eq!((rig.vault.tokens(), rig.vault.leases().len()), (0, 0));

    // and so does a start that fails after it has asked
    let mut service = rig.start("vault:database/creds/app#password", &["ways=app-fails"]);
    assert_eq!(service.wait().unwrap().code(), Some(1));
    assert_eq!((rig.vault.tokens(), rig.vault.leases().len()), (0, 0));

    // a Vault that says nothing keeps nobody from ending
    let mut service = rig.start("vault:database/creds/app#password", &[]);
    ready(&mut service);
    rig.vault.behave(Behaviour::Hang);
    let before = Instant::now();
    end(&mut service);
    assert!(before.elapsed() < Duration::from_secs(15), "{:?}", before.elapsed());
    let told = "secrets that were leased could not be given back in time, and run out by themselves";
    assert!(service.seen().iter().any(|line| line["msg"] == told), "{:#?}", service.seen());
}

#[test]
fn an_outage_changes_nothing_but_the_check() {
    let rig = Rig::new();
    let mut service = rig.start(REFERENCE, &["secrets.vault.refresh=1s"]);
    let (main, admin) = ready(&mut service);
    rig.vault.behave(Behaviour::Refuse);
    within("failing", || check(admin) == "failing");
    assert_eq!((length(main), get(admin, "/health/ready").unwrap().status), (CANARY.len().to_string(), 200));
    rig.vault.behave(Behaviour::Answer);
    rig.vault.write("secret/data/app", json!({"data": {"password": format!("{CANARY}-second")}}));
    service.line("secrets replaced").unwrap();
    within("healthy", || check(admin) == "healthy");
    end(&mut service);
}

#[test]
fn a_header_of_telemetry_cannot_be_in_vault_and_is_told_so() {
    let rig = Rig::new();
    let settings = rig.settings(REFERENCE, &["otlp.headers.authorization=vault:secret/data/app#password"]);
    let mut command = Command::new(FIXTURE);
    command.current_dir(rig.folder.path()).env_clear().env("SECRET_ID", "canary7f3e-id");
    let run = command.args(settings.iter().flat_map(|setting| ["--set", setting])).output().unwrap();
    assert_eq!(run.status.code(), Some(78));
    let said = String::from_utf8([run.stdout, run.stderr].concat()).unwrap();
    assert!(
        said.contains("otlp.headers.authorization (vault:secret/data/app#password): telemetry starts before"),
        "{said}"
    );
    assert!(said.contains("`file:`") && !said.contains(CANARY), "{said}");
    assert_eq!(rig.vault.requests(), 0);
}

#[test]
fn who_may_ask_the_admin_port_is_told_by_vault_too() {
    let rig = Rig::new();
    let mut service = rig.start(REFERENCE, &[&format!("admin.token={REFERENCE}"), "admin.public=false"]);
    let (_, admin) = ready(&mut service);
    let ask = |token: &str| {
        let mut connection = prodkit_e2e::http::Connection::open(admin).unwrap();
        let bearer = format!("Bearer {token}");
        connection.request("GET", "/admin/config", &[("authorization", &bearer)], b"").unwrap()
    };
    let shown = ask(CANARY);
    assert_eq!((shown.status, ask("wrong").status), (200, 401));
    assert!(!shown.text().contains(CANARY), "{}", shown.text());
    end(&mut service);
}
