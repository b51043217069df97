use std::fs;
use std::path::Path;

use super::support::{binary, output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn usage_help_and_version() {
    assert_eq!(output(&["--nonsense"]).status.code(), Some(64));
    assert_eq!(output(&["--help"]).status.code(), Some(0));
    let version = output(&["version"]);
    assert!(text(&version.stdout).starts_with(concat!("order-service ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.yaml"), "server:\n  prot: 8080\ndatabase:\n  max_connections: many\n")
        .unwrap();
    let run = binary(folder.path(), &["--config", "app.yaml", "--set", "admin.port=99999"]).output().unwrap();
    assert_eq!(run.status.code(), Some(78));
    let errors = text(&run.stderr);
    for expected in [
        "app.yaml:2:3",
        "server.prot",
        "port",
        "app.yaml:4:20",
        "database.max_connections",
        "--set",
        "admin.port",
    ] {
        assert!(errors.contains(expected), "{expected} is not in\n{errors}");
    }

    let missing = binary(folder.path(), &["--config", "nowhere.yaml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(78));
    assert!(text(&missing.stderr).contains("nowhere.yaml"));
}

/// The default command of an image names a file that may not be mounted; a person or a manifest means it.
#[test]
fn a_file_that_may_be_missing_lies_below_one_that_must_not() {
    let folder = tempfile::tempdir().unwrap();
    let show = |arguments: &[&str]| {
        let run = binary(folder.path(), &[arguments, &["config", "show"]].concat()).output().unwrap();
        (run.status.code(), text(&run.stdout))
    };
    assert_eq!(show(&["--optional-config", "image.yaml"]), (Some(0), "\n".to_owned()));
    fs::write(folder.path().join("image.yaml"), "server: {port: 1}\nlog: {level: warn}\n").unwrap();
    fs::write(folder.path().join("asked.yaml"), "server: {port: 2}\n").unwrap();
    let (code, shown) = show(&["--config", "asked.yaml", "--optional-config", "image.yaml"]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("server.port = 2 ") && shown.contains("log.level = warn "), "{shown}");
    fs::write(folder.path().join("image.yaml"), "server: {port: x}\n").unwrap();
    assert_eq!(show(&["--optional-config", "image.yaml"]).0, Some(78));
}

#[test]
fn show_names_the_source_of_every_value() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.yaml"), "server:\n  port: 8081\n  timeout: 5s\n").unwrap();
    let show =
        binary(folder.path(), &["--config", "app.yaml", "--set", "server.port=8082", "config", "show"])
            .env("LOG_LEVEL", "debug")
            .output()
            .unwrap();
    assert_eq!(show.status.code(), Some(0), "{}", text(&show.stderr));
    let shown = text(&show.stdout);
    let line = |key: &str| {
        shown.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {shown}"))
    };
    assert!(line("server.port").contains("8082") && line("server.port").contains("--set"));
    assert!(line("server.timeout").contains("app.yaml:3:12"));
    assert!(line("log.level").contains("LOG_LEVEL"));
}

#[test]
fn what_this_build_does_not_have_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "--set",
        "payment_service.url=http://pay",
        "--set",
        "redis.host=cache",
        "--set",
        "admin.port=0",
        "--set",
        "server.port=0",
    ];
    let run = binary(folder.path(), &settings).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let said = text(&run.stdout) + &text(&run.stderr);
    assert!(said.contains("payment_service.url") && said.contains("redis.host"), "{said}");
    assert!(!folder.path().join("orders.db").exists());
}

/// In the workspace other packages ask for prodkit's feature.
#[cfg(not(feature = "vault"))]
#[test]
fn a_secret_in_vault_needs_the_feature_or_an_address() {
    let alone = !Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates")).exists();
    let missing =
        if alone { "built without prodkit's feature `vault`" } else { "secrets.vault.address is not set" };
    let folder = tempfile::tempdir().unwrap();
    for settings in [
        &["redis.password=vault:secret/data/orders#redis"][..],
        &["redis.password=vault:secret/data/orders#redis", "secrets.vault.address=http://127.0.0.1:1"],
    ] {
        let free = ["admin.port=0", "server.port=0"];
        let settings: Vec<_> = settings.iter().chain(&free).flat_map(|setting| ["--set", setting]).collect();
        let run = binary(folder.path(), &settings).output().unwrap();
        assert_eq!(run.status.code(), Some(78));
        let said = text(&run.stdout) + &text(&run.stderr);
        let expected = if settings.len() > 6 && !alone { "secrets.vault.token is not set" } else { missing };
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
