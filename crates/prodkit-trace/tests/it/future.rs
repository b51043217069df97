use crate::context;
use prodkit_trace::{FutureExt as _, TraceState, current, current_state};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, spawn_blocking, yield_now};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn state() -> Arc<TraceState> {
    Arc::new(TraceState::parse([b"a=1".as_slice()]).unwrap())
}

#[test]
fn the_context_is_current_in_each_poll_and_only_there() {
    let mut future = pin!(
        async {
            for _ in 0..3 {
                assert_eq!(current(), Some(context(1)));
                yield_now().await;
            }
        }
        .in_trace(context(1))
    );
    assert_eq!(future.context(), Some(context(1)));
    let _around = context(2).enter();
    while poll(future.as_mut()).is_pending() {
        assert_eq!(current(), Some(context(2)));
    }
}

#[test]
fn of_nested_ones_the_innermost_decides() {
    let inner = async { current() }.in_trace(context(2));
    let outer = async { (current(), inner.await, current()) }.in_trace(context(1));
    let seen = poll(pin!(outer));
    assert_eq!(seen, Poll::Ready((Some(context(1)), Some(context(2)), Some(context(1)))));
    assert_eq!(current(), None);
}

#[test]
fn the_current_trace_is_taken_when_asked_for() {
    let scope = context(1).enter_with(&state());
    let future = async { (current(), current_state()) }.in_current_trace();
    drop(scope);
    assert_eq!(poll(pin!(future)), Poll::Ready((Some(context(1)), Some(state()))));

    let nowhere = async { current() }.in_current_trace();
    let _scope = context(2).enter();
    assert_eq!(poll(pin!(nowhere)), Poll::Ready(None));
    assert_eq!(current(), Some(context(2)));
}

#[test]
fn a_state_travels_with_it() {
    let list = state();
    {
        let mut future = pin!(
            async {
                for _ in 0..2 {
                    assert_eq!(current_state(), Some(state()));
                    yield_now().await;
                }
            }
            .in_trace(context(1))
            .with_state(list.clone())
        );
        while poll(future.as_mut()).is_pending() {
            assert_eq!(current_state(), None);
        }
    }
    assert_eq!(Arc::strong_count(&list), 1);
}

/// Sees the context it is dropped in.
struct OnDrop<'a>(&'a mut Vec<Option<u64>>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.push(current().map(|context| context.span_id().to_u64()));
    }
}

#[test]
fn it_is_dropped_in_its_own_trace_wherever_that_happens() {
    let mut seen = Vec::new();
    {
        let _elsewhere = context(9).enter();
        // never polled
        let on_drop = OnDrop(&mut seen);
        drop(async move { drop(on_drop) }.in_trace(context(1)));
        // polled and left unfinished
        let on_drop = OnDrop(&mut seen);
        let mut future = Box::pin(
            async move {
                let _on_drop = on_drop;
                pending::<()>().await;
            }
            .in_trace(context(2)),
        );
        assert!(poll(future.as_mut()).is_pending());
        drop(future);
        // one inside another
        let on_drop = OnDrop(&mut seen);
        let inner = async move { drop(on_drop) }.in_trace(context(3));
        drop(inner.in_trace(context(4)));
        // made outside any trace
        assert_eq!(current(), Some(context(9)));
    }
    assert_eq!(seen, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_panic_in_a_poll_or_a_drop_restores() {
    let _around = context(9).enter();
    let mut polled = pin!(poll_fn(|_| -> Poll<()> { panic!("on purpose") }).in_trace(context(1)));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(polled.as_mut()))).is_err());
    assert_eq!(current(), Some(context(9)));

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let bomb = Bomb;
    let dropped = async move { drop(bomb) }.in_trace(context(2));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err());
    assert_eq!(current(), Some(context(9)));
}

#[test]
fn an_output_may_be_anything() {
    // neither `Debug` nor `Send` nor `Unpin` is asked for
    struct Opaque(#[expect(dead_code, reason = "makes it neither Send nor Sync")] *const ());
    assert!(poll(pin!(ready(Opaque(std::ptr::null())).in_trace(context(1)))).is_ready());
}

/// A scope held across an await is a mistake that compiles where futures need not be `Send`. It must not reach others.
#[tokio::test]
async fn a_scope_held_across_an_await_does_not_leave_its_future() {
    LocalSet::new()
        .run_until(async {
            let held = async {
                let _scope = context(2).enter();
                yield_now().await;
                drop(_scope);
                assert_eq!(current(), Some(context(1)));
                yield_now().await;
            };
            let mut tasks = JoinSet::new();
            tasks.spawn_local(held.in_trace(context(1)));
            for _ in 0..4 {
                yield_now().await;
                assert_eq!(current(), None);
            }
            tasks.join_next().await.unwrap().unwrap();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_keep_their_trace_across_threads() {
    let mut tasks = JoinSet::new();
    for number in 1..=50 {
        let work = async move {
            for _ in 0..20 {
                assert_eq!(current(), Some(context(number)));
                yield_now().await;
            }
            // a task of its own, and a thread of its own
            let mut children = JoinSet::new();
            children.spawn(async move { assert_eq!(current(), Some(context(number))) }.in_current_trace());
            children.join_next().await.unwrap().unwrap();
            let here = current().unwrap();
            let there = spawn_blocking(move || {
                let _scope = here.enter();
                current()
            });
            assert_eq!(there.await.unwrap(), Some(context(number)));
        };
        tasks.spawn(work.in_trace(context(number)));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // the bare spawn that loses the trace: what the documentation warns of
    let _scope_is_not_inherited = async {
        let mut bare = JoinSet::new();
        bare.spawn(async { current() });
        assert_eq!(bare.join_next().await.unwrap().unwrap(), None);
    }
    .in_trace(context(99))
    .await;
    assert_eq!(current(), None);
}

#[tokio::test]
async fn cancelling_it_cancels_what_is_inside() {
    let (tx, rx) = oneshot::channel::<()>();
    let mut future = Box::pin(
        async move {
            let _tx = tx;
            pending::<()>().await;
        }
        .in_trace(context(1)),
    );
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    assert!(rx.await.is_err());
}
