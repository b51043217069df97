//! A service whose secrets are in a RustyVault.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::get;
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_e2e::rusty_vault::RustyVault;
use prodkit_e2e::tools::Outcome;
use prodkit_fakes::FakeAuthority;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
/// What a token lasts for: short, so that many end in a test, and whole seconds, as it is told.
const TOKEN: Duration = Duration::from_secs(3);
/// As a test would have it that is not about ends.
const LONG: Duration = Duration::from_secs(3_600);

/// A Vault, and a role in it.
struct Rig {
    vault: RustyVault,
    folder: TempDir,
    role_id: String,
    secret_id: String,
}

impl Rig {
    fn new(program: PathBuf, ttl: Duration) -> Result<Self> {
        let vault = RustyVault::start(program)?;
        let (role_id, secret_id) = vault.role("orders", ttl)?;
        let rig = Self { vault, folder: tempfile::tempdir()?, role_id, secret_id };
        rig.write(1)?;
        Ok(rig)
    }

    fn write(&self, length: usize) -> Result<()> {
        self.vault.ask("POST", "secret/orders", &json!({"password": "x".repeat(length)})).map(drop)
    }

    fn start(&self, binary: &Path, secret: &str, more: &[String]) -> Result<Service> {
        let mut settings = vec![
            format!("{secret}=vault:secret/orders#password"),
            format!("secrets.vault.address={}", self.vault.url()),
            "secrets.vault.auth=approle".to_owned(),
            format!("secrets.vault.role_id={}", self.role_id),
            "secrets.vault.secret_id=env:SECRET_ID".to_owned(),
            "secrets.vault.refresh=1s".to_owned(),
            "shutdown.delay=0s".to_owned(),
        ];
        settings.extend_from_slice(more);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let env = [("SECRET_ID", self.secret_id.as_str())];
        Ok(Service::start(binary, self.folder.path(), &settings, &env)?)
    }

    fn fixture(&self, more: &[String]) -> Result<Service> {
        self.start(FIXTURE.as_ref(), "secret", more)
    }

    /// Writes another secret, and waits until the service has it.
    fn follow(&self, main: SocketAddr, length: usize) -> Result<()> {
        self.write(length)?;
        within("the new secret", || Ok(length_of(main)? == length.to_string()))
    }
}

fn ready(service: &mut Service) -> Result<(SocketAddr, SocketAddr)> {
    let (main, admin) = service.ready().ok_or_else(|| format!("never ready: {:#?}", service.seen()))?;
    Ok((main.ok_or("no main port")?, admin))
}

fn length_of(main: SocketAddr) -> Result<String> {
    Ok(get(main, "/secret")?.text())
}

fn check(admin: SocketAddr) -> Result<String> {
    let report: Value = serde_json::from_slice(&get(admin, "/health/ready/secrets")?.body)?;
    Ok(report["status"].as_str().unwrap_or_default().to_owned())
}

