//! Futures that run in a trace.

use crate::carried::Carried;
use crate::{Baggage, Companion, TraceContext, TraceState, current, current_companion, scope};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Runs a future in a trace.
pub trait FutureExt: Sized {
    /// Makes `context` [`current()`] whenever this future is polled, and while it is dropped.
    ///
    /// Of nested ones the innermost decides. Nothing is allocated. Dropping it drops the future: it is as cancel safe
    /// as that one.
    fn in_trace(self, context: TraceContext) -> InTrace<Self> {
        InTrace { inner: Some(self), context: Some(context), companion: None }
    }

    /// Like [`in_trace`](Self::in_trace) with the context that is current *now*, not where the future will run, and
    /// with its [`current_companion()`]: `tracestate` and `baggage`.
    ///
    /// What to wrap a future in before `tokio::spawn`, which otherwise loses the trace. Called outside any trace, the
    /// future runs outside any trace, wherever it is polled.
    ///
    /// ```
    /// # use prodkit_trace::FutureExt as _;
    /// # async fn refresh() {}
    /// # async fn handler() {
    /// tokio::spawn(refresh()); // wrong, if its log lines are to carry the trace of this request
    /// tokio::spawn(refresh().in_current_trace()); // right
    /// # }
    /// ```
    fn in_current_trace(self) -> InTrace<Self> {
        InTrace { inner: Some(self), context: current(), companion: current_companion() }
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
        companion: Option<Companion>,
    }

    impl<F> PinnedDrop for InTrace<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _scope = scope::enter(*this.context);
            let _carried = Carried::enter(*this.context, this.companion.as_ref());
            this.inner.set(None);
        }
    }
}

impl<F> InTrace<F> {
    /// Adds the `tracestate` the trace arrived with: it then is [`current_state()`](crate::current_state) wherever the context is current.
    pub fn with_state(mut self, state: Arc<TraceState>) -> Self {
        self.companion.get_or_insert_default().state = Some(state);
        self
    }

    /// Sets the `baggage` of the trace: it then is [`current_baggage()`](crate::current_baggage) wherever the context is
    /// current, and leaves with every request made there.
    pub fn with_baggage(mut self, baggage: Arc<Baggage>) -> Self {
        self.companion.get_or_insert_default().baggage = Some(baggage);
        self
    }

    /// Sets all that travels with the trace.
    pub fn with_companion(mut self, companion: Option<Companion>) -> Self {
        self.companion = companion;
        self
    }

    /// The context it runs in; `None` where [`FutureExt::in_current_trace`] was called outside any.
    pub fn context(&self) -> Option<TraceContext> {
        self.context
    }
}

impl<F: Future> Future for InTrace<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _scope = scope::enter(*this.context);
        let _carried = Carried::enter(*this.context, this.companion.as_ref());
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(cx),
            None => unreachable!("polled after drop"),
        }
    }
}
