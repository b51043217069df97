//! The ways in which editors save, call by call.

use crate::support::Rig;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Saves three times as `save` does and expects one look for each.
async fn check(save: fn(&Path, &str)) {
    let (mut rig, path) = Rig::on("config.yaml", "old");
    for n in 0..3 {
        save(&path, &format!("new {n}"));
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

fn beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(name)
}

#[tokio::test]
async fn vim_renames_the_old_file_and_writes_a_new_one() {
    check(|path, content| {
        let (swap, probe, backup) =
            (beside(path, ".config.yaml.swp"), beside(path, "4913"), beside(path, "config.yaml~"));
        fs::write(&swap, "swap").unwrap();
        fs::write(&probe, "").unwrap();
        fs::remove_file(&probe).unwrap();
        fs::rename(path, &backup).unwrap();
        fs::write(path, content).unwrap();
        fs::remove_file(&backup).unwrap();
        fs::remove_file(&swap).unwrap();
    })
    .await;
}

#[tokio::test]
async fn vim_writes_through_when_it_must_keep_the_file() {
    check(|path, content| {
        let backup = beside(path, "config.yaml~");
        fs::copy(path, &backup).unwrap();
        fs::write(path, content).unwrap();
        fs::remove_file(&backup).unwrap();
    })
    .await;
}

#[tokio::test]
async fn emacs_locks_by_a_dangling_link_and_keeps_a_backup() {
    check(|path, content| {
        let lock = beside(path, ".#config.yaml");
        symlink("user@host.1:1", &lock).unwrap();
        fs::rename(path, beside(path, "config.yaml~")).unwrap();
        fs::write(path, content).unwrap();
        fs::remove_file(&lock).unwrap();
    })
    .await;
}

#[tokio::test]
async fn write_new_and_rename() {
    check(|path, content| {
        let new = beside(path, ".config.yaml.XYZ");
        fs::write(&new, content).unwrap();
        fs::rename(&new, path).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_backup_link_and_a_rename_over_it() {
    check(|path, content| {
        let (new, backup) = (beside(path, "config.yaml.tmp"), beside(path, "config.yaml.bak"));
        drop(fs::remove_file(&backup));
        fs::hard_link(path, &backup).unwrap();
        fs::write(&new, content).unwrap();
        fs::rename(&new, path).unwrap();
    })
    .await;
}

#[tokio::test]
async fn truncate_and_write() {
    check(|path, content| fs::write(path, content).unwrap()).await;
}

#[tokio::test]
async fn remove_and_write() {
    check(|path, content| {
        fs::remove_file(path).unwrap();
        fs::write(path, content).unwrap();
    })
    .await;
}
