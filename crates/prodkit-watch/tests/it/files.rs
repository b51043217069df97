//! Plain files and directories.

use crate::support::{Rig, patient, replace};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

#[tokio::test]
async fn in_place_write() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    for n in 0..3 {
        fs::write(&path, format!("new {n}")).unwrap();
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn truncate_then_write() {
    let (mut rig, path) = Rig::with(patient()).of("a.yaml", "old");
    let mut file = File::create(&path).unwrap();
    rig.goes_on().await;
    file.write_all(b"first half, ").unwrap();
    rig.goes_on().await;
    file.write_all(b"second half").unwrap();
    drop(file);
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn an_open_writer_is_waited_for_until_it_is_quiet() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"all there is").unwrap();
    // never closed: it is the quiet that ends the wait
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
    drop(file);
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_writer_that_never_stops_is_looked_at_all_the_same() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (path, stop) = (path.clone(), stop.clone());
        move || {
            let (file, mut count) = (File::create(&path).unwrap(), 0_u64);
            while !stop.load(Relaxed) {
                // in place, without a pause and without an end
                count += 1;
                file.write_all_at(&count.to_ne_bytes(), 0).unwrap();
            }
        }
    });
    for _ in 0..2 {
        rig.sees(&[&path]).await;
    }
    stop.store(true, Relaxed);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_file_that_arrives_waits_for_another_that_is_half_written() {
    let (mut rig, a) = Rig::with(patient()).of("a.yaml", "old");
    let b = rig.file("b.yaml", "old");
    rig.watch.set([&a, &b]);
    let mut half = File::create(&b).unwrap();
    half.write_all(b"half").unwrap();
    rig.goes_on().await;
    replace(&a, "new");
    rig.goes_on().await;
    half.write_all(b" and half").unwrap();
    drop(half);
    rig.sees(&[&a, &b]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn atomic_rename() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    for n in 0..3 {
        replace(&path, &format!("new {n}"));
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn touching_rewriting_and_reading_are_no_changes() {
    let (mut rig, path) = Rig::on("a.yaml", "same");
    File::open(&path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::write(&path, "same").unwrap();
    replace(&path, "same");
    fs::read(&path).unwrap();
    rig.sees_nothing_more().await;
    replace(&path, "other");
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_rollback_is_a_change_although_its_time_is_old() {
    let (mut rig, path) = Rig::on("a.yaml", "1");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    for content in ["2", "1", "2"] {
        let new = rig.file("new", content);
        File::open(&new).unwrap().set_modified(time).unwrap();
        fs::rename(&new, &path).unwrap();
        rig.sees(&[&path]).await;
    }
}

#[tokio::test]
async fn deletion_and_return() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    fs::remove_file(&path).unwrap();
    rig.sees(&[&path]).await;
    fs::write(&path, "new").unwrap();
    rig.sees(&[&path]).await;
    // and back before anybody believed it
    fs::remove_file(&path).unwrap();
    fs::write(&path, "new").unwrap();
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn deletion_and_return_of_every_directory_above() {
    let (mut rig, path) = Rig::on("etc/app/a.yaml", "old");
    for n in 0..3 {
        fs::remove_dir_all(rig.path("etc")).unwrap();
        rig.sees(&[&path]).await;
        fs::create_dir(rig.path("etc")).unwrap();
        rig.file("etc/app/a.yaml", &format!("new {n}"));
        rig.sees(&[&path]).await;
        replace(&path, &format!("newer {n}"));
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_directory_moved_away_and_replaced() {
    let (mut rig, path) = Rig::on("app/a.yaml", "old");
    for n in 0..3 {
        rig.file("next/a.yaml", &format!("new {n}"));
        fs::rename(rig.path("app"), rig.path(&format!("app.{n}"))).unwrap();
        fs::rename(rig.path("next"), rig.path("app")).unwrap();
        rig.sees(&[&path]).await;
        // the watch is on the directory of this name, not on the one that had it
        fs::write(rig.path(&format!("app.{n}/a.yaml")), "elsewhere").unwrap();
        fs::write(&path, format!("in place {n}")).unwrap();
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_file_that_does_not_exist_yet() {
    let mut rig = Rig::new();
    let path = rig.path("not/yet/a.yaml");
    rig.watch.set([&path]);
    rig.file("not/yet/a.yaml", "");
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_directory_stands_for_its_names() {
    let mut rig = Rig::new();
    let path = rig.file("conf.d/10-a.yaml", "");
    let directory = rig.path("conf.d");
    rig.watch.set([&directory]);
    let other = rig.file("conf.d/20-b.yaml", "");
    rig.sees(&[&directory]).await;
    fs::write(&other, "content").unwrap();
    rig.file("conf.d/.hidden", "");
    rig.sees_nothing_more().await;
    fs::rename(&path, rig.path("conf.d/30-c.yaml")).unwrap();
    rig.sees(&[&directory]).await;
    fs::remove_file(&other).unwrap();
    rig.sees(&[&directory]).await;
    fs::remove_dir_all(&directory).unwrap();
    rig.sees(&[&directory]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn links_are_followed_at_every_step() {
    let mut rig = Rig::new();
    for n in 1..=2 {
        rig.file(&format!("store/{n}/a.yaml"), &format!("{n}"));
    }
    let (outer, inner) = (rig.path("outer"), rig.path("links/inner"));
    fs::create_dir(rig.path("links")).unwrap();
    symlink("../store/1", &inner).unwrap();
    symlink("links/./inner/../1", &outer).unwrap();
    let path = outer.join("a.yaml");
    rig.watch.set([&path]);
    fs::write(rig.path("store/1/a.yaml"), "in place").unwrap();
    rig.sees(&[&path]).await;
    fs::remove_file(&outer).unwrap();
    rig.sees(&[&path]).await;
    symlink(rig.path("store/2"), &outer).unwrap();
    rig.sees(&[&path]).await;
    fs::write(rig.path("store/2/a.yaml"), "in place").unwrap();
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_loop_of_links_is_a_file_that_cannot_be_read() {
    let mut rig = Rig::new();
    let (a, b) = (rig.path("a.yaml"), rig.path("b.yaml"));
    symlink("b.yaml", &a).unwrap();
    symlink("a.yaml", &b).unwrap();
    rig.watch.set([&a]);
    rig.sees_nothing_more().await;
    replace(&b, "an end");
    rig.sees(&[&a]).await;
    fs::remove_file(&b).unwrap();
    rig.sees(&[&a]).await;
    symlink("a.yaml", &b).unwrap();
    // from missing to a loop: another reason why it cannot be read
    rig.sees(&[&a]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn what_is_no_regular_file_is_never_opened() {
    let mut rig = Rig::new();
    let path = rig.path("a.yaml");
    // opening a pipe would wait for a writer for ever
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    rig.watch.set([&path]);
    rig.sees_nothing_more().await;
    replace(&path, "a file");
    rig.sees(&[&path]).await;
}

#[tokio::test]
async fn a_change_of_mode_alone_is_none() {
    let (mut rig, path) = Rig::on("a.yaml", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_large_file_counts_up_to_4_mib_and_says_so() {
    let (mut rig, path) = Rig::on("a.yaml", "small");
    let mut content = "x".repeat(4 << 20);
    fs::write(&path, &content).unwrap();
    rig.sees(&[&path]).await;
    assert_eq!(rig.watch.handle().health().blind, []);
    content.push_str("yz");
    fs::write(&path, &content).unwrap();
    rig.sees(&[&path]).await;
    assert_eq!(rig.watch.handle().health().blind, [(path.clone(), prodkit_watch::Blind::TooLarge)]);
    replace(&path, "small again");
    rig.sees(&[&path]).await;
    assert_eq!(rig.watch.handle().health().blind, []);
}
