//! Every way in which a file may change, on a real file system and through a whole reload: each change is one commit, and
//! what is no change is none.
//!
//! | change | here | and in prodkit-watch, event by event |
//! |---|---|---|
//! | in-place write | `in_place_write` | `files::in_place_write`, `files::an_open_writer_is_waited_for_until_it_is_quiet` |
//! | truncate, then write | `truncate_then_write` | `files::truncate_then_write` |
//! | atomic rename | `atomic_rename` | `files::atomic_rename` |
//! | the ways editors save | `editors` | `editors::*`, one for each |
//! | ConfigMap `..data` swap, 200 in a row | `data_swaps`, `data_swaps_nobody_waits_for` | `volumes::*` |
//! | projected volume | `projected_volume` | `volumes::projected_volume` |
//! | git-sync style link to a directory | `git_sync` | `volumes::git_sync` |
//! | deletion and return | `deletion_and_return` | `files::deletion_and_return`, `…_of_every_directory_above` |
//! | `subPath`: never updates, and says so | `sub_path` | `fallback::a_file_mounted_by_itself_is_told` |
//! | loop of links | `loop_of_links` | `files::a_loop_of_links_is_a_file_that_cannot_be_read` |
//! | event storm | `event_storm` | `cost::an_event_storm_is_weathered`, `cost::reading_wakes_no_check` |
//! | the watcher dies | | `watch/tests::the_death_of_the_events_is_survived_told_once_and_mended` |
//! | inotify is exhausted | | `fallback::no_inotify_instance_left`, `fallback::no_inotify_watch_left` |
//! | a file system without events | `without_events` | `fallback::a_file_system_without_events_is_polled` |
//!
//! The mount of `subPath` and inotify's end are seen from outside of a running service in `tests/tests/reload.rs`.

use super::{NoSettings, put};
use crate::kit::Dir;
use prodkit_config::{Layers, Outcome, Reload, WatchOptions};
use prodkit_fakes::{FakeCheckout, FakeVolume};
use prodkit_live::Live;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

#[derive(Deserialize)]
struct Config {
    n: Live<u32>,
}

/// Far beyond what a change takes; only one that is missed reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Cell {
    path: PathBuf,
    config: Config,
    reload: Reload<NoSettings, Config>,
    commits: u64,
}

/// What the file says.
fn says(n: u32) -> String {
    format!("n: {n}\n")
}

impl Cell {
    /// Events alone: the poll is further away than any test waits.
    fn new(path: &Path) -> Self {
        Self::watched(path, WatchOptions::default().poll(PATIENCE * 100))
    }

    fn watched(path: &Path, options: WatchOptions) -> Self {
        let (loaded, reload) = Reload::start(Layers::new().file(path), &[], options).unwrap();
        Self { path: path.to_owned(), config: loaded.config, reload, commits: 0 }
    }

    async fn next(&mut self) -> Outcome {
        tokio::time::timeout(PATIENCE, self.reload.next()).await.unwrap()
    }

    /// The next outcome is the commit of this.
    async fn takes(&mut self, n: u32) {
        let outcome = self.next().await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        self.commits += 1;
        assert_eq!(*self.config.n.get(), n);
    }

    /// The next outcome is that the file cannot be taken; everything stays.
    async fn refuses(&mut self) {
        let before = *self.config.n.get();
        let outcome = self.next().await;
        let Outcome::Refused(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains(self.path.to_str().unwrap()), "{error}");
        assert_eq!(*self.config.n.get(), before);
        assert!(self.reload.status().last_error.is_some());
    }

    /// There was one commit for each change, and nothing is left to be taken.
    async fn is_done(&mut self) {
        self.reload.handle().touch();
        let outcome = self.next().await;
        assert!(matches!(outcome, Outcome::Unchanged), "{outcome:?}");
        let status = self.reload.status();
        assert_eq!((status.generation, &status.last_error), (self.commits, &None));
    }
}

#[tokio::test]
async fn in_place_write() {
    let dir = Dir::with(&[("config.yaml", b"n: 0")]);
    let mut cell = Cell::new(&dir.path("config.yaml"));
    for n in 1..=5 {
        fs::write(&cell.path, says(n)).unwrap();
        cell.takes(n).await;
    }
    // Said again, it is no change.
    fs::write(&cell.path, says(5)).unwrap();
    fs::read(&cell.path).unwrap();
    cell.is_done().await;
}

