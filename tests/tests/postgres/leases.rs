//! Credentials that Vault leases, with a Vault that does to PostgreSQL what the real one does at the end of a lease.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::load::Load;
use prodkit_e2e::process::DEADLINE;
use prodkit_e2e::tools::Outcome;
use prodkit_fakes::{FakeVault, Terms};
use rustix::process::Signal;

use super::{Bench, CLIENTS, Result};

/// Replaced after 6 to 8 seconds. A login takes the dev profile seconds on a machine that is busy with something else, and
/// what is not replaced in time is lost, as it should be.
const LEASE: Duration = Duration::from_secs(12);
const ENDED: usize = 5;
/// More credentials than the fake hands out meanwhile.
const CREDENTIALS: u32 = 300;

/// Logins as the fake will lease them: it numbers them, and has no database to make them in.
fn make_roles(bench: &Bench) -> Result<()> {
    let make = format!(
        "DO $$ BEGIN FOR n IN 1..{CREDENTIALS} LOOP \
         EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L IN ROLE owner', 'v-' || n, 'p-' || n); \
         EXECUTE format('ALTER ROLE %I SET role = ''owner''', 'v-' || n); END LOOP; END $$"
    );
    bench.sql(&make).map(drop)
}

/// The user of a lease.
fn user(lease: &str) -> Result<String> {
    let number: u32 = lease.rsplit("lease").next().unwrap_or_default().parse()?;
    Ok(format!("v-{number}"))
}

/// A pool lets go of a credential before it gives the lease back, and Vault may kill what is left of it.
#[expect(clippy::print_stdout, reason = "a figure to be read")]
pub(super) fn rotation(bench: &Bench) -> Outcome {
    make_roles(bench)?;
    let vault = FakeVault::start();
    vault.dynamic("database/creds/app", Terms::ttl(LEASE).not_renewable());
    let settings = [
        "database.host=127.0.0.1".to_owned(),
        format!("database.port={}", bench.server.port()),
        "database.user=vault:database/creds/app#username".to_owned(),
        "database.password=vault:database/creds/app#password".to_owned(),
        format!("secrets.vault.address={}", vault.url()),
        format!("secrets.vault.token={}", FakeVault::ROOT),
        "shutdown.delay=1s".to_owned(),
    ];
    let folder = tempfile::tempdir()?;
    let mut service = bench.start(folder.path(), &settings, &[])?;
    let (main, admin) = service.ready().ok_or_else(|| format!("never ready: {:#?}", service.seen()))?;
    let main = main.ok_or("does not serve")?;
    let load = Arc::new(Load::default());
    let loading = thread::spawn({
        let load = Arc::clone(&load);
        move || load.run(main, admin, CLIENTS)
    });

    let (mut known, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let (mut terminated, until) = (0, Instant::now() + DEADLINE);
    while ended.len() < ENDED {
        assert!(Instant::now() < until, "leases do not end: {:?}", vault.counts());
        let now: BTreeSet<String> = vault.leases().into_iter().collect();
        for lease in known.difference(&now).filter(|lease| !ended.contains(*lease)) {
            // what the documentation of Vault's database engine has for PostgreSQL, and for a role in use
            let user = user(lease)?;
            bench.sql(&format!("ALTER ROLE \"{user}\" NOLOGIN"))?;
            let left = format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{user}'"
            );
            terminated += bench.sql(&left)?.parse::<u32>()?;
        }
        ended.extend(known.difference(&now).cloned());
        known.extend(now);
        thread::park_timeout(Duration::from_millis(20));
    }
    service.signal(Signal::TERM)?;
    let count = loading.join().map_err(|_| "a client panicked")?;
    println!("leases: {count:?}, {} of {} ended, {terminated} sessions terminated", ended.len(), known.len());
    service.wait()?;
    assert_eq!(count.failed, 0, "{count:?}");
    assert_eq!(terminated, 0, "a lease was given back while its sessions were in use");
    assert_eq!(vault.leases(), Vec::<String>::new(), "the end gives back what is left");
    assert_eq!(bench.sql("SELECT count(*) FROM orders")?, count.orders.to_string());
    Ok(())
}
