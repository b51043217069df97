//! order-service on a real PostgreSQL: started by many at once, refused with its cause, and rotated under load without losing
//! a request.

mod leases;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::load::{Count, Load, ORDER};
use prodkit_e2e::postgres::{Postgres, Tools};
use prodkit_e2e::process::{DEADLINE, Service, order_service};
use prodkit_e2e::tools::{self, Outcome, trial};
use rustix::process::Signal;

/// What order-service may take to let go of sessions of an old credential.
const DRAIN: Duration = Duration::from_secs(1);
const ROTATIONS: u32 = 20;
/// Less proves nothing.
const REQUESTS_A_SECOND: u64 = 200;
const CLIENTS: usize = 8;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let test = |name: &str, test: fn(&Bench) -> Outcome| trial(name, bench, move |bench| test(&bench));
    tools::run(vec![
        test("five_processes_at_once_on_an_empty_database_all_become_ready", five_at_once),
        test("a_server_that_refuses_is_named_with_its_cause", refusals),
        test("one_order_for_one_key_however_many_ask", one_order_for_one_key),
        test("a_new_password_loses_no_request", |bench| rotation(bench, Way::Password)),
        test("a_new_role_loses_no_request", |bench| rotation(bench, Way::Role)),
        test("a_credential_that_vault_leases_loses_no_request", leases::rotation),
        test("a_pool_that_does_not_follow_a_password_loses_requests", |bench| {
            no_rotation(bench, Way::Password)
        }),
        test("a_pool_that_does_not_follow_a_role_loses_requests", |bench| no_rotation(bench, Way::Role)),
    ])
}

/// The binary, and a server of its own.
struct Bench {
    binary: PathBuf,
    server: Postgres,
}

/// What the tests need.
fn bench() -> std::result::Result<Bench, String> {
    let tools = Tools::find()?;
    let binary = order_service(Path::new(env!("CARGO_BIN_EXE_fixture")))?;
    let server = Postgres::start(tools).map_err(|error| error.to_string())?;
    let prepare = || {
        server.sql("postgres", "CREATE ROLE owner NOLOGIN")?;
        server.sql("postgres", "CREATE DATABASE orders OWNER owner")
    };
    prepare().map_err(|error| error.to_string())?;
    Ok(Bench { binary, server })
}

impl Bench {
    fn sql(&self, sql: &str) -> Result<String> {
        self.server.sql("orders", sql)
    }

    /// A login that owns nothing: what it makes belongs to `owner`, as Vault's dynamic roles have it.
    fn role(&self, name: &str, password: &str) -> Result<()> {
        self.sql(&format!("CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE owner"))?;
        self.sql(&format!("ALTER ROLE {name} SET role = 'owner'")).map(drop)
    }

    fn url(&self, role: &str, password: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/orders?sslmode=disable", self.server.port())
    }

    fn settings(&self) -> Vec<String> {
        vec![
            "database.host=127.0.0.1".to_owned(),
            format!("database.port={}", self.server.port()),
            "database.user=app".to_owned(),
            "shutdown.delay=1s".to_owned(),
        ]
    }

    fn start(&self, folder: &Path, settings: &[String], env: &[(&str, &str)]) -> Result<Service> {
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        Ok(Service::start(&self.binary, folder, &settings, env)?)
    }

    /// Sessions whose login is no longer good.
    fn old_sessions(&self, condition: &str) -> Result<u32> {
        Ok(self.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}"))?.parse()?)
    }
}

/// As an agent does it: never half a file.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("new");
    fs::write(&new, format!("{text}\n"))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(new, path)
}

fn five_at_once(bench: &Bench) -> Outcome {
    bench.role("app", "good")?;
    let mut services = Vec::new();
    for _ in 0..5 {
        let folder = tempfile::tempdir()?;
        let service = bench.start(folder.path(), &bench.settings(), &[("DB_PASSWORD", "good")])?;
        services.push((service, folder));
    }
    for (service, _folder) in &mut services {
        let (main, _) = service.ready().ok_or("one is never ready")?;
        let main = main.ok_or("does not serve")?;
        let headers = [("content-type", "application/json")];
        let answer = Connection::open(main)?.request("POST", "/api/orders", &headers, ORDER.as_bytes())?;
        assert_eq!(answer.status, 201);
    }
    assert_eq!(bench.sql("SELECT count(*) FROM orders")?, "5");
    assert_eq!(bench.sql("SELECT count(*) FROM _sqlx_migrations")?, "1");
    Ok(())
}

