//! What watching costs, in a process of its own: descriptors, memory, time on a core.

use crate::alone;
use crate::support::{Rig, events, replace};
use prodkit_fakes::FakeVolume;
use prodkit_watch::Watch;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

#[test]
fn swaps_leave_nothing_behind() {
    alone::run("cost::alone_swapping", &[]);
}

#[tokio::test]
#[ignore = "run by swaps_leave_nothing_behind; PRODKIT_LONG=1 makes it ten thousand"]
async fn alone_swapping() {
    let mut rig = Rig::new();
    let volume = FakeVolume::new(rig.path("volume"));
    let path = volume.path("config.yaml");
    rig.watch.set([&path]);
    let swaps = if std::env::var_os("PRODKIT_LONG").is_some() { 10_000 } else { 1_500 };
    let mut before = None;
    for n in 0..swaps {
        // the first swaps pay for what stays
        if n == 500 {
            before = Some((descriptors(), resident()));
        }
        volume.write(&[("config.yaml", n.to_string())]);
        rig.sees(&[&path]).await;
    }
    let (descriptors_before, resident_before) = before.unwrap();
    let grown = resident().saturating_sub(resident_before);
    println!("descriptors {descriptors_before} -> {}, resident +{} KiB", descriptors(), grown >> 10);
    assert_eq!(descriptors(), descriptors_before);
    assert!(grown <= 1 << 20, "{grown} bytes");
    rig.sees_nothing_more().await;
}

#[tokio::test]
async fn reading_wakes_no_check() {
    let (mut rig, path) = Rig::on("config.yaml", "1");
    let reader = thread::spawn({
        let path = path.clone();
        move || {
            for _ in 0..20_000 {
                fs::read(&path).unwrap();
            }
            replace(&path, "2");
        }
    });
    rig.sees(&[&path]).await;
    reader.join().unwrap();
    rig.sees_nothing_more().await;
    let checks = rig.watch.handle().health().checks;
    assert!(checks <= 5, "{checks} checks for one change");
}

#[test]
fn an_event_storm_is_weathered() {
    alone::run("cost::alone_in_a_storm", &[]);
}

#[tokio::test]
#[ignore = "run by an_event_storm_is_weathered"]
async fn alone_in_a_storm() {
    let (mut rig, path) = Rig::on("config.yaml", "1");
    let handle = rig.watch.handle();
    let (stop, touches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let storm = thread::spawn({
        let (path, stop, touches) = (path.clone(), stop.clone(), touches.clone());
        move || {
            let start = Instant::now();
            while !stop.load(Relaxed) {
                while touches.load(Relaxed) < start.elapsed().as_millis() as u64 * 10 && !stop.load(Relaxed) {
                    // what touch(1) does: open, change the times, close
                    let file = fs::File::options().append(true).open(&path).unwrap();
                    file.set_modified(SystemTime::now()).unwrap();
                    touches.fetch_add(1, Relaxed);
                }
                thread::park_timeout(Duration::from_millis(1));
            }
            own_time()
        }
    });
    let start = Instant::now();
    let before = all_time();
    let look = tokio::time::timeout(Duration::from_secs(3), rig.watch.changed()).await;
    let (elapsed, used) = (start.elapsed(), all_time() - before);
    assert!(look.is_err(), "a touch is no change: {look:?}");
    // and a change in the middle of it is one look
    replace(&path, "2");
    rig.sees(&[&path]).await;
    stop.store(true, Relaxed);
    let touching = storm.join().unwrap();
    rig.sees_nothing_more().await;

    let (used, checks) = (used.saturating_sub(touching), handle.health().checks);
    let rate = touches.load(Relaxed) as f64 / elapsed.as_secs_f64();
    let share = used.as_secs_f64() / elapsed.as_secs_f64();
    println!("{rate:.0} touches/s: {:.1} % of a core, {checks} checks", share * 100.0);
    // The promise is about the one that runs in production.
    let most = if cfg!(debug_assertions) { 0.4 } else { 0.2 };
    assert!(share <= most, "{share}");
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p prodkit-watch --test it latency -- --ignored --nocapture"]
async fn latency() {
    let mut rig = Rig::with(events());
    let volume = FakeVolume::new(rig.path("volume"));
    volume.write(&[("config.yaml", "0")]);
    let (swapped, renamed) = (volume.path("config.yaml"), rig.file("plain/a.yaml", "0"));
    rig.watch.set([&swapped, &renamed]);
    for (way, spaced) in [("swap", true), ("rename", true), ("in place", true), ("swap", false)] {
        let mut times = Vec::new();
        for n in 1..=1_000_u32 {
            let pause = if spaced {
                Duration::from_micros(u64::from(n % 11) * 1_000 + 3_000)
            } else {
                Duration::ZERO
            };
            let content = format!("{way} {spaced} {n}");
            let writer = thread::spawn({
                let (directory, renamed) = (volume.directory().to_owned(), renamed.clone());
                move || {
                    thread::park_timeout(pause);
                    let start = Instant::now();
                    match way {
                        "swap" => drop(FakeVolume::new(directory).write(&[("config.yaml", content)])),
                        "rename" => replace(&renamed, &content),
                        _ => fs::write(&renamed, content).unwrap(),
                    }
                    start
                }
            });
            let look = rig.look().await;
            let end = Instant::now();
            assert_eq!(look.paths().len(), 1);
            times.push(end - writer.join().unwrap());
        }
        times.sort();
        let (median, p99, most) = (times[500], times[990], times[999]);
        println!("{way}, spaced {spaced}: median {median:?}, p99 {p99:?}, most {most:?}");
    }
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p prodkit-watch --test it hashing -- --ignored --nocapture"]
async fn hashing() {
    let mut rig = Rig::new();
    let path = rig.path("large");
    for size in [1 << 10, 64 << 10, 1 << 20, 4 << 20] {
        fs::write(&path, vec![b'x'; size]).unwrap();
        let mut times: Vec<_> = (0..50)
            .map(|_| {
                rig.watch = Watch::new(events());
                let start = Instant::now();
                rig.watch.set([&path]);
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("{} KiB: set takes {:?}", size >> 10, times[25]);
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The time all threads of this process have had on a core.
fn all_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| time(&task.unwrap().path().join("schedstat"))).sum()
}

fn own_time() -> Duration {
    time("/proc/thread-self/schedstat".as_ref())
}

fn time(schedstat: &std::path::Path) -> Duration {
    let text = fs::read_to_string(schedstat).unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0))
}