#[tokio::test]
async fn truncate_then_write() {
    let dir = Dir::with(&[("config.yaml", b"n: 0")]);
    let mut cell = Cell::watched(
        &dir.path("config.yaml"),
        WatchOptions::default().poll(PATIENCE * 100).quiet(Duration::from_secs(1)),
    );
    for n in 1..=3 {
        let mut file = File::create(&cell.path).unwrap();
        let half = tokio::time::timeout(Duration::from_millis(15), cell.reload.next()).await;
        assert!(half.is_err(), "an empty file that is being written: {half:?}");
        file.write_all(b"n: ").unwrap();
        let half = tokio::time::timeout(Duration::from_millis(15), cell.reload.next()).await;
        assert!(half.is_err(), "half a file: {half:?}");
        file.write_all(n.to_string().as_bytes()).unwrap();
        drop(file);
        cell.takes(n).await;
    }
    cell.is_done().await;
}

#[tokio::test]
async fn atomic_rename() {
    let dir = Dir::with(&[("config.yaml", b"n: 0")]);
    let mut cell = Cell::new(&dir.path("config.yaml"));
    for n in 1..=20 {
        put(&dir, &says(n));
        cell.takes(n).await;
    }
    put(&dir, &says(20));
    cell.is_done().await;
}

#[tokio::test]
async fn editors() {
    let dir = Dir::with(&[("config.yaml", b"n: 0")]);
    let mut cell = Cell::new(&dir.path("config.yaml"));
    let path = |name: &str| dir.path(name);
    let mut n = 0;
    for _ in 0..3 {
        // vim: the old file becomes a backup, a new one is written
        n += 1;
        fs::write(path(".config.yaml.swp"), "swap").unwrap();
        fs::write(path("4913"), "").unwrap();
        fs::remove_file(path("4913")).unwrap();
        fs::rename(path("config.yaml"), path("config.yaml~")).unwrap();
        fs::write(path("config.yaml"), says(n)).unwrap();
        fs::remove_file(path("config.yaml~")).unwrap();
        cell.takes(n).await;
        // emacs, nano, VS Code and the like: in place, beside a backup and a lock that is a link to nowhere
        n += 1;
        let _ = symlink("user@host.1:1", path(".#config.yaml"));
        fs::copy(path("config.yaml"), path("config.yaml~")).unwrap();
        fs::write(path("config.yaml"), says(n)).unwrap();
        fs::remove_file(path(".#config.yaml")).unwrap();
        cell.takes(n).await;
        // sed -i, gedit, JetBrains: a new file, renamed over
        n += 1;
        put(&dir, &says(n));
        cell.takes(n).await;
        // remove and write
        n += 1;
        fs::remove_file(path("config.yaml")).unwrap();
        fs::write(path("config.yaml"), says(n)).unwrap();
        cell.takes(n).await;
    }
    cell.is_done().await;
}

#[tokio::test]
async fn data_swaps() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    volume.write(&[("config.yaml", says(0))]);
    let mut cell = Cell::new(&volume.path("config.yaml"));
    for n in 1..=200 {
        volume.write(&[("config.yaml", says(n))]);
        cell.takes(n).await;
    }
    cell.is_done().await;
}

#[test]
fn data_swaps_nobody_waits_for() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    volume.write(&[("config.yaml", says(0))]);
    let mut cell = Cell::new(&volume.path("config.yaml"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::scope(|threads| {
        let writer =
            threads.spawn(|| (1..=200).for_each(|n| assert!(volume.write(&[("config.yaml", says(n))]))));
        runtime.block_on(async {
            let mut last = 0;
            while last != 200 {
                // A file in the middle of a swap may be gone for a moment, which is no commit.
                if let Outcome::Committed(_) = cell.next().await {
                    cell.commits += 1;
                    let now = *cell.config.n.get();
                    assert!(now > last, "{now} after {last}");
                    last = now;
                }
            }
        });
        writer.join().unwrap();
    });
    runtime.block_on(cell.is_done());
}

#[tokio::test]
async fn projected_volume() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    let write = |token: u32, n: u32| {
        volume.write(&[("token", token.to_string()), ("app/config.yaml", says(n))]);
    };
    write(0, 0);
    let mut cell = Cell::new(&volume.path("app/config.yaml"));
    for n in 1..=20 {
        // What else is in the volume changes too, and is no change of the configuration.
        write(n, n);
        cell.takes(n).await;
        write(n + 1, n);
    }
    cell.is_done().await;
}

