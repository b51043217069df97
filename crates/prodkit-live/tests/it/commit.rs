use crate::now;
use prodkit_live::{Change, Live, Prepared};
use std::sync::{Arc, Mutex};

#[test]
fn dropping_what_is_prepared_changes_nothing() {
    let (updater, live) = Live::channel(1);
    let mapped = live.map(|n| n * 10);
    let staged = Arc::new(2);
    drop(updater.stage(2));
    drop(updater.prepare(2));
    drop(now(updater.prepare(*staged)).unwrap());
    assert_eq!((*live.get(), *mapped.get(), live.generation(), mapped.generation()), (1, 10, 0, 0));
    updater.set(3).unwrap();
    assert_eq!((*live.get(), *mapped.get(), live.generation()), (3, 30, 1));
}

#[test]
fn what_was_prepared_and_dropped_is_freed() {
    let (updater, live) = Live::channel(Arc::new(()));
    let mapped = live.map(Arc::clone);
    let value = Arc::new(());
    let prepared = now(updater.prepare(Arc::clone(&value))).unwrap();
    assert_eq!(Arc::strong_count(&value), 3);
    drop(prepared);
    assert_eq!(Arc::strong_count(&value), 1);
    drop(mapped);
}

#[test]
fn values_that_change_together_are_verified_together() {
    let (host_updater, host) = Live::channel("a");
    let (port_updater, port) = Live::channel(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pool =
        now(
            host.zip(&port).try_map({
                let seen = Arc::clone(&seen);
                move |address| {
                    seen.lock().unwrap().push((*address.0, *address.1));
                    async move {
                        if *address.0 == "b" && *address.1 != 2 { Err("no such port") } else { Ok(address) }
                    }
                }
            }),
        )
        .unwrap();

    // Alone, the host is refused.
    assert!(now(host_updater.prepare("b")).is_err());
    now(host_updater.stage("b").join(port_updater.stage(2)).prepare()).unwrap().commit();
    assert_eq!((*pool.get().0, *pool.get().1), ("b", 2));
    assert_eq!(*seen.lock().unwrap(), [("a", 1), ("b", 1), ("b", 2)]);
}

#[test]
fn changes_prepared_apart_are_committed_as_one() {
    let updaters: Vec<_> = (0..4).map(Live::channel).collect();
    let prepared: Vec<Prepared> =
        updaters.iter().map(|(updater, _)| now(updater.prepare(9)).unwrap()).collect();
    // Derived after the preparation, from values that are all about to move.
    let pair = updaters[0].1.zip(&updaters[3].1);
    let sum = pair.map(|pair| *pair.0 + *pair.1);
    let mut changes = sum.changes();
    Prepared::all(prepared).commit();
    assert!(updaters.iter().all(|(_, live)| *live.get() == 9));
    assert_eq!((*sum.get(), *now(changes.changed())), (18, 18));
    assert_eq!((pair.generation(), sum.generation()), (1, 1), "the pair was never half new");
}

#[test]
fn of_two_values_for_one_cell_the_later_wins() {
    let (updater, live) = Live::channel(0);
    now(Change::all([updater.stage(1), updater.stage(2)]).prepare()).unwrap().commit();
    assert_eq!((*live.get(), live.generation()), (2, 1));
    now(Change::default().prepare()).unwrap().join(Prepared::default()).commit();
    assert_eq!(live.generation(), 1);
}

#[test]
fn a_change_outlives_its_updater() {
    let (updater, live) = Live::channel(0);
    let prepared = now(updater.prepare(1)).unwrap();
    drop(updater);
    prepared.commit();
    assert_eq!(*live.get(), 1);
}

#[test]
fn a_value_may_use_the_graph_while_it_is_dropped() {
    /// Drops and derives cells in its own drop: deadlocks if that happens under a lock.
    struct Nested(Live<u32>);

    impl Drop for Nested {
        fn drop(&mut self) {
            drop(self.0.map(|n| n + 1));
            drop(self.0.zip(&self.0));
        }
    }

    let (updater, live) = Live::channel(Nested(Live::fixed(1)));
    let mapped = live.map(|nested| Nested(nested.0.map(|n| n + 1)));
    updater.set(Nested(Live::fixed(2))).unwrap();
    drop(now(updater.prepare(Nested(Live::fixed(3)))).unwrap());
    assert_eq!(*mapped.get().0.get(), 3);
}
