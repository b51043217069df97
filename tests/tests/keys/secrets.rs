//! `secrets.*`: what is missing, and what is written out.

use std::fs;
use std::process::Output;

use crate::rig::Setup;

/// Runs it where it cannot start; what it says.
pub(crate) fn refused(setup: &Setup) -> String {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = setup.command(&folder).output().unwrap();
    assert_eq!(status.code(), Some(78));
    String::from_utf8([stdout, stderr].concat()).unwrap()
}

pub(crate) fn required() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let setup = Setup::new().set("secret", &format!("file:{}", path.display()));
    let said = refused(&setup.clone().set("secrets.required", "true"));
    assert!(said.contains("secret (file:") && said.contains("there is no such file"), "{said}");

    let mut rig = setup.set("secrets.required", "false").start();
    rig.line("degraded");
    assert_eq!(rig.get("/secret").text(), "0");
    fs::write(&path, "12345").unwrap();
    rig.line("secrets replaced");
    assert_eq!(rig.get("/secret").text(), "5");
}

pub(crate) fn allow_literals() {
    const WARNING: &str = "secrets are written out where others may read them: secret (--set secret); write where they are \
                           instead, as in `file:/var/secrets/name`";
    let setup = Setup::new().set("secret", "12345");
    // It is said before the service has started.
    let mut rig = setup.clone().set("secrets.allow_literals", "true").start();
    assert_eq!(rig.count(WARNING), 1);
    let said = refused(&setup.set("secrets.allow_literals", "false"));
    assert!(said.contains("secret (--set secret)") && said.contains("secrets.allow_literals"), "{said}");
    assert!(!said.contains("12345"), "{said}");
}
