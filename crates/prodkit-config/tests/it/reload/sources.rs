//! Where the new text comes from.

use super::NoSettings;
use crate::kit::Dir;
use prodkit_config::{Layers, Outcome, Reload, WatchOptions};
use prodkit_fakes::FakeVolume;
use prodkit_live::Live;
use serde::Deserialize;
use std::fmt::Write as _;

#[derive(Deserialize)]
struct Config {
    a: Live<u32>,
    #[serde(default)]
    b: Live<u64>,
    #[serde(default)]
    password: Live<String>,
}

type R = Reload<NoSettings, Config>;

#[tokio::test]
async fn swaps_of_a_volume_each_one_commit() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    volume.write(&[("config.yaml", "a: 0")]);
    let layers = Layers::new().file(volume.path("config.yaml"));
    let (loaded, mut reload) = R::start(layers, &[], WatchOptions::default()).unwrap();
    for n in 1..=50 {
        volume.write(&[("config.yaml", format!("a: {n}"))]);
        assert!(matches!(reload.next().await, Outcome::Committed(_)));
        assert_eq!((*loaded.config.a.get(), reload.status().generation), (n, u64::from(n)));
    }
}

#[tokio::test]
async fn a_directory_whose_files_come_and_go() {
    let dir = Dir::with(&[("conf/10.yaml", b"a: 1")]);
    let (loaded, mut reload) =
        R::start(Layers::new().file(dir.path("conf")), &[], WatchOptions::default()).unwrap();
    let config = loaded.config;
    dir.write("conf/20.yaml", "b: 2");
    assert!(matches!(reload.next().await, Outcome::Committed(_)));
    assert_eq!((*config.a.get(), *config.b.get()), (1, 2));
    // What is wrong in a file that was not there before can be put right.
    dir.write("conf/30.yaml", "b: x");
    assert!(matches!(reload.next().await, Outcome::Refused(_)));
    dir.write("conf/30.yaml", "b: 3");
    assert!(matches!(reload.next().await, Outcome::Committed(_)));
    assert_eq!(*config.b.get(), 3);
    std::fs::remove_file(dir.path("conf/30.yaml")).unwrap();
    assert!(matches!(reload.next().await, Outcome::Committed(_)));
    assert_eq!(*config.b.get(), 2);
}

#[tokio::test]
async fn a_second_file_layers_over_the_first_and_flags_over_both() {
    let dir = Dir::with(&[("config.yaml", b"a: 1\nb: 1"), ("vault/config.yaml", b"b: 2\npassword: hunter2")]);
    let layers = Layers::new().file(dir.path("config.yaml")).file(dir.path("vault/config.yaml")).set("a=7");
    let (loaded, mut reload) = R::start(layers, &[], WatchOptions::default()).unwrap();
    let config = loaded.config;
    assert_eq!((*config.a.get(), *config.b.get()), (7, 2));
    // What a flag covers moves nothing.
    dir.write("config.yaml", "a: 2\nb: 3");
    assert!(matches!(reload.next().await, Outcome::Unchanged));
    dir.write("vault/config.yaml", "password: hunter3");
    let Outcome::Committed(commit) = reload.next().await else { panic!("it is new") };
    assert_eq!(commit.moved, ["b", "password"]);
    assert_eq!((*config.a.get(), *config.b.get(), config.password.load().as_str()), (7, 3, "hunter3"));
    let shown = reload.snapshot().show().to_string();
    assert!(shown.contains("password = ***") && !shown.contains("hunter"), "{shown}");
    let hash = reload.status().hash;
    dir.write("vault/config.yaml", "password: hunter4");
    assert!(matches!(reload.next().await, Outcome::Committed(_)));
    assert_eq!(reload.status().hash, hash, "a hash that tells secrets apart tells of them");
}

/// The two files always agree. They are read one after the other, while they are swapped as one.
#[test]
fn half_of_one_update_is_never_taken_with_half_of_another() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    let write = |n: u64| volume.write(&[("1.yaml", format!("a: {n}")), ("2.yaml", format!("b: {n}"))]);
    write(0);
    let layers = Layers::new().file(volume.path("1.yaml")).file(volume.path("2.yaml"));
    let (loaded, mut reload) = R::start(layers, &[], WatchOptions::default()).unwrap();
    let config = loaded.config;
    let mut seen = String::new();
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| (1..=300).for_each(|n| assert!(write(n))));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            while *config.b.get() != 300 {
                let outcome = reload.next().await;
                let (a, b) = (*config.a.get(), *config.b.get());
                assert_eq!(u64::from(a), b, "{outcome:?} after{seen}");
                let _ = write!(seen, " {b}");
            }
        });
        writer.join().unwrap();
    });
}

#[tokio::test]
async fn another_way_of_watching_misses_nothing_and_has_nothing_to_say() {
    let dir = Dir::with(&[("config.yaml", b"a: 1")]);
    let start =
        || R::start(Layers::new().file(dir.path("config.yaml")), &[], WatchOptions::default()).unwrap();
    let (loaded, reload) = start();
    dir.write("config.yaml", "a: 2");
    let mut reload = reload.watching(WatchOptions::default());
    assert!(matches!(reload.next().await, Outcome::Committed(_)));
    assert_eq!(*loaded.config.a.get(), 2);

    let (_loaded, reload) = start();
    let mut reload = reload.watching(WatchOptions::default());
    reload.handle().touch();
    // That of the touch, not one that nobody asked for.
    assert!(matches!(reload.next().await, Outcome::Unchanged));
    let more = tokio::time::timeout(std::time::Duration::from_millis(100), reload.next());
    assert!(more.await.is_err());
}
