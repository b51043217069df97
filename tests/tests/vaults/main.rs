//! Vault and software nobody here wrote: Python's client against the fake server, and a real server against prodkit's client
//! and a whole service.

mod clock;
mod real;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use prodkit_e2e::tools::{self, Outcome, trial, with, with_python};
use prodkit_fakes::{Condition, FakeVault, Terms};

fn main() -> ExitCode {
    tools::run(vec![
        with_python("hvac", "hvac_finds_the_fake_vault_as_it_expects_a_vault_to_be", hvac),
        trial("a_time_of_day_that_is_set_neither_ends_a_lease_nor_prolongs_it", clock::library, |library| {
            clock::jumps(&library)
        }),
        with("rvault", "rusty_vault_takes_a_login_and_again_when_its_token_has_ended", real::logins),
        with("rvault", "rusty_vault_is_sealed_and_unsealed_under_a_service", real::sealed),
        with("rvault", "rusty_vault_hangs_and_is_killed_and_the_service_goes_on", real::outages),
        with("rvault", "rusty_vault_behind_tls_is_believed_by_its_own_authority_only", real::tls),
    ])
}

/// What hvac asks for in one run.
const ROWS: &[&str] = &[
    "kv_1",
    "kv_2_versions",
    "kv_2_check_and_set",
    "kv_2_metadata",
    "kv_2_deleted_and_undeleted",
    "kv_2_destroyed",
    "mounts",
    "token_looked_up_renewed_and_revoked",
    "token_not_renewable_and_revoked_by_another",
    "token_of_root",
    "approle",
    "kubernetes",
    "jwt",
    "leases",
    "static_roles",
    "namespaces",
    "not_there",
];

fn hvac(python: PathBuf) -> Outcome {
    let hour = Duration::from_secs(3_600);
    let vault = FakeVault::start();
    vault.approle("approle", "orders", "s3cret", Terms::ttl(hour));
    vault.kubernetes("kubernetes", "orders", "a.b.c", Terms::ttl(hour));
    vault.jwt("jwt", "orders", "a.b.c", Terms::ttl(hour));
    vault.dynamic("database/creds/app", Terms::ttl(hour));
    vault.static_role("database/static-creds/app", 24 * hour, Duration::ZERO);
    vault.namespace("team");
    let client = move || {
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/servers/vault_client.py"));
        command
    };
    let ask = |arguments: &[&str]| -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let run = client().arg(vault.url()).args(arguments).output()?;
        if run.status.success() {
            Ok(String::from_utf8(run.stdout)?.lines().map(str::to_owned).collect())
        } else {
            Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&run.stderr)).into())
        }
    };
    assert_eq!(ask(&["rows"])?, ROWS);
    assert_eq!(ask(&["sealed"])?, ["sealed"]);
    for (condition, status) in [
        (Condition::Active, "200"),
        (Condition::Standby(None), "429"),
        (Condition::RecoverySecondary, "472"),
        (Condition::PerformanceStandby, "473"),
        (Condition::Uninitialized, "501"),
        (Condition::Sealed, "503"),
    ] {
        vault.condition(condition);
        assert_eq!(ask(&["health", status])?, ["health"]);
    }
    vault.condition(Condition::Active);
    let token = vault.token(Terms::ttl(hour));
    let lease = vault.read("database/creds/app")["lease_id"].clone();
    vault.advance(2 * hour);
    assert_eq!(ask(&["ended", &token, lease.as_str().ok_or("no lease")?])?, ["ended"]);
    Ok(())
}
