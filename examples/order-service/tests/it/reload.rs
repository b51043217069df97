//! Feature flags and the log level follow a volume that is updated as Kubernetes updates a ConfigMap.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::{GOOD_ORDER, Service};

/// The sequence of kubelet's atomic writer: a new directory, one link that is swapped, the old directory removed.
fn swap(volume: &Path, moment: &str, text: &str) {
    let old = fs::read_link(volume.join("..data")).ok();
    fs::create_dir_all(volume.join(moment)).unwrap();
    fs::write(volume.join(moment).join("config.yaml"), text).unwrap();
    symlink(moment, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    match old {
        Some(old) => fs::remove_dir_all(volume.join(old)).unwrap(),
        None => symlink("..data/config.yaml", volume.join("config.yaml")).unwrap(),
    }
}

#[test]
fn flags_and_level_move_and_a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    swap(&volume, "..1", "feature_flags: {new_checkout: false}\n");
    let mut service = Service::start_with(folder.path(), &["--config", "volume/config.yaml"], &[]);
    assert_eq!(service.get("/api/features").json()["new_checkout"], false);

    swap(&volume, "..2", "feature_flags: {new_checkout: true}\nlog: {level: \"warn,http=error\"}\n");
    service.line("configuration reloaded");
    assert_eq!(service.get("/api/features").json()["new_checkout"], true);
    assert_eq!(service.post(GOOD_ORDER).status, 201);

    let before = service.admin("/admin/config").json();
    assert!(before["last_error"].is_null());
    swap(&volume, "..3", "feature_flags: {new_checkout: maybe}\nlog: {level: debug}\n");
    service.line("new configuration refused, the last good one stays");
    assert_eq!(service.get("/api/features").json()["new_checkout"], true);
    let mut shown = service.admin("/admin/config").json();
    let error = shown["last_error"].take();
    let error = error.as_str().unwrap();
    assert!(error.contains("volume/config.yaml:1:31: feature_flags.new_checkout: "), "{error}");
    assert_eq!(shown["generation"], 1);
    assert_eq!(shown, before, "nothing else has changed");

    swap(&volume, "..4", "feature_flags: {new_checkout: false}\nlog: {level: info}\n");
    service.line("configuration reloaded");
    assert_eq!(service.get("/api/features").json()["new_checkout"], false);
    assert!(service.admin("/admin/config").json()["last_error"].is_null());
    // Requests are logged again, and none was while the level was higher.
    service.line("request");
    let features = |line: &&serde_json::Value| line["path"] == "/api/features";
    assert_eq!(service.seen("request").into_iter().filter(features).count(), 2);
}
