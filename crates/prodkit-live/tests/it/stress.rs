//! Readers that spin on what must hold while a writer commits as fast as it can.

use crate::now;
use prodkit_live::{Change, Live};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

const COMMITS: u64 = 100_000;

/// Tells the readers to come to an end, also when the writer fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn pairs_agree_at_every_instant() {
    let (left_updater, left) = Live::channel(0_u64);
    let (right_updater, right) = Live::channel(0_u64);
    let (whole_updater, whole) = Live::channel((0_u64, !0_u64));
    let pair = left.zip(&right);
    let difference = pair.map(|pair| pair.0.abs_diff(*pair.1));
    let verified =
        now(pair.try_map(
            async |pair| {
                if pair.0 == pair.1 && *pair.0 % 10 != 7 { Ok(*pair.0) } else { Err("refused") }
            },
        ))
        .unwrap();
    let done = AtomicBool::new(false);

    thread::scope(|scope| {
        for use_reader in [false, true] {
            let (pair, difference, whole, verified, done) = (&pair, &difference, &whole, &verified, &done);
            scope.spawn(move || {
                let (mut pairs, mut wholes, mut numbers) = (pair.reader(), whole.reader(), verified.reader());
                let mut last = (0, 0);
                loop {
                    let ended = done.load(Ordering::Acquire);
                    let seen = if use_reader {
                        let (pair, whole) = (pairs.get(), wholes.get());
                        (*pair.0, *pair.1, whole.0, whole.1)
                    } else {
                        let (pair, whole) = (pair.get(), whole.get());
                        (*pair.0, *pair.1, whole.0, whole.1)
                    };
                    assert_eq!(seen.0, seen.1, "a half-updated pair");
                    assert_eq!(seen.2, !seen.3, "a torn value");
                    assert_eq!(*difference.get(), 0);
                    let number = if use_reader { *numbers.get() } else { *verified.get() };
                    assert_ne!(number % 10, 7, "a refused value");
                    assert!(seen.0 >= last.0 && number >= last.1, "time went backwards");
                    last = (seen.0, number);
                    if ended {
                        assert_eq!(last, (COMMITS, COMMITS), "the last value was missed");
                        break;
                    }
                }
            });
        }
        // Derives and drops all the while.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let sum = left.zip(&right).map(|pair| *pair.0 + *pair.1);
                assert_eq!(*sum.get() % 2, 0, "a late pair was half updated");
            }
        });

        let ends = Ends(&done);
        for n in 1..=COMMITS {
            let change =
                Change::all([left_updater.stage(n), right_updater.stage(n), whole_updater.stage((n, !n))]);
            match now(change.prepare()) {
                Ok(prepared) => prepared.commit(),
                Err(_) => assert_eq!(n % 10, 7),
            }
        }
        drop(ends);
    });
}

#[test]
fn two_writers_of_one_pair_do_not_undo_each_other() {
    let ((a, live_a), (b, live_b)) = (Live::channel(0_u64), Live::channel(0_u64));
    let pair = live_a.zip(&live_b);
    let sum = pair.map(|pair| *pair.0 + *pair.1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let write = async |updater: prodkit_live::Updater<u64>| {
        for n in 1..=10_000 {
            updater.prepare(n).await.unwrap().commit();
        }
    };
    runtime.block_on(async {
        let writers = [a, b].map(|updater| {
            #[expect(clippy::disallowed_methods, reason = "two tasks that really run at once")]
            tokio::spawn(write(updater))
        });
        for writer in writers {
            writer.await.unwrap();
        }
    });
    assert_eq!((*sum.get(), sum.generation()), (20_000, 20_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_waiting_task_sleeps_through_the_last_change() {
    for _ in 0..200 {
        let (updater, live) = Live::channel(0_u32);
        let mut changes = live.changes();
        let follow = async move { while *changes.changed().await != 100 {} };
        #[expect(clippy::disallowed_methods, reason = "a task that really runs at once")]
        let follower = tokio::spawn(follow);
        for n in 1..=100 {
            updater.set(n).unwrap();
        }
        follower.await.unwrap();
    }
}
