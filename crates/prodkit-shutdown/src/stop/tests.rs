use super::*;
use crate::Signal;
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task::spawn};

#[test]
fn the_first_cause_wins() {
    let (trigger, stop) = channel();
    assert!(!stop.is_stopped());
    assert!(trigger.fire(Cause::task_failed("relay")));
    assert!(!trigger.clone().fire(Cause::Signal(Signal::Terminate)));
    assert_eq!(stop.cause(), Some(&Cause::task_failed("relay")));
    assert_eq!(trigger.stop().cause(), stop.cause());
}

#[test]
fn every_waiter_is_woken_and_late_ones_do_not_wait() {
    let (trigger, stop) = channel();
    let other = stop.clone();
    let (mut first, mut second) = (spawn(stop.stopped()), spawn(other.stopped()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    trigger.fire(Cause::requested("test"));
    assert!(first.is_woken() && second.is_woken());
    assert_ready!(first.poll());
    assert_ready!(second.poll());
    assert_ready!(spawn(stop.stopped()).poll());
}

#[test]
fn the_order_reaches_a_future_made_but_not_yet_polled() {
    let (trigger, stop) = channel();
    let mut waiting = spawn(stop.stopped());
    trigger.fire(Cause::requested("test"));
    assert_ready!(waiting.poll());
}

#[test]
fn dropping_the_trigger_is_no_order() {
    let (trigger, stop) = channel();
    let mut waiting = spawn(stop.stopped());
    assert_pending!(waiting.poll());
    drop(trigger);
    assert!(!waiting.is_woken());
    assert_pending!(waiting.poll());
    let never = Stop::never();
    assert_pending!(spawn(never.stopped()).poll());
}

#[test]
fn a_result_wins_over_the_order_but_nothing_begins_after_it() {
    let (trigger, stop) = channel();
    let (send, receive) = tokio::sync::oneshot::channel();
    let mut running = spawn(stop.run_until_stopped(receive));
    assert_pending!(running.poll());
    trigger.fire(Cause::requested("test"));
    send.send(7).unwrap();
    assert_ready_eq!(running.poll(), Some(Ok(7)));

    let untouched = stop.run_until_stopped(async { panic!("began after the order") });
    assert_ready_eq!(spawn(untouched).poll(), None);
}

#[test]
fn the_order_ends_what_runs() {
    let (trigger, stop) = channel();
    let mut running = spawn(stop.run_until_stopped(std::future::pending::<()>()));
    assert_pending!(running.poll());
    trigger.fire(Cause::requested("test"));
    assert!(running.is_woken());
    assert_ready_eq!(running.poll(), None);
}

#[test]
fn a_child_stops_with_its_parent_or_alone() {
    let (trigger, stop) = channel();
    let (first, first_stop) = stop.child();
    let (_second, second_stop) = stop.child();
    let (_below, below_stop) = second_stop.child();

    assert!(first.fire(Cause::requested("test")));
    assert!(first_stop.is_stopped() && !stop.is_stopped() && !second_stop.is_stopped());

    let mut waiting = spawn(below_stop.stopped());
    assert_pending!(waiting.poll());
    trigger.fire(Cause::Signal(Signal::Interrupt));
    assert!(waiting.is_woken());
    assert_eq!(below_stop.cause(), Some(&Cause::Signal(Signal::Interrupt)));
    assert_eq!(first_stop.cause(), Some(&Cause::requested("test")));

    let (late, late_stop) = stop.child();
    assert_eq!(late_stop.cause(), Some(&Cause::Signal(Signal::Interrupt)));
    assert!(!late.fire(Cause::requested("test")));
}

#[test]
fn a_deep_tree_does_not_exhaust_the_stack() {
    let (trigger, root) = channel();
    let mut stops = vec![root];
    for _ in 0..200_000 {
        stops.push(stops[stops.len() - 1].child().1);
    }
    trigger.fire(Cause::requested("test"));
    assert!(stops.iter().all(Stop::is_stopped));
}

#[test]
fn children_that_are_gone_leave_no_trace() {
    let (_trigger, stop) = channel();
    let _alive: Vec<_> = (0..3).map(|_| stop.child()).collect();
    for _ in 0..10_000 {
        drop(stop.child());
    }
    assert!(stop.order.children().len() <= 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_made_while_the_order_is_given_are_stopped() {
    for _ in 0..500 {
        let (trigger, stop) = channel();
        let firing = tokio::task::spawn_blocking(move || trigger.fire(Cause::requested("test")));
        let children: Vec<_> = (0..20).map(|_| stop.child()).collect();
        assert!(firing.await.unwrap());
        for (_, child) in children {
            child.stopped().await;
        }
    }
}
