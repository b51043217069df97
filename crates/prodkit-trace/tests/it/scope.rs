use crate::context;
use prodkit_trace::{Scope, TraceContext, TraceState, current, current_state};
use proptest::prelude::*;
use proptest::sample::Index;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

fn numbers() -> Option<u64> {
    current().map(|context| context.span_id().to_u64())
}

fn state(text: &str) -> Arc<TraceState> {
    Arc::new(TraceState::parse([text.as_bytes()]).unwrap())
}

#[test]
fn nested_scopes_restore_each_other() {
    assert_eq!(numbers(), None);
    let outer = context(1).enter();
    assert_eq!(numbers(), Some(1));
    {
        let _inner = context(2).enter();
        assert_eq!(numbers(), Some(2));
        let _again = context(2).enter();
        assert_eq!(numbers(), Some(2));
    }
    assert_eq!(numbers(), Some(1));
    drop(outer);
    assert_eq!(numbers(), None);
}

#[test]
fn a_scope_dropped_early_ends_those_entered_after_it() {
    let (a, b, c) = (context(1).enter(), context(2).enter(), context(3).enter());
    drop(b);
    assert_eq!(numbers(), Some(1));
    drop(c);
    assert_eq!(numbers(), Some(1));
    drop(a);
    assert_eq!(numbers(), None);
}

#[test]
fn a_state_ended_early_does_not_come_back() {
    let (one, two) = (state("a=1"), state("b=2"));
    let (a, b) = (context(1).enter_with(&one), context(2).enter_with(&two));
    drop(a);
    drop(b);
    let _later = context(1).enter();
    assert_eq!(current_state(), None);
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1));
}

#[test]
fn a_forgotten_scope_ends_with_the_one_around_it() {
    let outer = context(1).enter();
    std::mem::forget(context(2).enter());
    assert_eq!(numbers(), Some(2));
    drop(outer);
    assert_eq!(numbers(), None);
}

#[test]
fn a_panic_restores() {
    let _outer = context(1).enter();
    let panicked = catch_unwind(|| {
        let _inner = context(2).enter();
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert_eq!(numbers(), Some(1));
}

#[test]
fn threads_have_a_context_each() {
    let _here = context(1).enter();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            assert_eq!(numbers(), None);
            let _there = context(2).enter();
            assert_eq!(numbers(), Some(2));
        });
    });
    assert_eq!(numbers(), Some(1));
}

/// Locals are dropped at thread exit in no promised order; whichever way, asking and entering must work.
#[test]
fn the_end_of_a_thread_does_not_panic() {
    struct AtExit(mpsc::Sender<(Option<u64>, Option<u64>, bool)>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            let before = numbers();
            let scope = context(7).enter_with(&state("a=1"));
            let inside = numbers();
            let _ = (current_state(), TraceContext::root(true));
            drop(scope);
            let _ = self.0.send((before, inside, numbers() == before));
        }
    }
    thread_local!(static EXIT: std::cell::RefCell<Vec<AtExit>> = const { std::cell::RefCell::new(Vec::new()) });

    // a state that is already set when the thread ends, and one that is first touched then
    for early in [true, false] {
        let (tx, rx) = mpsc::channel();
        std::thread::spawn(move || {
            if early {
                let _ = current_state();
            }
            EXIT.with_borrow_mut(|exit| exit.push(AtExit(tx)));
            std::mem::forget(context(1).enter());
            if !early {
                std::mem::forget(context(1).enter_with(&state("a=1")));
            }
        })
        .join()
        .unwrap();
        assert_eq!(rx.recv(), Ok((Some(1), Some(7), true)), "early: {early}");
    }
}

#[test]
fn the_state_follows_its_trace() {
    let (one, two) = (state("a=1"), state("b=2"));
    assert_eq!(current_state(), None);
    let outer = context(1).enter_with(&one);
    assert_eq!(current_state(), Some(one.clone()));
    {
        // the same trace, another span
        let _child = context(1).child().enter();
        assert_eq!(current_state(), Some(one.clone()));
        // another trace must not be told this one's
        let _other = context(2).enter();
        assert_eq!(current_state(), None);
        let _stated = context(2).enter_with(&two);
        assert_eq!(current_state(), Some(two));
    }
    assert_eq!(current_state(), Some(one.clone()));
    drop(outer);
    assert_eq!(current_state(), None);
    assert_eq!(Arc::strong_count(&one), 1);
}

proptest! {
    /// Dropping any open scope, and those it ends after it, against a plain stack.
    #[test]
    fn an_open_scope_ends_itself_and_what_is_above(steps in prop::collection::vec(prop::option::of(any::<Index>()), 0..60)) {
        let mut open: Vec<Scope> = Vec::new();
        let mut model: Vec<u64> = Vec::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Some(which) if !open.is_empty() => {
                    let at = which.index(open.len());
                    let mut ended = open.split_off(at).into_iter();
                    model.truncate(at);
                    drop(ended.next());
                    prop_assert_eq!(numbers(), model.last().copied());
                    drop(ended);
                }
                _ => {
                    open.push(context(number).enter());
                    model.push(number);
                }
            }
            prop_assert_eq!(numbers(), model.last().copied());
        }
    }

    /// Even ended scopes that are kept and dropped among newer ones leave nothing behind.
    #[test]
    fn nothing_outlives_all_scopes(steps in prop::collection::vec(prop::option::of(any::<Index>()), 0..60)) {
        let mut held: Vec<Scope> = Vec::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Some(which) if !held.is_empty() => drop(held.swap_remove(which.index(held.len()))),
                _ => {
                    held.push(context(number).enter_with(&state("a=1")));
                    prop_assert_eq!(numbers(), Some(number));
                }
            }
        }
        drop(held);
        prop_assert_eq!(numbers(), None);
        prop_assert_eq!(current_state(), None);
    }

    #[test]
    fn a_panic_at_any_depth_restores(depth in 0..20_u64) {
        fn descend(left: u64) {
            let _scope = context(left + 1).enter();
            if left == 0 {
                std::panic::resume_unwind(Box::new(()));
            }
            descend(left - 1);
        }
        let _outer = context(99).enter();
        let panicked = catch_unwind(AssertUnwindSafe(|| descend(depth)));
        prop_assert!(panicked.is_err());
        prop_assert_eq!(numbers(), Some(99));
    }
}
