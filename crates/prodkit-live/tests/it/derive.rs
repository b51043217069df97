use crate::{now, poll};
use prodkit_live::Live;
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Barrier;

#[test]
fn a_map_is_computed_once_per_change_and_not_per_read() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (updater, live) = Live::channel(1);
    let mapped = live.map({
        let calls = Arc::clone(&calls);
        move |n| {
            calls.fetch_add(1, Ordering::Relaxed);
            n * 2
        }
    });
    for n in 2..5 {
        updater.set(n).unwrap();
        assert!((0..10).all(|_| *mapped.get() == n * 2));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    assert_eq!(mapped.generation(), 3);
}

#[test]
fn a_diamond_is_computed_once_per_change() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (updater, live) = Live::channel(1);
    let (left, right) = (live.map(|n| n + 10), live.map(|n| n + 20));
    let sum = left.zip(&right).map({
        let seen = Arc::clone(&seen);
        move |pair| {
            seen.lock().unwrap().push((*pair.0, *pair.1));
            *pair.0 + *pair.1
        }
    });
    updater.set(2).unwrap();
    assert_eq!(*sum.get(), 34);
    assert_eq!(*seen.lock().unwrap(), [(11, 21), (12, 22)]);
}

#[test]
fn a_value_can_be_zipped_with_itself() {
    let (updater, live) = Live::channel(1);
    let twice = live.zip(&live);
    updater.set(2).unwrap();
    let pair = twice.load();
    assert!(Arc::ptr_eq(&pair.0, &pair.1));
    assert_eq!((*pair.0, twice.generation()), (2, 1));
}

#[test]
fn a_panic_in_a_map_goes_to_its_caller_first_and_refuses_later() {
    let (updater, live) = Live::channel(1);
    let picky = |n: &i32| {
        assert!(*n != 13, "unlucky");
        *n
    };
    let (before, picked, after) = (live.map(|n| n + 1), live.map(picky), live.map(|n| n + 2));
    let state =
        || (*live.get(), *before.get(), *picked.get(), *after.get(), live.generation(), after.generation());

    let rejected = updater.set(13).unwrap_err();
    assert_eq!(rejected.by(), Some("i32"));
    assert!(rejected.source().unwrap().to_string().contains("unlucky"), "{rejected:?}");
    let rejected = now(updater.prepare(13)).unwrap_err();
    assert!(rejected.location().unwrap().file().ends_with("derive.rs"));
    assert_eq!(state(), (1, 2, 1, 3, 0, 0));

    updater.set(14).unwrap();
    assert_eq!(state(), (14, 15, 14, 16, 1, 1));

    drop(picked);
    updater.set(13).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| live.map(picky))).is_err());
    updater.set(15).unwrap();
    assert_eq!((*live.get(), *before.get(), *after.get()), (15, 16, 17));
}

#[test]
fn a_panic_while_building_refuses() {
    let (updater, live) = Live::channel(1);
    let early = now(live.try_map(|n| {
        assert!(*n != 2, "before the future");
        async move { Ok::<i32, String>(*n) }
    }))
    .unwrap();
    let late = now(live.try_map(async |n| {
        assert!(*n != 3, "inside the future");
        Ok::<i32, String>(*n)
    }))
    .unwrap();
    for (value, message) in [(2, "before the future"), (3, "inside the future")] {
        let rejected = now(updater.prepare(value)).unwrap_err();
        assert!(rejected.source().unwrap().to_string().contains(message), "{rejected:?}");
        assert_eq!((*live.get(), *early.get(), *late.get()), (1, 1, 1));
    }
    now(updater.prepare(4)).unwrap().commit();
    assert_eq!((*live.get(), *early.get(), *late.get()), (4, 4, 4));
}

#[derive(Debug)]
struct Down(u32);

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {} is down", self.0)
    }
}

impl Error for Down {}

#[derive(Debug, PartialEq)]
struct Pool(u32);

async fn connect(port: Arc<u32>) -> Result<Pool, Down> {
    tokio::task::yield_now().await;
    if *port == 0 { Err(Down(0)) } else { Ok(Pool(*port)) }
}

