use std::fs;
use std::path::Path;

use super::support::{GOOD_ORDER, Service, binary};

/// Starts it in `folder` where it cannot start; what it says.
fn refused(folder: &Path, settings: &[&str], code: i32) -> String {
    let mut arguments = vec!["--set", "server.port=0", "--set", "admin.port=0"];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let run = binary(folder, &arguments).output().unwrap();
    assert_eq!(run.status.code(), Some(code), "{settings:?}");
    String::from_utf8([run.stdout, run.stderr].concat()).unwrap()
}

#[test]
fn a_database_that_cannot_be_used_ends_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.db"), "no database ".repeat(1_000)).unwrap();
    for path in ["text.db", ".", "missing/orders.db"] {
        let said = refused(folder.path(), &[&format!("database.path={path}")], 1);
        assert!(
            said.contains("database") && said.contains(folder.path().to_str().unwrap()),
            "{path}: {said}"
        );
    }
    assert!(refused(folder.path(), &["database.path="], 1).contains("empty path"));
}

/// To SQLite it is a database in memory, one per connection, gone at the end.
#[test]
fn a_path_is_always_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let id = {
        let service = Service::start_in(folder.path(), &["database.path=:memory:"]);
        service.post(GOOD_ORDER).json()["id"].as_str().unwrap().to_owned()
    };
    let service = Service::start_in(folder.path(), &["database.path=:memory:"]);
    assert_eq!(service.get(&format!("/api/orders/{id}")).status, 200);
}

#[test]
fn a_database_that_was_replaced_makes_it_not_ready() {
    for replace in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let settings = ["health.period=100ms", "health.unhealthy_after=1"];
        let mut service = Service::start_in(folder.path(), &settings);
        let file = folder.path().join("orders.db");
        fs::rename(&file, folder.path().join("gone.db")).unwrap();
        if replace {
            fs::copy(folder.path().join("gone.db"), &file).unwrap();
        }
        service.line("check failing");
        assert_eq!(service.admin("/health/ready").status, 503);
    }
}

#[test]
fn a_pool_of_more_connections_than_memory_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), &["database.max_connections=4294967295"], 78);
    assert!(said.contains("database.max_connections") && said.contains("at most 1000"), "{said}");
}
