use crate::context;
use prodkit_trace::{FutureExt as _, TraceContext, current, current_state};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What every request does, traced or not, must not allocate.
#[test]
fn the_path_of_a_request_allocates_nothing() {
    let header = *context(1).traceparent().as_bytes();
    let request = || {
        let caller = TraceContext::from_traceparent(&header).unwrap_or_else(|_| TraceContext::root(false));
        let mut work = pin!(
            poll_fn(|_| {
                let _scope = current().unwrap_or(caller).child().enter();
                let _ = (
                    current_state(),
                    current().map(|context| (context.traceparent(), context.trace_id().hex())),
                );
                Poll::<()>::Pending
            })
            .in_trace(caller.child())
        );
        let _ = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let _ = work.poll(&mut Context::from_waker(Waker::noop()));
    };
    // the thread seeds its generator once
    request();
    let info = allocation_counter::measure(request);
    assert_eq!(info.count_total, 0);
}
