//! Two changes, or a change and a derivation, at the same time.

use crate::{now, poll};
use prodkit_live::{Live, Rejected};
use std::task::Poll;

#[test]
fn a_newer_prepare_waits_for_the_older_to_be_over() {
    for commit in [true, false] {
        let (updater, live) = Live::channel(0);
        let first = now(updater.prepare(1)).unwrap();
        let mut second = Box::pin(updater.prepare(2));
        assert!(poll(&mut second).is_pending());
        let expected = if commit {
            first.commit();
            1
        } else {
            drop(first);
            0
        };
        assert_eq!(*live.get(), expected);
        now(second).unwrap().commit();
        assert_eq!((*live.get(), live.generation()), (2, expected + 1));
    }
}

#[test]
fn cancelling_the_older_lets_the_newer_go_on() {
    let (updater, live) = Live::channel(0);
    let (_hold, gate) = Live::channel(());
    let slow = now(live.try_map(move |n| {
        let mut gate = gate.changes();
        async move {
            if *n == 1 {
                gate.changed().await;
            }
            Ok::<u64, String>(*n)
        }
    }))
    .unwrap();
    let mut older = Box::pin(updater.prepare(1));
    let mut newer = Box::pin(updater.prepare(2));
    assert!(poll(&mut older).is_pending());
    assert!(poll(&mut newer).is_pending());
    drop(older);
    now(newer).unwrap().commit();
    assert_eq!((*live.get(), *slow.get(), slow.generation()), (2, 2, 1));
}

#[test]
fn what_has_nothing_in_common_does_not_wait() {
    let ((a, _), (b, _)) = (Live::channel(0), Live::channel(0));
    let (first, second) = (now(a.prepare(1)).unwrap(), now(b.prepare(1)).unwrap());
    second.commit();
    first.commit();
}

#[test]
fn what_shares_a_dependant_waits() {
    let ((a, live_a), (b, live_b)) = (Live::channel(0), Live::channel(0));
    let pair = live_a.zip(&live_b);
    let first = now(a.prepare(1)).unwrap();
    let mut second = Box::pin(b.prepare(1));
    assert!(poll(&mut second).is_pending());
    first.commit();
    now(second).unwrap().commit();
    assert_eq!((*pair.get().0, *pair.get().1, pair.generation()), (1, 1, 2));
}

#[test]
fn set_is_busy_rather_than_late() {
    let (updater, live) = Live::channel(0);
    let prepared = now(updater.prepare(1)).unwrap();
    assert!(updater.set(2).is_err_and(|rejected: Rejected| rejected.is_busy()));
    prepared.commit();
    updater.set(2).unwrap();
    assert_eq!(*live.get(), 2);
}

#[test]
fn a_map_that_comes_after_the_preparation_moves_all_the_same() {
    let (updater, live) = Live::channel(0);
    let prepared = now(updater.prepare(1)).unwrap();
    let late = live.map(|n| n + 10);
    let later = late.zip(&live).map(|pair| *pair.0 + *pair.1);
    assert_eq!((*late.get(), *later.get()), (10, 10));
    prepared.commit();
    assert_eq!((*late.get(), *later.get(), later.generation()), (11, 12, 1));
}

#[test]
fn a_late_map_that_panics_keeps_its_value_and_harms_nobody() {
    let (updater, live) = Live::channel(0);
    let prepared = now(updater.prepare(1)).unwrap();
    let late = live.map(|n| {
        assert!(*n != 1, "late");
        *n
    });
    let below = late.map(|n| n + 10);
    let sibling = live.map(|n| n + 20);
    prepared.commit();
    assert_eq!((*live.get(), *late.get(), *below.get(), *sibling.get()), (1, 0, 10, 21));
    updater.set(2).unwrap();
    assert_eq!((*live.get(), *late.get(), *below.get(), *sibling.get()), (2, 2, 12, 22));
}

#[test]
fn a_zip_of_two_prepared_changes_follows_both() {
    for a_first in [true, false] {
        let ((a, live_a), (b, live_b)) = (Live::channel(0), Live::channel(0));
        let (prepared_a, prepared_b) = (now(a.prepare(1)).unwrap(), now(b.prepare(2)).unwrap());
        let pair = live_a.zip(&live_b);
        let sum = pair.map(|pair| *pair.0 + *pair.1);
        let (first, second, between) =
            if a_first { (prepared_a, prepared_b, 1) } else { (prepared_b, prepared_a, 2) };
        first.commit();
        assert_eq!(*sum.get(), between);
        // The pair now belongs to the change that is left.
        let mut third = Box::pin(if a_first { a.prepare(5) } else { b.prepare(5) });
        assert!(poll(&mut third).is_pending());
        second.commit();
        assert_eq!((*sum.get(), sum.generation()), (3, 2));
        now(third).unwrap().commit();
        assert_eq!(*sum.get(), if a_first { 7 } else { 6 });
    }
}

#[test]
fn a_resource_is_not_derived_from_what_is_about_to_change() {
    let (updater, live) = Live::channel(0);
    let prepared = now(updater.prepare(1)).unwrap();
    let deep = live.map(|n| n + 10).map(|n| n + 100);
    let mut resource = Box::pin(deep.try_map(async |n| Ok::<u32, String>(*n)));
    assert!(poll(&mut resource).is_pending());
    prepared.commit();
    let Poll::Ready(resource) = poll(&mut resource) else { panic!("the change is over") };
    assert_eq!(*resource.unwrap().get(), 111);
}
