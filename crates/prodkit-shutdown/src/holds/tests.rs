use super::*;

#[cfg(not(loom))]
mod polled {
    use super::*;
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    #[test]
    fn idle_is_zero_holds() {
        let holds = Holds::new();
        assert_ready!(spawn(holds.idle()).poll());

        let (first, second) = (holds.hold(), holds.clone().hold());
        assert_eq!(holds.count(), 2);
        let (mut one, mut two) = (spawn(holds.idle()), spawn(holds.idle()));
        assert_pending!(one.poll());
        assert_pending!(two.poll());
        drop(first);
        assert!(!one.is_woken() && !two.is_woken(), "one is left");
        drop(second);
        assert!(one.is_woken() && two.is_woken());
        assert_ready!(one.poll());
        assert_ready!(two.poll());
        assert_eq!(holds.count(), 0);
    }

    #[test]
    fn a_hold_taken_again_is_waited_for_again() {
        let holds = Holds::new();
        let first = holds.hold();
        let mut idle = spawn(holds.idle());
        assert_pending!(idle.poll());
        drop(first);
        let second = holds.hold();
        assert_pending!(idle.poll());
        drop(second);
        assert!(idle.is_woken());
        assert_ready!(idle.poll());
    }

    #[test]
    fn a_dropped_wait_leaves_the_others_waiting() {
        let holds = Holds::new();
        let hold = holds.hold();
        let (mut gone, mut stays) = (spawn(holds.idle()), spawn(holds.idle()));
        assert_pending!(gone.poll());
        assert_pending!(stays.poll());
        drop(gone);
        assert_eq!(lock(&holds.shared.waiting).wakers.len(), 1);
        drop(hold);
        assert!(stays.is_woken());
        assert_ready!(stays.poll());
        drop(stays);
        assert_eq!(holds.shared.state.load(Ordering::Relaxed), 0, "nobody waits any more");
    }

    #[test]
    fn the_last_waker_is_the_one_woken() {
        let holds = Holds::new();
        let hold = holds.hold();
        let mut idle = Box::pin(holds.idle());
        let (mut before, mut after) = (spawn(()), spawn(()));
        before.enter(|cx, _| assert_pending!(idle.as_mut().poll(cx)));
        after.enter(|cx, _| assert_pending!(idle.as_mut().poll(cx)));
        drop(hold);
        assert!(after.is_woken() && !before.is_woken());
    }

    #[test]
    fn a_panic_releases() {
        let holds = Holds::new();
        let inner = holds.clone();
        let _ = std::panic::catch_unwind(move || {
            let _hold = inner.hold();
            panic!("in flight");
        });
        assert_eq!(holds.count(), 0);
    }
}

#[cfg(loom)]
mod model {
    use super::*;
    use loom::sync::atomic::AtomicUsize;
    use loom::{future::block_on, model::Builder, thread};

    fn bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(model);
    }

    #[test]
    fn no_wake_up_is_lost() {
        loom::model(|| {
            let holds = Holds::new();
            let done = Arc::new(AtomicUsize::new(0));
            let worker = {
                let (hold, done) = (holds.hold(), done.clone());
                thread::spawn(move || {
                    done.store(1, Ordering::Relaxed);
                    drop(hold);
                })
            };
            block_on(holds.idle());
            assert_eq!(done.load(Ordering::Relaxed), 1, "what was done under a hold is seen");
            worker.join().unwrap();
        });
    }

    #[test]
    fn the_last_of_two_releases_wakes() {
        bounded(2, || {
            let holds = Holds::new();
            let workers: Vec<_> =
                [holds.hold(), holds.hold()].map(|hold| thread::spawn(move || drop(hold))).into();
            block_on(holds.idle());
            for worker in workers {
                worker.join().unwrap();
            }
        });
    }

    #[test]
    fn a_hold_taken_in_between_is_waited_for() {
        bounded(3, || {
            let holds = Holds::new();
            let first = holds.hold();
            let worker = {
                let holds = holds.clone();
                thread::spawn(move || {
                    drop(first);
                    drop(holds.hold());
                })
            };
            block_on(holds.idle());
            worker.join().unwrap();
        });
    }

    #[test]
    fn every_waiter_is_woken() {
        bounded(1, || {
            let holds = Holds::new();
            let hold = holds.hold();
            let waiter = {
                let holds = holds.clone();
                thread::spawn(move || block_on(holds.idle()))
            };
            let worker = thread::spawn(move || drop(hold));
            block_on(holds.idle());
            waiter.join().unwrap();
            worker.join().unwrap();
        });
    }
}