fn refusals(bench: &Bench) -> Outcome {
    bench.role("app", "good")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    put(&file, "bad")?;
    let file = file.display().to_string();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (server, dead) = (bench.settings(), format!("database.port={nobody}"));
    let url = format!("database.url={}", bench.url("app", "good"));
    type Env<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&[&str], Env<'_>, &str)] = &[
        (&[&dead], &[("DB_PASSWORD", "good")], "Connection refused"),
        (&[], &[("DB_PASSWORD", "bad")], "password authentication failed for user"),
        (&[], &[("DB_PASSWORD_FILE", &file)], "password authentication failed for user"),
        (
            &[],
            &[("DB_PASSWORD", "good"), ("DB_PASSWORD_FILE", &file)],
            "DB_PASSWORD and DB_PASSWORD_FILE are both set, and differ",
        ),
        (&["database.database=none"], &[("DB_PASSWORD", "good")], "does not exist"),
        (&[&url], &[], "database.url and database.host are both set"),
        (
            &["database.password=env:OTHER"],
            &[("OTHER", "good"), ("DB_PASSWORD", "bad")],
            "database.password and DB_PASSWORD",
        ),
        (
            &["redis.password=env:OTHER"],
            &[("OTHER", "good"), ("REDIS_PASSWORD", "bad")],
            "redis.password and REDIS_PASSWORD",
        ),
    ];
    for (settings, env, said) in cases {
        let settings: Vec<_> = server.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        let mut service = Service::start(&bench.binary, folder.path(), &settings, env)?;
        let failed =
            service.line("failed to start").ok_or_else(|| format!("{settings:?} {env:?}: starts"))?;
        let error = failed["error"].as_str().unwrap_or_default();
        assert!(error.contains(said) && !error.contains("PoolTimedOut"), "{settings:?} {env:?}: {failed}");
        assert!(!error.contains("good") && !error.contains("bad"), "{failed}");
    }
    Ok(())
}

fn one_order_for_one_key(bench: &Bench) -> Outcome {
    bench.role("app", "good")?;
    let folder = tempfile::tempdir()?;
    let mut service = bench.start(folder.path(), &bench.settings(), &[("DB_PASSWORD", "good")])?;
    let main = service.ready().and_then(|(main, _)| main).ok_or("never ready")?;
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    let bodies: Vec<_> = thread::scope(|scope| {
        let ask = || Connection::open(main)?.request("POST", "/api/orders", &headers, ORDER.as_bytes());
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().filter_map(|asked| asked.join().ok()).collect::<std::io::Result<_>>()
    })?;
    assert!(
        bodies.len() == 8
            && bodies.iter().all(|answer| answer.status == 201 && answer.body == bodies[0].body)
    );
    assert_eq!(bench.sql("SELECT count(*), min(status) FROM orders")?, "1|paid");
    let order: serde_json::Value = serde_json::from_slice(&bodies[0].body)?;
    let id = order["id"].as_str().ok_or("no id")?;
    let read = get(main, &format!("/api/orders/{id}"))?;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&read.body)?, order);
    assert_eq!(get(main, "/api/orders/%00")?.status, 404);
    let created = order["created_at"].as_str().ok_or("no time")?;
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    Ok(())
}

/// What is rotated.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The password of the one role.
    Password,
    /// The role itself: the old one may no longer log in, and is dropped.
    Role,
}

/// What a drill came to.
struct Drill {
    count: Count,
    a_second: u64,
    /// Sessions of old credentials that had to be terminated, in all.
    terminated: u32,
    /// What the last of them are known by.
    old: String,
    /// What the first requests that failed got.
    failures: Vec<String>,
}

