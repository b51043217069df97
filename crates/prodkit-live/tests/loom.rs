//! Every interleaving that matters, of the code that ships:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p prodkit-live --release --test loom
//! ```
//!
//! Locks, counters and the graph of derived values are loom's then. arc-swap knows nothing of loom and is replaced by
//! its contract, an acquire load and a release swap of which value is current (`src/slot.rs`).

#![cfg(loom)]

use loom::{future::block_on, model::Builder, thread};
use prodkit_live::{Change, Live};

/// Two or three threads, every schedule with at most `preemptions` forced switches.
fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

#[test]
fn who_sees_a_generation_sees_its_value() {
    model(3, || {
        let (updater, live) = Live::channel(0_u64);
        let writer = thread::spawn(move || {
            updater.set(1).unwrap();
            updater.set(2).unwrap();
        });
        let generation = live.generation();
        assert!(*live.get() >= generation);
        assert!(*live.load() >= generation);
        writer.join().unwrap();
    });
}

#[test]
fn a_cached_reader_never_goes_back_and_never_misses_the_last() {
    model(3, || {
        let (updater, live) = Live::channel(0_u64);
        let writer = thread::spawn(move || {
            updater.set(1).unwrap();
            updater.set(2).unwrap();
        });
        let mut reader = live.reader();
        let first = *reader.get();
        let seen = live.generation();
        let second = *reader.get();
        assert!(second >= first && second >= seen);
        writer.join().unwrap();
        assert_eq!(*reader.get(), 2);
    });
}

#[test]
fn a_waiting_task_is_woken_for_the_last_change() {
    model(3, || {
        let (updater, live) = Live::channel(0_u64);
        let mut changes = live.changes();
        let writer = thread::spawn(move || {
            updater.set(1).unwrap();
            updater.set(2).unwrap();
        });
        block_on(async { while *changes.changed().await != 2 {} });
        writer.join().unwrap();
    });
}

#[test]
fn a_task_that_gives_up_leaves_the_others_waiting_in_order() {
    model(3, || {
        let (updater, live) = Live::channel(0_u64);
        let (mut stays, leaves) = (live.changes(), live.changes());
        let leaver = thread::spawn(move || drop(leaves));
        let writer = thread::spawn(move || updater.set(1).unwrap());
        assert_eq!(*block_on(stays.changed()), 1);
        leaver.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn a_pair_is_never_half_updated() {
    model(3, || {
        let ((left, live_left), (right, live_right)) = (Live::channel(0), Live::channel(0));
        let pair = live_left.zip(&live_right);
        let writer = thread::spawn(move || {
            block_on(left.stage(1).join(right.stage(1)).prepare()).unwrap().commit();
        });
        let seen = pair.load();
        assert_eq!(seen.0, seen.1);
        // And one that is derived meanwhile.
        let late = live_left.zip(&live_right).load();
        assert_eq!(late.0, late.1);
        writer.join().unwrap();
        assert_eq!(*pair.get().0, 1);
    });
}

#[test]
fn what_is_derived_during_a_commit_is_not_left_behind() {
    model(3, || {
        let (updater, live) = Live::channel(1);
        let writer = thread::spawn(move || updater.set(2).unwrap());
        let tens = live.map(|n| n * 10);
        let sum = live.zip(&tens).map(|pair| *pair.0 + *pair.1);
        writer.join().unwrap();
        assert_eq!((*tens.get(), *sum.get()), (20, 22));
    });
}

#[test]
fn what_is_derived_from_two_commits_at_once_is_not_left_behind() {
    model(2, || {
        let ((left, live_left), (right, live_right)) = (Live::channel(1), Live::channel(1));
        let writers = [left, right]
            .map(|updater| thread::spawn(move || block_on(updater.prepare(2)).unwrap().commit()));
        let sum = live_left.zip(&live_right).map(|pair| *pair.0 + *pair.1);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(*sum.get(), 4);
    });
}

#[test]
fn a_resource_that_is_derived_during_a_commit_is_not_left_behind() {
    model(2, || {
        let (updater, live) = Live::channel(1);
        let writer = thread::spawn(move || block_on(updater.prepare(2)).unwrap().commit());
        let resource = block_on(live.try_map(|n| async move { Ok::<u32, String>(*n * 10) })).unwrap();
        writer.join().unwrap();
        assert_eq!(*resource.get(), 20);
    });
}

#[test]
fn a_resource_of_a_value_that_a_commit_is_yet_to_compute_is_not_left_behind() {
    model(2, || {
        let (updater, live) = Live::channel(1);
        let prepared = block_on(updater.prepare(2)).unwrap();
        let late = live.map(|n| n * 10);
        let committer = thread::spawn(move || prepared.commit());
        let resource = block_on(late.try_map(|n| async move { Ok::<u32, String>(*n + 1) })).unwrap();
        committer.join().unwrap();
        assert_eq!(*resource.get(), 21);
    });
}

#[test]
fn two_writers_of_one_pair_take_turns() {
    model(2, || {
        let ((left, live_left), (right, live_right)) = (Live::channel(1), Live::channel(1));
        let sum = live_left.zip(&live_right).map(|pair| *pair.0 + *pair.1);
        let writer = thread::spawn(move || block_on(left.prepare(2)).unwrap().commit());
        block_on(right.prepare(2)).unwrap().commit();
        writer.join().unwrap();
        assert_eq!((*sum.get(), sum.generation()), (4, 2));
    });
}

#[test]
fn derived_values_may_go_at_any_moment() {
    model(3, || {
        let (updater, live) = Live::channel(1);
        let (kept, dropped) = (live.map(|n| n + 1), live.map(|n| n + 2));
        let dropper = thread::spawn(move || drop(dropped));
        block_on(Change::all([updater.stage(2)]).prepare()).unwrap().commit();
        dropper.join().unwrap();
        assert_eq!(*kept.get(), 3);
    });
}
