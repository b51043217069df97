//! How long a change takes to be seen, from its first system call to its commit, and that each is one.

use super::NoSettings;
use crate::kit::Dir;
use prodkit_config::{Layers, Outcome, Reload, WatchOptions};
use prodkit_fakes::{FakeCheckout, FakeVolume};
use prodkit_live::Live;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Deserialize)]
struct Config {
    n: Live<u32>,
}

const CHANGES: u32 = 1_000;
/// Events alone: the poll must not help.
const POLL: Duration = Duration::from_secs(3600);

/// One way in which a file changes.
struct Way {
    name: &'static str,
    path: PathBuf,
    write: Box<dyn Fn(&str) + Sync>,
}

fn ways(dir: &Dir) -> [Way; 4] {
    let volume = FakeVolume::new(dir.path("volume"));
    let checkout = FakeCheckout::new(dir.path("git"), "current");
    let [renamed, plain] = ["renamed/config.yaml", "plain/config.yaml"].map(|name| dir.write(name, ""));
    let rename = |path: PathBuf| {
        move |text: &str| {
            fs::write(path.with_extension("new"), text).unwrap();
            fs::rename(path.with_extension("new"), &path).unwrap();
        }
    };
    let in_place = |path: PathBuf| move |text: &str| fs::write(&path, text).unwrap();
    [
        Way {
            name: "swap of `..data`",
            path: volume.path("config.yaml"),
            write: Box::new(move |text| assert!(volume.write(&[("config.yaml", text)]))),
        },
        Way {
            name: "swap of a checkout",
            path: checkout.path("config.yaml"),
            write: Box::new(move |text| checkout.write(&[("config.yaml", text)])),
        },
        Way { name: "rename", path: renamed.clone(), write: Box::new(rename(renamed)) },
        Way { name: "in-place write", path: plain.clone(), write: Box::new(in_place(plain)) },
    ]
}

/// Changes apart from each other by 3 to 13 ms, each of them awaited.
async fn measure(path: &Path, write: &(dyn Fn(&str) + Sync)) -> Vec<Duration> {
    write("n: 0");
    let options = WatchOptions::default().poll(POLL);
    let started = Reload::<NoSettings, Config>::start(Layers::new().file(path), &[], options);
    let (loaded, mut reload) = started.unwrap();
    let mut times = Vec::new();
    for n in 1..=CHANGES {
        thread::park_timeout(Duration::from_millis(u64::from(n % 11) + 3));
        let start = Instant::now();
        write(&format!("n: {n}"));
        let outcome = reload.next().await;
        times.push(start.elapsed());
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        assert_eq!(*loaded.config.n.get(), n);
    }
    // None was more than one commit, and nothing is left to be seen.
    reload.handle().touch();
    let last = reload.next().await;
    assert!(matches!(last, Outcome::Unchanged), "{last:?}");
    assert_eq!(reload.status().generation, u64::from(CHANGES));
    times.sort();
    times
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p prodkit-config --test it latency -- --ignored --nocapture"]
async fn of_a_thousand_changes_in_each_way() {
    let dir = Dir::new();
    for Way { name, path, write } in ways(&dir) {
        let times = measure(&path, &*write).await;
        let (median, p99, most) = (times[500], times[990], times[999]);
        println!(
            "{name}: {CHANGES} changes, {CHANGES} commits; median {median:?}, p99 {p99:?}, most {most:?}"
        );
    }
}
