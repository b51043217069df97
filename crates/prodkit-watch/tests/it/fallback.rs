//! Where there are no events.

use crate::alone;
use crate::support::{Rig, events, polls, replace};
use prodkit_fakes::FakeVolume;
use prodkit_watch::{Blind, Mode, Watch};
use std::fs;
use std::path::Path;
use std::time::Duration;

#[tokio::test]
async fn a_file_system_without_events_is_polled() {
    let mut rig = Rig::with(polls());
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "0")]);
    let (a, b) = (rig.file("a.yaml", "0"), volume.path("config.yaml"));
    rig.watch.set([&a, &b]);
    for n in 1..4 {
        fs::write(&a, n.to_string()).unwrap();
        rig.sees(&[&a]).await;
        volume.write(&[("config.yaml", n.to_string())]);
        rig.sees(&[&b]).await;
    }
    rig.sees_nothing_more().await;
    let health = rig.watch.handle().health();
    assert_eq!((health.mode, health.last_error, health.directories), (Mode::Polling, None, 0));
}

#[tokio::test]
async fn what_a_poll_finds_must_stay_before_it_is_believed() {
    let mut rig = Rig::with(polls().quiet(Duration::from_secs(1)));
    let path = rig.file("a.yaml", "0");
    rig.watch.set([&path]);
    fs::write(&path, "half").unwrap();
    rig.goes_on().await;
    rig.goes_on().await;
    fs::write(&path, "half and half").unwrap();
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn the_poll_stands_behind_the_events() {
    // Written through another name of the same file, which no watch of a directory tells.
    let mut rig = Rig::with(events().poll(Duration::from_millis(50)));
    let path = rig.file("watched/a.yaml", "1");
    let other = rig.path("other");
    fs::hard_link(&path, &other).unwrap();
    rig.watch.set([&path]);
    assert_eq!(rig.watch.handle().health().mode, Mode::Events);
    fs::write(&other, "2").unwrap();
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[test]
fn no_inotify_instance_left() {
    in_own_limits("fallback::alone_without_instances");
}

#[tokio::test]
#[ignore = "run by no_inotify_instance_left, in a user namespace of its own"]
async fn alone_without_instances() {
    let limit = Path::new("/proc/sys/user/max_inotify_instances");
    check_exhaustion(limit, "1").await;
}

#[test]
fn no_inotify_watch_left() {
    in_own_limits("fallback::alone_without_watches");
}

#[tokio::test]
#[ignore = "run by no_inotify_watch_left, in a user namespace of its own"]
async fn alone_without_watches() {
    let limit = Path::new("/proc/sys/user/max_inotify_watches");
    check_exhaustion(limit, "100").await;
}

#[test]
fn a_file_mounted_by_itself_is_told() {
    in_own_limits("fallback::alone_with_a_mount");
}

#[tokio::test]
#[ignore = "run by a_file_mounted_by_itself_is_told, in a mount namespace of its own"]
async fn alone_with_a_mount() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "1"), ("sub/deep.yaml", "1")]);
    let (file, directory) = (rig.file("mounted.yaml", ""), rig.path("mounted"));
    fs::create_dir(&directory).unwrap();
    for (from, to) in [("config.yaml", &file), ("sub", &directory)] {
        let status =
            std::process::Command::new("mount").arg("--bind").args([&volume.path(from), to]).status();
        assert!(status.unwrap().success());
    }
    let deep = directory.join("deep.yaml");
    rig.watch.set([&file, &deep, &volume.path("config.yaml")]);
    let blind = rig.watch.handle().health().blind;
    assert_eq!(blind, [(file.clone(), Blind::Mount), (deep.clone(), Blind::Mount)]);
    // and it is so: the file stays as it was, the directory loses what kubelet removes
    volume.write(&[("config.yaml", "2"), ("sub/deep.yaml", "2")]);
    rig.sees(&[&deep, &volume.path("config.yaml")]).await;
    rig.sees_nothing_more().await;
    assert_eq!(fs::read(&file).unwrap(), b"1");
}

/// In namespaces of its own, the limits and mounts of a test are no one else's.
fn in_own_limits(name: &str) {
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    let able = std::process::Command::new("unshare").args([&unshare[1..], &["true"]].concat()).output();
    if able.is_ok_and(|output| output.status.success()) {
        alone::run(name, &unshare);
    } else {
        println!("not run: {name} needs unprivileged user namespaces");
    }
}

/// Polls while there is nothing to be had, and is back at events once there is.
async fn check_exhaustion(limit: &Path, enough: &str) {
    let mut rig = Rig::with(events().poll(Duration::from_millis(100)));
    fs::write(limit, "0").unwrap();
    rig.watch = Watch::new(events().poll(Duration::from_millis(100)));
    let path = rig.file("a.yaml", "1");
    rig.watch.set([&path]);
    let health = rig.watch.handle().health();
    assert_eq!((health.mode, health.directories), (Mode::Polling, 0));
    assert!(health.last_error.is_some());
    for n in 2..5 {
        replace(&path, &n.to_string());
        rig.sees(&[&path]).await;
    }

    fs::write(limit, enough).unwrap();
    let handle = rig.watch.handle();
    for attempt in 0.. {
        if handle.health().mode == Mode::Events {
            break;
        }
        assert!(attempt < 1_000, "never comes back");
        rig.goes_on().await;
    }
    let health = handle.health();
    assert_eq!((health.last_error, health.directories), (None, 1));
    replace(&path, "back");
    rig.sees(&[&path]).await;
}