#[tokio::test]
async fn git_sync() {
    let dir = Dir::new();
    let checkout = FakeCheckout::new(dir.path("git"), "current");
    checkout.write(&[("config/app.yaml", says(0))]);
    let mut cell = Cell::new(&checkout.path("config/app.yaml"));
    for n in 1..=20 {
        checkout.write(&[("config/app.yaml", says(n))]);
        cell.takes(n).await;
    }
    cell.is_done().await;
}

#[tokio::test]
async fn deletion_and_return() {
    let dir = Dir::with(&[("etc/app/config.yaml", b"n: 0")]);
    let mut cell = Cell::new(&dir.path("etc/app/config.yaml"));
    for n in 1..=3 {
        fs::remove_file(&cell.path).unwrap();
        cell.refuses().await;
        fs::write(&cell.path, says(n)).unwrap();
        cell.takes(n).await;
        fs::remove_dir_all(dir.path("etc")).unwrap();
        cell.refuses().await;
        // Back as it was is good again, and no commit.
        dir.write("etc/app/config.yaml", says(n));
        let outcome = cell.next().await;
        assert!(matches!(outcome, Outcome::Unchanged), "{outcome:?}");
        assert_eq!(cell.reload.status().last_error, None);
    }
    cell.is_done().await;
}

#[tokio::test]
async fn sub_path() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    volume.write(&[("config.yaml", says(0))]);
    volume.sub_path("config.yaml", dir.path("mounted.yaml"));
    let mut cell = Cell::new(&dir.path("mounted.yaml"));
    for n in 1..=3 {
        volume.write(&[("config.yaml", says(n))]);
    }
    cell.is_done().await;
}

#[tokio::test]
async fn loop_of_links() {
    let dir = Dir::with(&[("good.yaml", b"n: 0")]);
    symlink("good.yaml", dir.path("config.yaml")).unwrap();
    let mut cell = Cell::new(&dir.path("config.yaml"));
    for n in 1..=3 {
        for (name, target) in [("one", "two"), ("two", "one")] {
            symlink(target, dir.path(name)).unwrap();
        }
        symlink("one", dir.path("new")).unwrap();
        fs::rename(dir.path("new"), dir.path("config.yaml")).unwrap();
        cell.refuses().await;
        fs::remove_file(dir.path("one")).unwrap();
        fs::remove_file(dir.path("two")).unwrap();
        dir.write("good.yaml", says(n));
        symlink("good.yaml", dir.path("new")).unwrap();
        fs::rename(dir.path("new"), dir.path("config.yaml")).unwrap();
        loop {
            // The end of the loop may be seen before the link to the good file.
            match cell.next().await {
                Outcome::Refused(_) => assert_eq!(*cell.config.n.get(), n - 1),
                Outcome::Committed(_) => break,
                Outcome::Unchanged => panic!("it is new"),
                other => panic!("{other:?}"),
            }
        }
        cell.commits += 1;
        assert_eq!(*cell.config.n.get(), n);
    }
    cell.is_done().await;
}

/// Ten thousand touches a second are no change; a change among them is one.
#[test]
fn event_storm() {
    let dir = Dir::with(&[("config.yaml", b"n: 0")]);
    let mut cell = Cell::new(&dir.path("config.yaml"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let (start, mut touches) = (Instant::now(), 0);
            while !done.load(Relaxed) {
                if touches >= start.elapsed().as_millis() * 10 {
                    std::thread::park_timeout(Duration::from_millis(1));
                    continue;
                }
                // What touch(1) does: open, change the times, close.
                if let Ok(file) = File::options().append(true).open(dir.path("config.yaml")) {
                    file.set_modified(SystemTime::now()).unwrap();
                }
                touches += 1;
            }
        });
        let _end = End(&done);
        runtime.block_on(async {
            for n in 1..=5 {
                let storm = tokio::time::timeout(Duration::from_millis(100), cell.reload.next()).await;
                assert!(storm.is_err(), "a touch is no change: {storm:?}");
                put(&dir, &says(n));
                cell.takes(n).await;
            }
        });
    });
    runtime.block_on(cell.is_done());
}

/// A test that fails ends its threads too.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[tokio::test]
async fn without_events() {
    let dir = Dir::new();
    let volume = FakeVolume::new(dir.path("volume"));
    volume.write(&[("config.yaml", says(0))]);
    let polls =
        WatchOptions::default().poll(Duration::from_millis(20)).quiet(Duration::from_millis(40)).poll_only();
    let mut cell = Cell::watched(&volume.path("config.yaml"), polls);
    for n in 1..=5 {
        volume.write(&[("config.yaml", says(n))]);
        cell.takes(n).await;
    }
    cell.is_done().await;
}
