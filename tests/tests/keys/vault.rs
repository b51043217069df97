//! `secrets.vault.*`: which Vault, and who the service is to it.

mod tls;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use prodkit_fakes::{Behaviour, FakeVault, Terms};
use serde_json::json;
use tempfile::TempDir;

use crate::rig::{Rig, Setup, within};
use crate::secrets::refused;

pub(crate) use tls::{ca, ca_variable, cert, key, pair_variables};

/// A Vault that has a secret of this length.
fn vault(length: usize) -> FakeVault {
    let vault = FakeVault::start();
    write(&vault, length);
    vault
}

fn write(vault: &FakeVault, length: usize) {
    vault.write("secret/data/app", json!({"data": {"password": "x".repeat(length)}}));
}

/// A service that looks the secret up somewhere.
fn asking() -> Setup {
    Setup::new().set("secret", "vault:secret/data/app#password")
}

fn at(vault: &FakeVault) -> Setup {
    asking().set("secrets.vault.address", &vault.url())
}

fn as_root(vault: &FakeVault) -> Setup {
    at(vault).set("secrets.vault.token", FakeVault::ROOT)
}

fn length(rig: &Rig) -> String {
    rig.get("/secret").text()
}

fn terms() -> Terms {
    Terms::ttl(Duration::from_secs(3_600))
}

/// A folder with a file of that text.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, text).unwrap();
    (folder, path)
}

pub(crate) fn address() {
    for number in [3, 4] {
        assert_eq!(length(&as_root(&vault(number)).serve()), number.to_string());
    }
    let said = refused(&asking());
    assert!(
        said.contains("secret (vault:secret/data/app#password): secrets.vault.address is not set"),
        "{said}"
    );
    let said = refused(&asking().set("secrets.vault.address", "vault:8200").set("secrets.vault.token", "x"));
    assert!(said.contains("secrets.vault.address: the address of Vault is a URL"), "{said}");
    // where nothing is looked up, nobody is asked and nothing is missed
    let nothing = vault(1);
    nothing.behave(Behaviour::Refuse);
    Setup::new().set("secrets.vault.address", &nothing.url()).serve();
}

pub(crate) fn namespace() {
    let vault = vault(3);
    vault.namespace("team");
    vault.write("team/secret/data/app", json!({"data": {"password": "four"}}));
    assert_eq!(length(&as_root(&vault).serve()), "3");
    assert_eq!(length(&as_root(&vault).set("secrets.vault.namespace", "team").serve()), "4");
}

/// What opens Vault is looked for elsewhere, is complete, and is of the method.
pub(crate) fn auth() {
    let vault = vault(3);
    vault.approle("approle", "orders", "s3cret-id", terms());
    let setup = at(&vault).set("secrets.vault.auth", "approle").set("secrets.vault.role_id", "orders");
    let whole = setup.clone().set("secrets.vault.secret_id", "s3cret-id");
    assert_eq!(length(&whole.serve()), "3");
    assert_eq!(vault.count("auth/approle/login"), 1);
    for (setup, expected) in [
        (setup.clone(), "secrets.vault.secret_id: secrets.vault.auth: approle needs it"),
        (
            setup.clone().set("secrets.vault.secret_id", "vault:a#b"),
            "secrets.vault.secret_id: what opens Vault cannot be in Vault",
        ),
        (
            whole.clone().set("secrets.vault.jwt", "x"),
            "secrets.vault.jwt: of no use with secrets.vault.auth: approle",
        ),
        (whole.set("secrets.vault.secret_id", "wr0ng-id"), "invalid role or secret ID"),
        (at(&vault), "secrets.vault.token is not set, and neither is VAULT_TOKEN"),
        (at(&vault).set("secrets.vault.token", "hvs.wr0ng"), "cannot log in to Vault (token)"),
    ] {
        let said = refused(&setup);
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("s3cret-id") && !said.contains("wr0ng"), "{said}");
    }
}

