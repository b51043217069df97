//! The ways in which editors save, call by call.

use crate::support::{Rig, patient};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// One call of an editor.
enum Call {
    /// The whole of a file at once: open, truncate, write, close.
    Write(&'static str),
    /// The same for the new content.
    WriteNew(&'static str),
    Rename(&'static str, &'static str),
    HardLink(&'static str, &'static str),
    Copy(&'static str, &'static str),
    DanglingLink(&'static str),
    Remove(&'static str),
}
use Call::{Copy, DanglingLink, HardLink, Remove, Rename, Write, WriteNew};

/// Saves three times, first in one go and then with a check after each call, and expects one look for each time.
async fn check(calls: &[Call]) {
    let (mut rig, path) = Rig::with(patient()).of("config.yaml", "old");
    for n in 0..3 {
        for call in calls {
            make(&rig, call, &format!("new {n}"));
            if n > 0 && !matches!(call, WriteNew("config.yaml") | Rename(_, "config.yaml")) {
                rig.goes_on().await;
            }
            if matches!(call, WriteNew("config.yaml") | Rename(_, "config.yaml")) {
                rig.sees(&[&path]).await;
            }
        }
    }
    rig.sees_nothing_more().await;
}

fn make(rig: &Rig, call: &Call, content: &str) {
    let path = |name: &str| -> PathBuf { rig.path(name) };
    match call {
        Write(name) => fs::write(path(name), "").unwrap(),
        WriteNew(name) => fs::write(path(name), content).unwrap(),
        Rename(from, to) => fs::rename(path(from), path(to)).unwrap(),
        HardLink(from, to) => fs::hard_link(path(from), path(to)).unwrap(),
        Copy(from, to) => drop(fs::copy(path(from), path(to)).unwrap()),
        DanglingLink(name) => symlink("user@host.1:1", path(name)).unwrap(),
        Remove(name) => fs::remove_file(path(name)).unwrap(),
    }
}

#[tokio::test]
async fn vim_renames_the_old_file_and_writes_a_new_one() {
    check(&[
        Write(".config.yaml.swp"),
        Write("4913"),
        Remove("4913"),
        Rename("config.yaml", "config.yaml~"),
        WriteNew("config.yaml"),
        Remove("config.yaml~"),
        Remove(".config.yaml.swp"),
    ])
    .await;
}

#[tokio::test]
async fn vim_writes_through_when_it_must_keep_the_file() {
    check(&[Copy("config.yaml", "config.yaml~"), WriteNew("config.yaml"), Remove("config.yaml~")]).await;
}

#[tokio::test]
async fn emacs_locks_by_a_dangling_link_and_keeps_a_backup() {
    check(&[
        DanglingLink(".#config.yaml"),
        Rename("config.yaml", "config.yaml~"),
        WriteNew("config.yaml"),
        Remove(".#config.yaml"),
    ])
    .await;
}

#[tokio::test]
async fn write_new_and_rename() {
    check(&[WriteNew(".config.yaml.XYZ"), Rename(".config.yaml.XYZ", "config.yaml")]).await;
}

#[tokio::test]
async fn a_backup_link_and_a_rename_over_it() {
    check(&[
        HardLink("config.yaml", "config.yaml.bak"),
        WriteNew("config.yaml.tmp"),
        Rename("config.yaml.tmp", "config.yaml"),
        Remove("config.yaml.bak"),
    ])
    .await;
}

#[tokio::test]
async fn truncate_and_write() {
    check(&[WriteNew("config.yaml")]).await;
}

#[tokio::test]
async fn remove_and_write() {
    check(&[Remove("config.yaml"), WriteNew("config.yaml")]).await;
}