/// Every rotation under load, with every session of the old credential terminated once the pool had its time to let go.
fn drill(bench: &Bench, way: Way, follows: bool, rotations: u32) -> Result<Drill> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("credential");
    let credential = |round: u32| match way {
        Way::Password => format!("password-{round}"),
        Way::Role => bench.url(&format!("app_{round}"), "good"),
    };
    match way {
        Way::Password => bench.role("app", &credential(0))?,
        Way::Role => bench.role("app_0", "good")?,
    }
    put(&file, &credential(0))?;
    // Written out, it is what it is, and the pool stays as it was.
    let place = if follows { format!("file:{}", file.display()) } else { credential(0) };
    let (settings, key) = match way {
        Way::Password => (bench.settings(), "database.password"),
        Way::Role => (vec!["shutdown.delay=1s".to_owned()], "database.url"),
    };
    let settings = [settings, vec![format!("{key}={place}")]].concat();
    let mut service = bench.start(folder.path(), &settings, &[])?;
    let (main, admin) = service.ready().ok_or("never ready")?;
    let main = main.ok_or("does not serve")?;

    let load = Arc::new(Load::default());
    let loading = thread::spawn({
        let load = Arc::clone(&load);
        move || load.run(main, admin, CLIENTS)
    });
    let begun = Instant::now();
    while load.good() < 100 && begun.elapsed() < DEADLINE {
        thread::park_timeout(Duration::from_millis(10));
    }
    let (begun, before) = (Instant::now(), load.good());
    let (mut terminated, mut old) = (0, String::new());
    for round in 1..=rotations {
        match way {
            Way::Password => {
                bench.sql(&format!("ALTER ROLE app PASSWORD '{}'", credential(round)))?;
                let since = bench.sql("SELECT now()")?;
                old = format!("usename = 'app' AND backend_start < '{since}'");
            }
            Way::Role => {
                bench.role(&format!("app_{round}"), "good")?;
                old = format!("usename = 'app_{}'", round - 1);
            }
        }
        put(&file, &credential(round))?;
        if follows {
            service.line("secrets replaced").ok_or("a new credential is never taken")?;
        }
        if let Way::Role = way {
            bench.sql(&format!("ALTER ROLE app_{} NOLOGIN", round - 1))?;
        }
        let until = Instant::now() + DRAIN;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
        let killed = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {old}");
        terminated += bench.sql(&killed)?.parse::<u32>()?;
        if let Way::Role = way {
            let gone = Instant::now() + DEADLINE;
            while bench.old_sessions(&old)? > 0 && Instant::now() < gone {
                thread::park_timeout(Duration::from_millis(20));
            }
            bench.sql(&format!("DROP ROLE app_{}", round - 1))?;
        }
    }
    let a_second = (load.good() - before) * 1_000 / u64::try_from(begun.elapsed().as_millis())?.max(1);
    service.signal(Signal::TERM)?;
    let count = loading.join().map_err(|_| "a client panicked")?;
    service.wait()?;
    // what the service has to say of it, each once
    let failed = service.seen().iter().filter(|line| line["msg"] == "the order store failed");
    let causes: BTreeSet<_> = failed.map(|line| line["error.message"].to_string()).collect();
    let failures = load.failures().into_iter().chain(causes).collect();
    Ok(Drill { count, a_second, terminated, old, failures })
}

#[expect(clippy::print_stdout, reason = "a figure to be read")]
fn rotation(bench: &Bench, way: Way) -> Outcome {
    let Drill { count, a_second, terminated, old, failures } = drill(bench, way, true, ROTATIONS)?;
    println!("{way:?}: {count:?}, {a_second} a second, {terminated} sessions terminated");
    if count.failed > 0 {
        return Err(format!("{way:?}: requests failed: {count:?}, {failures:#?}").into());
    }
    assert_eq!(bench.old_sessions(&old)?, 0, "sessions of an old credential");
    let orders = bench.sql("SELECT count(*) FROM orders")?;
    assert_eq!(orders, count.orders.to_string(), "what was answered 201 is in the books, once");
    if a_second < REQUESTS_A_SECOND {
        return Err(
            format!("{way:?}: only {a_second} requests a second, which proves nothing: {count:?}").into()
        );
    }
    Ok(())
}

/// The drill can fail: the same, but with a pool that stays as it was.
fn no_rotation(bench: &Bench, way: Way) -> Outcome {
    let Drill { count, terminated, .. } = drill(bench, way, false, 1)?;
    if count.failed == 0 || terminated == 0 {
        return Err(format!("{way:?}: nothing was lost: {count:?}, {terminated} sessions terminated").into());
    }
    Ok(())
}