pub(crate) fn mount() {
    let vault = vault(3);
    vault.jwt("ci", "orders", "a.b.c", terms());
    let setup = at(&vault)
        .set("secrets.vault.auth", "jwt")
        .set("secrets.vault.role", "orders")
        .set("secrets.vault.jwt", "a.b.c");
    refused(&setup);
    assert_eq!(length(&setup.set("secrets.vault.mount", "ci").serve()), "3");
}

pub(crate) fn jwt() {
    let vault = vault(3);
    vault.jwt("jwt", "orders", "a.b.c", terms());
    let (_folder, path) = file("a.b.c\n");
    let setup = at(&vault).set("secrets.vault.auth", "jwt").set("secrets.vault.role", "orders");
    assert!(refused(&setup).contains("secrets.vault.jwt: "));
    let setup = setup.set("secrets.vault.jwt", &format!("file:{}", path.display()));
    assert_eq!(length(&setup.serve()), "3");
}

/// The role that is logged in to.
pub(crate) fn role() {
    let vault = vault(3);
    let (_folder, path) = file("a.b.c");
    vault.kubernetes("kubernetes", "orders", "a.b.c", terms());
    let setup = at(&vault)
        .set("secrets.vault.auth", "kubernetes")
        .set("secrets.vault.service_account_file", &path.display().to_string());
    assert!(refused(&setup).contains("secrets.vault.role: secrets.vault.auth: kubernetes needs it"));
    let said = refused(&setup.clone().set("secrets.vault.role", "others"));
    assert!(said.contains("invalid role name"), "{said}");
    assert_eq!(length(&setup.set("secrets.vault.role", "orders").serve()), "3");
}

/// Where it is not said, it is where Kubernetes has it; and it is read at each login.
pub(crate) fn service_account_file() {
    let vault = vault(3);
    let (_folder, path) = file("a.b.c");
    vault.kubernetes("kubernetes", "orders", "a.b.c", terms());
    let setup = at(&vault).set("secrets.vault.auth", "kubernetes").set("secrets.vault.role", "orders");
    let said = refused(&setup);
    assert!(said.contains("/var/run/secrets/kubernetes.io/serviceaccount/token: "), "{said}");
    let setup = setup
        .set("secrets.vault.service_account_file", &path.display().to_string())
        .set("secrets.vault.refresh", "1s");
    let mut rig = setup.serve();
    fs::write(&path, "d.e.f").unwrap();
    vault.revoke_tokens();
    rig.line("a secret cannot be kept current");
    vault.kubernetes("kubernetes", "orders", "d.e.f", terms());
    write(&vault, 4);
    rig.line("secrets replaced");
    assert_eq!(length(&rig), "4");
}

pub(crate) fn role_id() {
    let vault = vault(3);
    vault.approle("approle", "orders", "s3cret-id", terms());
    let setup = at(&vault).set("secrets.vault.auth", "approle").set("secrets.vault.secret_id", "s3cret-id");
    assert!(refused(&setup).contains("secrets.vault.role_id: "));
    assert!(refused(&setup.clone().set("secrets.vault.role_id", "other")).contains("invalid role"));
    assert_eq!(length(&setup.set("secrets.vault.role_id", "orders").serve()), "3");
}

/// It is followed, so that the next login has the new one.
pub(crate) fn secret_id() {
    let vault = vault(3);
    vault.approle("approle", "orders", "one", terms());
    let (_folder, path) = file("one\n");
    let mut rig = at(&vault)
        .set("secrets.vault.auth", "approle")
        .set("secrets.vault.role_id", "orders")
        .set("secrets.vault.secret_id", &format!("file:{}", path.display()))
        .set("secrets.vault.refresh", "1s")
        .serve();
    fs::write(&path, "two\n").unwrap();
    rig.line_where(|line| line["msg"] == "secrets replaced" && line["secrets"] == "secrets.vault.secret_id");
    vault.revoke_tokens();
    rig.line("a secret cannot be kept current");
    vault.approle("approle", "orders", "two", terms());
    write(&vault, 4);
    rig.line_where(|line| line["msg"] == "secrets replaced" && line["secrets"] == "secret");
    assert_eq!(length(&rig), "4");
    // the end gives back what the login made
    assert_eq!(vault.tokens(), 1);
    rig.end();
    assert_eq!(vault.tokens(), 0);
}

