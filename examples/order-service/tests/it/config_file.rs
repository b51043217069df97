//! The file an operator writes: the sample to start from, and the schema to check it with.

use std::fs;
use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::Value;

use super::support::{Service, binary, output};

/// Files that operators have.
const FILES: &[(&str, &str)] = &[
    ("config.sample.yaml", include_str!("../../config.sample.yaml")),
    ("config-chapter3.yaml", include_str!("../data/config-chapter3.yaml")),
    ("config-chapter7.yaml", include_str!("../data/config-chapter7.yaml")),
];

fn print(what: &str) -> String {
    let output = output(&["config", what]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is wrong with a file; empty when it is right.
fn invalid(schema: &Value, file: &str) -> String {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource("file:///schema", schema.clone()).unwrap();
    let schema = compiler.compile("file:///schema", &mut schemas).unwrap();
    let file: Value = serde_saphyr::from_str(file).unwrap();
    schemas.validate(&file, schema).err().map(|error| format!("{error:#}")).unwrap_or_default()
}

#[test]
fn the_sample_is_the_one_in_the_repository() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.sample.yaml");
    let (kept, printed) = (fs::read_to_string(&path).unwrap(), print("sample"));
    assert!(
        kept == printed,
        "{} is not what the service prints. Look at the difference, and if it is meant:\n\
         cargo run -p order-service -- config sample > {0}\n{printed}",
        path.display()
    );
}

#[test]
fn the_sample_boots_as_printed_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sample.yaml"), print("sample")).unwrap();
    let mut service = Service::start_with(folder.path(), &["--config", "sample.yaml"], &[]);
    // What the loader has to say, it says before the service is ready.
    assert_eq!([service.seen_at("WARN"), service.seen_at("ERROR")].concat(), Vec::<&Value>::new());
    assert_eq!(service.get("/api/orders").status, 200);
    service.signal(rustix::process::Signal::TERM);
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn the_schema_takes_what_the_service_takes() {
    let schema: Value = serde_json::from_str(&print("schema")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in FILES {
        assert_eq!(invalid(&schema, file), "", "{name}");
        fs::write(folder.path().join(name), file).unwrap();
        let check = binary(folder.path(), &["--config", name, "config", "check"]).output().unwrap();
        assert_eq!(check.status.code(), Some(0), "{name}: {check:?}");
    }
}

#[test]
fn the_schema_finds_what_is_wrong_with_them() {
    let schema: Value = serde_json::from_str(&print("schema")).unwrap();
    let (_, file) = FILES[1];
    for (right, wrong) in [
        ("read_timeout: 30s", "read_timeout: 30"),
        ("read_timeout: 30s", "readtimeout: 30s"),
        ("max_connections: 100", "max_connections: 0"),
        ("connection_max_lifetime: 1h", "connection_max_lifetime: an hour"),
        ("new_checkout: true", "new_checkout: maybe"),
        ("database:", "databse:"),
    ] {
        let wrong = file.replace(right, wrong);
        assert_ne!(wrong, file);
        assert_ne!(invalid(&schema, &wrong), "", "{wrong}");
    }
}
