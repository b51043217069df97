//! Volumes that are swapped as a whole.

use crate::support::Rig;
use prodkit_fakes::{FakeCheckout, FakeVolume, LinkOrder};
use std::fs;

#[tokio::test]
async fn data_swap_twice_and_more() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "0")]);
    let path = volume.path("config.yaml");
    rig.watch.set([&path]);
    for n in 1..5 {
        volume.write(&[("config.yaml", n.to_string())]);
        rig.sees(&[&path]).await;
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn two_hundred_swaps_in_a_row_each_seen() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "0")]);
    let path = volume.path("config.yaml");
    rig.watch.set([&path]);
    for n in 1..=200 {
        volume.write(&[("config.yaml", n.to_string())]);
        rig.sees(&[&path]).await;
        assert_eq!(fs::read_to_string(&path).unwrap(), n.to_string());
    }
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn of_two_hundred_swaps_that_nobody_waits_for_the_last_is_seen() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "0")]);
    let path = volume.path("config.yaml");
    rig.watch.set([&path]);
    let writer = std::thread::spawn(move || {
        for n in 1..=200 {
            volume.write(&[("config.yaml", n.to_string())]);
        }
    });
    loop {
        rig.sees(&[&path]).await;
        if fs::read_to_string(&path).is_ok_and(|content| content == "200") {
            break;
        }
    }
    writer.join().unwrap();
    // the content may have been newer already than what the look was for
    rig.watch.handle().touch();
    assert!(rig.look().await.forced());
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn only_the_files_that_changed_are_named() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("a.yaml", "1"), ("b.yaml", "1")]);
    let (a, b) = (volume.path("a.yaml"), volume.path("b.yaml"));
    rig.watch.set([&a, &b]);
    volume.write(&[("a.yaml", "1"), ("b.yaml", "2")]);
    rig.sees(&[&b]).await;
    assert!(!volume.write(&[("a.yaml", "1"), ("b.yaml", "2")]), "kubelet leaves an unchanged volume alone");
    volume.write(&[("a.yaml", "2"), ("b.yaml", "3")]);
    rig.sees(&[&a, &b]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn a_key_that_goes_and_comes_whichever_the_order_of_links() {
    for order in [LinkOrder::BeforeSwap, LinkOrder::AfterSwap] {
        let mut rig = Rig::new();
        let volume = FakeVolume::new(rig.path("volume")).link_order(order);
        volume.write(&[("a.yaml", "1")]);
        let (a, b, directory) = (volume.path("a.yaml"), volume.path("b.yaml"), volume.directory().to_owned());
        rig.watch.set([&a, &b]);
        volume.write(&[("a.yaml", "1"), ("b.yaml", "1")]);
        rig.sees(&[&b]).await;
        volume.write(&[("a.yaml", "1")]);
        rig.sees(&[&b]).await;
        rig.sees_nothing_more().await;
        rig.watch.set([&directory]);
        volume.write(&[("a.yaml", "2")]);
        rig.sees_nothing_more().await;
        volume.write(&[("c.yaml", "1")]);
        rig.sees(&[&directory]).await;
        rig.sees_nothing_more().await;
    }
}

#[tokio::test]
async fn a_volume_that_is_empty_at_first() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    let path = volume.path("config.yaml");
    rig.watch.set([&path]);
    volume.write(&[("config.yaml", "1")]);
    rig.sees(&[&path]).await;
    volume.write(&[("config.yaml", "2")]);
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn projected_volume() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    let write = |token: &str, labels: &str| volume.write(&[("token", token), ("podinfo/labels", labels)]);
    write("t1", "l1");
    let (token, labels) = (volume.path("token"), volume.path("podinfo/labels"));
    rig.watch.set([&token, &labels]);
    for n in 2..5 {
        write("t1", &format!("l{n}"));
        rig.sees(&[&labels]).await;
    }
    write("t2", "l4");
    rig.sees(&[&token]).await;
    rig.sees_nothing_more().await;
    // one watch for the volume, none for directories that come and go
    assert_eq!(rig.watch.handle().health().directories, 1);
}

#[tokio::test]
async fn git_sync() {
    let mut rig = Rig::new();
    let checkout = FakeCheckout::new(rig.path("git"), "current");
    checkout.write(&[("config/app.yaml", "1")]);
    let path = checkout.path("config/app.yaml");
    rig.watch.set([&path]);
    for n in 2..6 {
        checkout.write(&[("config/app.yaml", n.to_string())]);
        rig.sees(&[&path]).await;
    }
    fs::write(&path, "in place").unwrap();
    rig.sees(&[&path]).await;
    checkout.write(&[("elsewhere/app.yaml", "7")]);
    rig.sees(&[&path]).await;
    checkout.write(&[("config/app.yaml", "8")]);
    rig.sees(&[&path]).await;
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn sub_path_never_updates() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "1")]);
    let mounted = rig.path("mounted.yaml");
    volume.sub_path("config.yaml", &mounted);
    rig.watch.set([&mounted]);
    volume.write(&[("config.yaml", "2")]);
    rig.sees_nothing_more().await;
}
