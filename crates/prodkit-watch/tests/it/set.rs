//! The set of paths may change after each look.

use crate::support::{Rig, replace};
use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

#[tokio::test]
async fn new_paths_are_told_and_known_ones_are_not() {
    let mut rig = Rig::new();
    let (a, b) = (rig.file("a", ""), rig.file("b", ""));
    assert!(rig.watch.set([&a]));
    assert!(!rig.watch.set([&a, &a]));
    assert!(rig.watch.set([&b, &a]));
    assert!(!rig.watch.set([&b]));
    assert!(rig.watch.set([&a]), "what was not watched meanwhile may have changed");
    assert!(!rig.watch.set::<&str>([]));
}

#[tokio::test]
async fn a_change_between_set_and_the_wait_is_seen() {
    let (mut rig, path) = Rig::on("a", "1");
    replace(&path, "2");
    assert!(!rig.watch.set([&path]));
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_path_that_left_the_set_is_not_looked_at() {
    let (mut rig, a) = Rig::on("a", "1");
    let b = rig.file("elsewhere/b", "1");
    rig.watch.set([&a, &b]);
    assert_eq!(rig.watch.handle().health().directories, 2);
    rig.watch.set([&b]);
    assert_eq!(rig.watch.handle().health().directories, 1);
    replace(&a, "2");
    replace(&b, "2");
    rig.sees(&[&b]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn looks_follow_the_order_of_the_set() {
    let mut rig = Rig::new();
    let (a, b) = (rig.file("a", ""), rig.file("b", ""));
    rig.watch.set([&b, &a]);
    let stop = fs::File::create(&a).unwrap();
    fs::write(&b, "2").unwrap();
    fs::write(&a, "2").unwrap();
    drop(stop);
    rig.sees(&[&b, &a]).await;
}

#[tokio::test]
async fn relative_paths_are_those_of_the_working_directory() {
    let mut rig = Rig::new();
    rig.watch.set(["Cargo.toml"]);
    rig.sees_nothing_more().await;
    let manifest = std::path::absolute("Cargo.toml").unwrap();
    assert!(!rig.watch.set([manifest]));
    assert!(rig.watch.set([""]), "leads nowhere, and is no reason to panic");
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_in_the_middle_of_a_check_loses_nothing() {
    let mut rig = Rig::new();
    // so large that a check lets others go first
    let large = rig.file("large", &"x".repeat(1 << 20));
    let path = rig.file("a", "1");
    rig.watch.set([&large, &path]);
    replace(&path, "2");
    rig.watch.handle().touch();
    for _ in 0..3 {
        let mut wait = pin!(rig.watch.changed());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let look = rig.look().await;
    assert_eq!((look.forced(), look.paths()), (true, &[path][..]));
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_over_an_open_writer_loses_nothing() {
    let (mut rig, path) = Rig::on("a", "1");
    let writer = fs::File::create(&path).unwrap();
    for _ in 0..3 {
        let mut wait = pin!(rig.watch.changed());
        drop(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())));
    }
    drop(writer);
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn touches_before_a_look_are_one() {
    let (mut rig, _) = Rig::on("a", "1");
    let handle = rig.watch.handle();
    for _ in 0..5 {
        handle.touch();
    }
    assert!(rig.look().await.forced());
    rig.sees_nothing_more().await;
    drop(rig);
    handle.touch();
    assert_eq!(handle.health().looks, 2);
}

#[tokio::test]
async fn a_change_and_back_is_none() {
    let (mut rig, path) = Rig::on("a", "1");
    replace(&path, "2");
    replace(&path, "1");
    rig.sees_nothing_more().await;
}
