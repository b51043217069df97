//! A lease is kept by time that nobody sets: libfaketime sets the time of day of the service, years ahead and years back, and
//! leaves the monotonic clock alone. The Vault is in another process and has its own idea of when the lease ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::get;
use prodkit_e2e::process::{DEADLINE, Service};
use prodkit_e2e::tools::Outcome;
use prodkit_fakes::{FakeVault, Terms};
use rustix::process::Signal;

const LEASE: Duration = Duration::from_secs(4);
/// At a third of its time at the latest, so that these take longer than the lease itself.
const RENEWALS: usize = 6;

/// Where Debian has the library; the one for programs with threads.
pub(crate) fn library() -> Result<PathBuf, String> {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let path = Path::new(&folder).join("libfaketimeMT.so.1");
    if path.is_file() { Ok(path) } else { Err("libfaketime not found".to_owned()) }
}

pub(crate) fn jumps(library: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let time = folder.path().join("time");
    let set = |offset: &str| -> std::io::Result<()> {
        fs::write(folder.path().join("new"), offset)?;
        fs::rename(folder.path().join("new"), &time)
    };
    set("+0")?;
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(LEASE));
    let settings = [
        "secret=vault:database/creds/app#password".to_owned(),
        format!("secrets.vault.address={}", vault.url()),
        format!("secrets.vault.token={}", FakeVault::ROOT),
        "shutdown.delay=0s".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let (preload, file) = (library.display().to_string(), time.display().to_string());
    let env = [
        ("LD_PRELOAD", preload.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut service = Service::start(env!("CARGO_BIN_EXE_fixture"), folder.path(), &settings, &env)?;
    let (main, _) = service.ready().ok_or_else(|| format!("never ready: {:#?}", service.seen()))?;
    let main = main.ok_or("no main port")?;
    let lease = vault.leases();
    let year = |service: &mut Service| -> Result<i32, Box<dyn std::error::Error>> {
        get(main, "/say/0")?;
        let line = service.line("said").ok_or("it says nothing")?;
        Ok(line["ts"].as_str().and_then(|ts| ts.get(..4)).ok_or("no time")?.parse()?)
    };
    let now = year(&mut service)?;
    for (offset, years) in [("+3650d", 10), ("-3650d", -10)] {
        set(offset)?;
        assert!((year(&mut service)? - now - years).abs() <= 1, "it does not see the time of day change");
        let (before, begun) = (vault.count("sys/leases/renew"), Instant::now());
        while vault.count("sys/leases/renew") < before + RENEWALS {
            // neither lost, which it would be if it were not renewed in time, nor thought to be lost, and replaced
            assert_eq!(vault.leases(), lease, "{offset}: {:?}", vault.counts());
            assert!(begun.elapsed() < DEADLINE, "{offset}: it is not renewed any more: {:?}", vault.counts());
            thread::park_timeout(Duration::from_millis(10));
        }
        assert!(begun.elapsed() > LEASE / 2, "{offset}: it is renewed all the time");
    }
    assert_eq!(vault.count("database/creds/app"), 1);
    service.signal(Signal::TERM)?;
    assert_eq!(service.wait()?.code(), Some(0));
    let late = service.seen().iter().find(|line| line["msg"] == "a secret cannot be kept current");
    assert_eq!(late, None);
    Ok(())
}