#[tokio::test]
async fn a_resource_is_built_before_it_is_seen_and_may_refuse() {
    let (updater, port) = Live::channel(1);
    let line = line!() + 1;
    let pool = port.try_map(connect).await.unwrap();
    let label = pool.map(|pool| format!("pool of {}", pool.0));

    let prepared = updater.prepare(2).await.unwrap();
    assert_eq!((*port.get(), &*pool.get(), label.get().as_str()), (1, &Pool(1), "pool of 1"));
    prepared.commit();
    assert_eq!((*port.get(), &*pool.get(), label.get().as_str()), (2, &Pool(2), "pool of 2"));

    let rejected = updater.prepare(0).await.unwrap_err();
    assert_eq!(rejected.source().unwrap().to_string(), "port 0 is down");
    assert!(rejected.source().unwrap().is::<Down>(), "the reason is kept, not its text");
    assert!(rejected.by().unwrap().ends_with("Pool"));
    assert_eq!(rejected.location().unwrap().line(), line);
    let text = format!("failed to {rejected}");
    assert!(text.starts_with("failed to apply the new value: `") && text.ends_with("refused it"), "{text}");
    assert_eq!((*port.get(), &*pool.get(), label.get().as_str()), (2, &Pool(2), "pool of 2"));
    assert_eq!((port.generation(), pool.generation(), label.generation()), (1, 1, 1));
}

#[tokio::test]
async fn the_first_build_can_fail() {
    let error: Down = Live::fixed(0).try_map(connect).await.map(drop).unwrap_err();
    assert_eq!(error.0, 0);
}

#[tokio::test]
async fn resources_are_built_concurrently() {
    let (updater, live) = Live::channel(1);
    let barrier = Arc::new(Barrier::new(3));
    let mut pools = Vec::new();
    for _ in 0..3 {
        let barrier = Arc::clone(&barrier);
        let pool = live.try_map(move |n| {
            let barrier = Arc::clone(&barrier);
            async move {
                if *n > 1 {
                    barrier.wait().await;
                }
                Ok::<u32, String>(*n)
            }
        });
        pools.push(pool.await.unwrap());
    }
    updater.prepare(2).await.unwrap().commit();
    assert!(pools.iter().all(|pool| *pool.get() == 2));
}

#[tokio::test]
async fn a_resource_of_a_resource_waits_for_it() {
    let (updater, port) = Live::channel(1);
    let pool = port.try_map(connect).await.unwrap();
    let both = port.zip(&pool);
    let checked = both
        .try_map(async |both| if *both.0 == both.1.0 { Ok(both.1.0) } else { Err("old and new were mixed") })
        .await
        .unwrap();
    updater.prepare(2).await.unwrap().commit();
    assert_eq!(*checked.get(), 2);
}

#[test]
fn set_does_not_go_past_one_who_has_to_verify() {
    let (updater, live) = Live::channel(1);
    let verified = now(live.try_map(async |n| Ok::<u32, String>(*n))).unwrap();
    let rejected = updater.set(2).unwrap_err();
    assert!(rejected.to_string().ends_with("has to verify it first, which takes `prepare`"), "{rejected}");
    assert_eq!((*live.get(), rejected.is_busy()), (1, false));

    drop(verified);
    updater.set(2).unwrap();
    assert_eq!(*live.get(), 2);
}

#[test]
fn a_dropped_resource_has_no_say() {
    let (updater, live) = Live::channel(1);
    let picky = now(live.try_map(async |n| if *n == 1 { Ok(()) } else { Err("only 1") })).unwrap();
    assert!(now(updater.prepare(2)).is_err());
    drop(picky);
    now(updater.prepare(2)).unwrap().commit();
    assert_eq!(*live.get(), 2);
}

#[test]
fn a_first_build_that_is_overtaken_starts_again() {
    let (updater, live) = Live::channel(1);
    let (wake, gate) = Live::channel(());
    let mut built = Box::pin(live.try_map(move |n| {
        let mut gate = gate.changes();
        async move {
            gate.changed().await;
            Ok::<u32, String>(*n)
        }
    }));
    assert!(poll(&mut built).is_pending());
    updater.set(2).unwrap();
    wake.set(()).unwrap();
    assert!(poll(&mut built).is_pending(), "what was built is out of date");
    wake.set(()).unwrap();
    assert_eq!(*now(built).unwrap().get(), 2);
}
