//! The body of a response under observation, to its last byte.

use super::exchange::Outcome;
use super::future::caught;
use super::pool::Held;
use crate::BoxError;
use crate::current::Listening;
use bytes::{Buf as _, Bytes};
use http::Version;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// HTTP/2 streams get no larger chunks: only what the stream's window has room for counts as sent, and a client that
/// takes nothing shows.
const HTTP2_CHUNK: usize = 64 << 10;

pin_project! {
    /// The response's body of [`Observed`](super::Observed): data in [`Bytes`], whatever the service's is.
    pub struct ObservedBody<B> {
        // before the record: the service's work ends before its request does
        #[pin]
        body: Option<B>,
        // To be given before anything of `body`: the rest of a chunk, or the layer's own answer.
        rest: Bytes,
        declared: Option<u64>,
        record: Option<Held>,
        // What it is when it ends well.
        outcome: Outcome,
    }

    impl<B> PinnedDrop for ObservedBody<B> {
        // Its answer may still have to be flushed by whoever drops it.
        fn drop(this: Pin<&mut Self>) {
            let mut body = this.project().body;
            let _ = caught(|| body.set(None));
        }
    }
}

impl<B: Body> ObservedBody<B> {
    /// `declared` is the length of the body, by itself or by the response's head.
    pub(super) fn new(body: B, record: Option<Held>, declared: Option<u64>) -> Self {
        Self { body: Some(body), rest: Bytes::new(), declared, record, outcome: Outcome::Completed }
    }

    pub(super) fn own(bytes: Bytes, record: Held, outcome: Outcome) -> Self {
        Self { body: None, rest: bytes, declared: None, record: Some(record), outcome }
    }
}

impl<B: Body<Error: Into<BoxError>>> ObservedBody<B> {
    /// A frame of the service's body, which is polled in the trace that is current.
    fn poll_service(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let (Some(body), Some(record)) = (this.body.as_mut().as_pin_mut(), this.record) else {
            return Poll::Ready(None);
        };
        let listening = Listening::start();
        let polled = caught(|| body.poll_frame(cx));
        record.note(listening.end());
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                Poll::Ready(Some(Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))))
            }
            Ok(Poll::Ready(None)) => {
                record.finish(*this.outcome);
                Poll::Ready(None)
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                let error = error.into();
                record.error = Some(error.to_string().into());
                record.finish(Outcome::Failed);
                Poll::Ready(Some(Err(error)))
            }
            Err(panicked) => {
                this.body.set(None);
                record.error = Some(panicked.into());
                record.finish(Outcome::Panicked);
                Poll::Ready(Some(Err("the response's body panicked".into())))
            }
        }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for ObservedBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let _scope = self.record.as_ref().map(|record| record.enter());
        let mut frame = if self.rest.is_empty() {
            match ready!(self.as_mut().poll_service(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            }
        } else {
            Frame::data(std::mem::take(self.as_mut().project().rest))
        };
        let this = self.as_mut().project();
        let Some(record) = this.record else { return Poll::Ready(Some(Ok(frame))) };
        if let Some(data) = frame.data_mut() {
            if record.version == Version::HTTP_2 && data.len() > HTTP2_CHUNK {
                *this.rest = data.split_off(HTTP2_CHUNK);
            }
            record.bytes_out += data.len() as u64;
        }
        if let Some(call) = &mut record.call
            && let Some(trailers) = frame.trailers_ref()
        {
            call.meets(trailers);
        }
        // hyper asks for no more than was declared, and for nothing after trailers
        let complete =
            frame.is_trailers() || this.declared.is_some_and(|declared| record.bytes_out >= declared);
        if complete
            || (this.rest.is_empty()
                && this.body.as_ref().as_pin_ref().is_none_or(|body| body.is_end_stream()))
        {
            record.finish(*this.outcome);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let Some(body) = &self.body else { return SizeHint::with_exact(rest) };
        let mut hint = body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
