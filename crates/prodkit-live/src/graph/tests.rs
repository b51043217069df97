use super::lock;
use crate::{Live, cell::Node};

#[test]
fn a_million_derived_and_dropped_leave_nothing_behind() {
    let (updater, live) = Live::channel(1_u64);
    let kept = live.map(|n| n + 1);
    for _ in 0..1_000_000 {
        drop(live.map(|n| n + 2));
    }
    assert_eq!(lock().children_of(live.cell.id()), 1);
    updater.set(2).unwrap();
    assert_eq!(*kept.get(), 3);
}

#[test]
fn the_end_of_a_chain_keeps_what_it_needs_and_nothing_keeps_the_end() {
    let (updater, live) = Live::channel(1_u64);
    let end = live.map(|n| n + 1).zip(&live.map(|n| n + 2)).map(|pair| *pair.0 + *pair.1);
    let id = end.cell.id();
    updater.set(10).unwrap();
    assert_eq!(*end.get(), 23);

    assert_eq!(lock().children_of(live.cell.id()), 2);
    drop(end);
    assert_eq!(lock().children_of(live.cell.id()), 0);
    assert!(!lock().knows(id));
    let source = live.cell.id();
    assert!(lock().knows(source));
    drop((updater, live));
    assert!(!lock().knows(source));
}

#[test]
fn a_prepared_change_that_is_dropped_releases_its_claim() {
    let (updater, live) = Live::channel(1_u64);
    let mut prepare = Box::pin(updater.prepare(2));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(prepared) = prepare.as_mut().poll(&mut cx) else {
        panic!("nothing to wait for")
    };
    assert!(lock().claimed_above([live.cell.id()]).is_some());
    drop(prepared);
    assert!(lock().claimed_above([live.cell.id()]).is_none());
}
