//! Futures that run in a trace.

use crate::{TraceContext, current, scope};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future in a trace.
pub trait FutureExt: Sized {
    /// Makes `context` [`current()`] whenever this future is polled, and while it is dropped.
    ///
    /// Of nested ones the innermost decides. No allocation; dropping it early drops the future, so it is as cancel
    /// safe as that one.
    fn in_trace(self, context: TraceContext) -> InTrace<Self> {
        InTrace { inner: Some(self), context: Some(context) }
    }

    /// Like [`in_trace`](Self::in_trace) with the context that is current *now*, not where the future will run.
    ///
    /// What to wrap a future in before `tokio::spawn`, which otherwise loses the trace. Called outside any trace, the
    /// future runs outside any trace, wherever it is polled.
    fn in_current_trace(self) -> InTrace<Self> {
        InTrace { inner: Some(self), context: current() }
    }
}

impl<F: Future> FutureExt for F {}

pin_project! {
    /// A future that runs in a trace; made by [`FutureExt`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InTrace<F> {
        // emptied by drop alone, so that the future can be dropped inside its trace
        #[pin]
        inner: Option<F>,
        context: Option<TraceContext>,
    }

    impl<F> PinnedDrop for InTrace<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _scope = scope::enter(*this.context);
            this.inner.set(None);
        }
    }
}

impl<F> InTrace<F> {
    /// The context it runs in; `None` where [`FutureExt::in_current_trace`] was called outside any.
    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }
}

impl<F: Future> Future for InTrace<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _scope = scope::enter(*this.context);
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(cx),
            None => unreachable!("polled after drop"),
        }
    }
}
