use super::*;
use tokio_test::{assert_pending, assert_ready, task};

impl Weigh for usize {
    fn weigh(&self) -> usize {
        *self
    }
}

fn queue(items: usize, bytes: usize, batch: usize) -> Queue<usize> {
    Queue::new(Bounds { items, bytes, batch })
}

#[track_caller]
fn check(queue: &Queue<usize>, [offered, exported, dropped, failed, queued]: [u64; 5]) {
    assert_eq!(queue.tally(), Tally { offered, exported, dropped, failed, queued });
    assert!(queue.tally().balances());
}

#[test]
fn full_means_dropped_and_counted() {
    let queue = queue(3, 1000, 2);
    for _ in 0..10 {
        queue.push(1);
    }
    check(&queue, [10, 0, 7, 0, 3]);
    assert_eq!(queue.take(), [1, 1]);
    check(&queue, [10, 0, 7, 0, 3]);
    // what is in flight makes room
    queue.push(2);
    queue.push(2);
    queue.push(2);
    check(&queue, [13, 0, 8, 0, 5]);
    queue.settle(Settled { exported: 1, failed: 1 });
    check(&queue, [13, 1, 8, 1, 3]);
}

#[test]
fn bytes_are_bounded_too() {
    let queue = queue(100, 10, 2);
    for weight in [4, 4, 4, 2, 0, 1, usize::MAX] {
        queue.push(weight);
    }
    assert_eq!(queue.tally().dropped, 3);
    assert_eq!(queue.take(), [4, 4]);
    queue.push(8);
    queue.push(1);
    assert_eq!((queue.len(), queue.tally().dropped), (3, 4));
    assert_eq!((queue.take(), queue.take()), (vec![2, 0], vec![8]));
    queue.push(10);
    assert_eq!(queue.len(), 1);
}

#[test]
fn closing_ends_the_books() {
    let queue = queue(10, 1000, 2);
    for _ in 0..5 {
        queue.push(1);
    }
    assert_eq!(queue.take().len(), 2);
    queue.close();
    check(&queue, [5, 0, 3, 2, 0]);
    // too late for any of these to change what was reported
    queue.settle(Settled { exported: 2, failed: 0 });
    check(&queue, [5, 0, 3, 2, 0]);
    queue.push(1);
    check(&queue, [6, 0, 4, 2, 0]);
    assert!(queue.take().is_empty());
}

#[test]
fn wakes_for_the_first_item_and_for_a_batch() {
    let queue = queue(10, 1000, 2);
    let mut some = task::spawn(queue.some());
    assert_pending!(some.poll());
    queue.push(1);
    assert!(some.is_woken());
    assert_ready!(some.poll());
    drop(some);

    let mut full = task::spawn(queue.full());
    assert_pending!(full.poll());
    queue.push(1);
    assert!(full.is_woken());
    assert_ready!(full.poll());
}