fn within(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !condition()? {
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {DEADLINE:?}").into());
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

fn end(service: &mut Service) -> Outcome {
    service.signal(Signal::TERM)?;
    let status = service.wait()?;
    if status.code() == Some(0) { Ok(()) } else { Err(format!("{status}: {:#?}", service.seen()).into()) }
}

/// Its tokens do end, and it renews none: whoever follows a secret past that has logged in again.
pub(crate) fn logins(program: PathBuf) -> Outcome {
    let rig = Rig::new(program, TOKEN)?;
    let login = json!({"role_id": rig.role_id, "secret_id": rig.secret_id});
    let answer = rig.vault.ask_as("", "POST", "auth/approle/login", &login)?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    let token = answer["auth"]["client_token"].as_str().ok_or("no token")?.to_owned();
    let look = || rig.vault.ask_as(&token, "GET", "secret/orders", &Value::Null);
    assert_eq!(look()?.status, 200);

    let mut service = rig.fixture(&[])?;
    let (main, admin) = ready(&mut service)?;
    assert_eq!(length_of(main)?, "1");
    let begun = Instant::now();
    let mut length = 1;
    while begun.elapsed() < 4 * TOKEN {
        length += 1;
        rig.follow(main, length)?;
    }
    assert_eq!(look()?.status, 403, "its tokens do not end");
    within("healthy", || Ok(check(admin)? == "healthy"))?;
    end(&mut service)?;

    // a wrong secret_id is no outage
    let wrong = Rig { secret_id: "00000000-0000-0000-0000-000000000000".to_owned(), ..rig };
    let mut service = wrong.fixture(&["secrets.start_timeout=1h".to_owned()])?;
    assert_eq!(service.wait()?.code(), Some(78));
    let said = Value::from(service.seen().to_vec()).to_string();
    assert!(said.contains("cannot log in to Vault (approle)") && !said.contains("00000000-0000"), "{said}");

    // the service to copy has its secrets there as well
    let rig = Rig { secret_id: login["secret_id"].as_str().unwrap_or_default().to_owned(), ..wrong };
    let order_service = prodkit_e2e::process::order_service(Path::new(FIXTURE))?;
    let mut service = rig.start(&order_service, "redis.password", &[])?;
    let (main, _) = ready(&mut service)?;
    assert_eq!(get(main, "/api/orders")?.status, 200);
    end(&mut service)
}

pub(crate) fn sealed(program: PathBuf) -> Outcome {
    let rig = Rig::new(program, LONG)?;
    let mut running = rig.fixture(&[])?;
    let (main, admin) = ready(&mut running)?;
    rig.vault.seal()?;
    within("failing", || Ok(check(admin)? == "failing"))?;
    assert_eq!((length_of(main)?.as_str(), get(admin, "/health/ready")?.status), ("1", 200));

    let mut impatient = rig.fixture(&["secrets.start_timeout=1s".to_owned()])?;
    assert_eq!(impatient.wait()?.code(), Some(78));
    let said = Value::from(impatient.seen().to_vec()).to_string();
    assert!(said.contains("secret (vault:secret/orders#password)") && said.contains("503"), "{said}");
    let mut patient = rig.fixture(&["secrets.start_timeout=1m".to_owned()])?;
    patient.line("waiting for secrets").ok_or("it does not wait")?;
    rig.vault.unseal()?;
    ready(&mut patient)?;
    end(&mut patient)?;
    rig.follow(main, 2)?;
    within("healthy", || Ok(check(admin)? == "healthy"))?;
    end(&mut running)
}

pub(crate) fn outages(program: PathBuf) -> Outcome {
    let mut rig = Rig::new(program, LONG)?;
    let mut service = rig.fixture(&[])?;
    let (main, admin) = ready(&mut service)?;
    // it takes connections and says nothing
    rig.vault.signal(Signal::STOP)?;
    within("failing while it hangs", || Ok(check(admin)? == "failing"))?;
    assert_eq!((length_of(main)?.as_str(), get(admin, "/health/ready")?.status), ("1", 200));
    rig.vault.signal(Signal::CONT)?;
    rig.follow(main, 2)?;
    within("healthy", || Ok(check(admin)? == "healthy"))?;

    rig.vault.kill();
    assert_eq!((length_of(main)?.as_str(), get(admin, "/health/ready")?.status), ("2", 200));
    rig.vault.run()?;
    rig.vault.unseal()?;
    rig.follow(main, 3)?;
    within("healthy", || Ok(check(admin)? == "healthy"))?;

    // and a hung one keeps nobody from ending
    rig.vault.signal(Signal::STOP)?;
    let ended = end(&mut service);
    rig.vault.signal(Signal::CONT)?;
    ended
}

pub(crate) fn tls(program: PathBuf) -> Outcome {
    let mut rig = Rig::new(program, LONG)?;
    let authority = FakeAuthority::new();
    let path = |name: &str| rig.folder.path().join(name);
    let (own, other) = (path("ca.crt"), path("other.crt"));
    fs::write(&own, authority.certificate())?;
    fs::write(&other, FakeAuthority::new().certificate())?;
    let pair = authority.issue(&["localhost"]);
    rig.vault.secure(&own, &pair.certificate, &pair.key)?;
    let trusting =
        |file: &Path| [format!("secrets.vault.ca={}", file.display()), "secrets.start_timeout=1s".to_owned()];
    let mut service = rig.fixture(&trusting(&other))?;
    assert_eq!(service.wait()?.code(), Some(78));
    let said = Value::from(service.seen().to_vec()).to_string();
    assert!(said.contains("invalid peer certificate"), "{said}");
    let mut service = rig.fixture(&trusting(&own))?;
    let (main, _) = ready(&mut service)?;
    assert_eq!(length_of(main)?, "1");
    end(&mut service)
}
