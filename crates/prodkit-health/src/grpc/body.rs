use super::message::{self, Answer};
use super::status::Status;
use super::{Closing, serving};
use crate::Health;
use crate::state::Watcher;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// The body of an answer of [`Grpc`](super::Grpc): nothing, one message, or a message for each change.
pub struct Body(Kind);

enum Kind {
    Ended,
    Once(Answer),
    Trailers(Status),
    Watching(Watching),
}

/// A `Watch` that goes on.
pub(super) struct Watching {
    health: Health,
    clock: fn() -> Instant,
    name: String,
    watcher: Watcher,
    closing: Closing,
    told: Option<Answer>,
}

impl Watching {
    pub(super) fn new(
        health: Health,
        clock: fn() -> Instant,
        name: String,
        watcher: Watcher,
        closing: Closing,
    ) -> Self {
        Self { health, clock, name, watcher, closing, told: None }
    }

    /// What has changed, or that nothing will any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answer>> {
        // Before looking, so that what changes from now on wakes.
        self.watcher.wake_by(cx.waker());
        let now = serving(&self.health, &self.name, (self.clock)());
        if self.told != Some(now) {
            self.told = Some(now);
            return Poll::Ready(Some(now));
        }
        self.closing.as_mut().poll(cx).map(|()| None)
    }
}

impl Body {
    pub(super) fn nothing() -> Self {
        Self(Kind::Ended)
    }

    pub(super) fn once(serving: Answer) -> Self {
        Self(Kind::Once(serving))
    }

    pub(super) fn watching(watching: Watching) -> Self {
        Self(Kind::Watching(watching))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (next, frame) = match &mut self.0 {
            Kind::Ended => return Poll::Ready(None),
            Kind::Once(serving) => (Some(Kind::Trailers(Status::OK)), Frame::data(message::told(*serving))),
            Kind::Trailers(status) => (Some(Kind::Ended), Frame::trailers(status.trailers())),
            Kind::Watching(watching) => match watching.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(serving)) => (None, Frame::data(message::told(serving))),
                Poll::Ready(None) => {
                    let closed = Status::unavailable("the server closes this port");
                    (Some(Kind::Ended), Frame::trailers(closed.trailers()))
                }
            },
        };
        if let Some(next) = next {
            self.0 = next;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Ended)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
