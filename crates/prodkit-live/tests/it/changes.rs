use crate::{now, poll};
use prodkit_live::Live;
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn changes_coalesce_and_the_last_is_never_missed() {
    let (updater, live) = Live::channel(0);
    let mut changes = live.changes();
    assert!(poll(&mut Box::pin(changes.changed())).is_pending());
    updater.set(1).unwrap();
    updater.set(2).unwrap();
    drop(updater);
    assert_eq!(*now(changes.changed()), 2);
    assert!(poll(&mut Box::pin(changes.changed())).is_pending(), "a frozen value is silent, not closed");
    assert_eq!(*changes.live().get(), 2);
}

#[test]
fn a_change_is_seen_by_the_call_that_returns_it() {
    let (updater, live) = Live::channel(0);
    let mut changes = live.changes();
    let mut cancelled = Box::pin(changes.changed());
    assert!(poll(&mut cancelled).is_pending());
    updater.set(1).unwrap();
    drop(cancelled);
    assert_eq!(*now(changes.changed()), 1);
}

#[test]
fn one_wake_up_per_change_and_none_after_the_end() {
    let (updater, live) = Live::channel(0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut changes = live.changes();
    {
        let mut changed = pin!(changes.changed());
        for _ in 0..1000 {
            assert!(changed.as_mut().poll(&mut cx).is_pending());
        }
        updater.set(1).unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        updater.set(2).unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody has asked again");
        assert!(changed.as_mut().poll(&mut cx).is_ready());
    }
    assert!(pin!(changes.changed()).poll(&mut cx).is_pending());
    drop(changes);
    updater.set(3).unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&woken), 2, "no waker is left behind");
}

#[tokio::test]
async fn a_task_follows_a_derived_value() {
    let (updater, live) = Live::channel(0);
    let even = live.map(|n| n / 2 * 2);
    let mut changes = even.changes();
    let mut seen = Vec::new();
    let follow = async {
        loop {
            let value = *changes.changed().await;
            seen.push(value);
            if value == 8 {
                break;
            }
        }
    };
    let drive = async {
        for n in [3, 5, 9] {
            updater.prepare(n).await.unwrap().commit();
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(follow, drive);
    assert!(seen.is_sorted() && seen.iter().all(|n| [2, 4, 8].contains(n)), "{seen:?}");
}