/// The file of an agent is followed, and what somebody else made is not revoked.
pub(crate) fn token() {
    let vault = vault(3);
    let (one, two) = (vault.token(terms()), vault.token(terms()));
    let (_folder, path) = file(&one);
    let setup = at(&vault).set("secrets.vault.refresh", "1s");
    let mut rig = setup.set("secrets.vault.token", &format!("file:{}", path.display())).serve();
    fs::write(&path, &two).unwrap();
    rig.line_where(|line| line["msg"] == "secrets replaced" && line["secrets"] == "secrets.vault.token");
    vault.revoke_token(&one);
    write(&vault, 4);
    rig.line_where(|line| line["msg"] == "secrets replaced" && line["secrets"] == "secret");
    assert_eq!(length(&rig), "4");
    rig.end();
    assert!(vault.is_valid(&two));
}

/// What has no lease is read again.
pub(crate) fn refresh() {
    let vault = vault(3);
    let mut rig = as_root(&vault).set("secrets.vault.refresh", "1s").serve();
    write(&vault, 4);
    rig.line("secrets replaced");
    assert_eq!(length(&rig), "4");
    let reads = vault.count("secret/data/app");
    within("another look", || vault.count("secret/data/app") > reads);
}

pub(crate) fn start_timeout() {
    let vault = vault(3);
    vault.behave(Behaviour::Refuse);
    let said = refused(&as_root(&vault).set("secrets.start_timeout", "300ms"));
    assert!(said.contains("waited 300ms (secrets.start_timeout)"), "{said}");
    let (mut service, _folder) = as_root(&vault).set("secrets.start_timeout", "1m").spawn();
    service.line("waiting for secrets").unwrap();
    vault.behave(Behaviour::Answer);
    service.line("ready").unwrap();
}

pub(crate) fn addr_variable() {
    let (one, two) = (vault(1), vault(2));
    let setup = asking().set("secrets.vault.token", FakeVault::ROOT).env("VAULT_ADDR", &one.url());
    assert_eq!(length(&setup.serve()), "1");
    assert_eq!(length(&setup.set("secrets.vault.address", &two.url()).serve()), "2");
}

pub(crate) fn namespace_variable() {
    let vault = vault(3);
    vault.namespace("team");
    vault.write("team/secret/data/app", json!({"data": {"password": "four"}}));
    let setup = as_root(&vault).env("VAULT_NAMESPACE", "team");
    assert_eq!(length(&setup.serve()), "4");
    assert_eq!(length(&setup.set("secrets.vault.namespace", "/").serve()), "3");
}

/// It is written out, and no file or flag, so that there is no warning.
pub(crate) fn token_variable() {
    let vault = vault(3);
    let setup = at(&vault).env("VAULT_TOKEN", FakeVault::ROOT);
    let rig = setup.clone().set("secrets.allow_literals", "false").serve();
    assert_eq!(length(&rig), "3");
    assert!(!String::from_utf8(rig.ask("/admin/config").body).unwrap().contains(FakeVault::ROOT));
    refused(&setup.set("secrets.vault.token", "hvs.none"));
}

pub(crate) fn skip_verify_variable() {
    let vault = vault(3);
    for (value, taken) in [("0", true), ("false", true), ("", true), ("1", false), ("true", false)] {
        let setup = as_root(&vault).env("VAULT_SKIP_VERIFY", value);
        if taken {
            setup.serve();
        } else {
            let said = refused(&setup);
            assert!(said.contains("VAULT_SKIP_VERIFY") && said.contains("secrets.vault.ca"), "{said}");
        }
    }
    // where there is no Vault, it is of no concern
    Setup::new().env("VAULT_SKIP_VERIFY", "1").serve();
}
