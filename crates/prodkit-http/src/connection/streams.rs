//! The one place where tasks are made, and the streams of HTTP/2 that run in tasks of their own.

use super::deadlines::after;
use hyper::rt::Executor;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Every task ends when its connection does: connections when the server aborts, streams because hyper fails them once
/// their connection is gone.
#[expect(clippy::disallowed_methods, reason = "connections and streams are what this crate may spawn")]
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Runs the streams of one HTTP/2 connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// The flow of the request that was begun last: hyper begins a request and executes its stream in one go, so it is
    /// that of the stream that comes next.
    begun: Arc<Mutex<Option<Arc<Flow>>>>,
    write_timeout: Duration,
}

impl Streams {
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self { begun: Arc::default(), write_timeout }
    }

    /// A request begins, to be executed next.
    pub(super) fn begin(&self) -> Arc<Flow> {
        let flow = Arc::new(Flow { born: Instant::now(), full: AtomicU64::new(0) });
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(flow.clone());
        flow
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        match self.begun.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(flow) => spawn(Stream { stream, flow, timer: None, write_timeout: self.write_timeout }),
            None => spawn(stream),
        }
    }
}

/// Whether the client takes a stream's response.
#[derive(Debug)]
pub(super) struct Flow {
    born: Instant,
    /// When the response gave a chunk without having been asked for the next one, nanoseconds since `born` plus one;
    /// else 0. hyper asks when the stream's window has room.
    full: AtomicU64,
}

impl Flow {
    pub(super) fn asked(&self) {
        self.full.store(0, Relaxed);
    }

    pub(super) fn gave(&self) {
        let since = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX - 1);
        self.full.store(since + 1, Relaxed);
    }

    fn full_since(&self) -> Option<Instant> {
        let since = self.full.load(Relaxed).checked_sub(1)?;
        Some(self.born + Duration::from_nanos(since))
    }
}

pin_project! {
    /// A stream that is reset when its client takes nothing of the response for too long.
    struct Stream<F> {
        #[pin]
        stream: F,
        flow: Arc<Flow>,
        #[pin]
        timer: Option<Sleep>,
        write_timeout: Duration,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = this.flow.full_since() else { return Poll::Pending };
        let at = after(since, *this.write_timeout);
        if this.timer.as_ref().as_pin_ref().is_none_or(|timer| timer.deadline() != at) {
            this.timer.set(Some(sleep_until(at)));
        }
        match this.timer.as_pin_mut() {
            Some(timer) => timer.poll(cx),
            None => Poll::Pending,
        }
    }
}
