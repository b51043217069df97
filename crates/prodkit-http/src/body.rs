//! The body of a request.

use crate::connection::{Live, after};
use crate::current::Lost;
use crate::{BoxError, current};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{Full, Limited};
use hyper::body::Incoming;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The body of a request, bounded in size and in time.
///
/// Fails with
/// - [`http_body_util::LengthLimitError`] when it is larger than [`Limits::body_bytes`](crate::Limits::body_bytes): the
///   error by which axum's extractors and others know to answer 413;
/// - [`ReadTimeout`] when it does not arrive: 408;
/// - hyper's error when the client is gone or does not keep to the protocol.
///
/// ```
/// # use prodkit_http::{Body, BoxError};
/// # use http::{Request, Response};
/// use http_body_util::BodyExt as _;
///
/// async fn echo(request: Request<Body>) -> Result<Response<String>, BoxError> {
///     let body = request.into_body().collect().await?.to_bytes();
///     Ok(Response::new(String::from_utf8(body.into())?))
/// }
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    // boxed: most requests have none, and a request moves several times
    Full(Box<Bytes>),
    Incoming(Box<Streaming>),
}

struct Streaming {
    incoming: Incoming,
    /// Bytes that may still come.
    room: u64,
    wait: Patience,
    /// Told when the body is dropped before its end.
    live: Option<Arc<Live>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: u64,
    pub(crate) wait: Duration,
}

/// In the request's extensions: its length, as declared, is over the limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn incoming(incoming: Incoming, limits: BodyLimits, live: &Arc<Live>) -> Self {
        let wait = Patience::new(limits.wait);
        let streaming = Streaming { incoming, room: limits.bytes, wait, live: Some(live.clone()) };
        Self(Kind::Incoming(Box::new(streaming)))
    }

    /// The same without a bound on its size and on how long it keeps its reader waiting.
    ///
    /// For streams that have bounds of their own: calls of gRPC in which the client goes on sending, whose messages tonic
    /// bounds, and whose connection is asked for a sign of life by [`Limits::http2_ping`](crate::Limits::http2_ping). One
    /// that is refused already stays so.
    ///
    /// ```
    /// # use prodkit_http::Body;
    /// # use http::Request;
    /// use tower::ServiceBuilder;
    ///
    /// # fn routes<S>(routes: S) -> impl tower::Service<Request<Body>> where S: tower::Service<Request<Body>> {
    /// ServiceBuilder::new().map_request(|request: Request<Body>| request.map(Body::unbounded)).service(routes)
    /// # }
    /// ```
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        if let Kind::Incoming(streaming) = &mut self.0
            && !matches!(streaming.wait, Patience::Refused)
        {
            streaming.room = u64::MAX;
            streaming.wait = Patience::new(Duration::MAX);
        }
        self
    }

    /// Makes it fail before anything of it is asked for: no `100 Continue` is sent.
    pub(crate) fn refuse(&mut self) {
        if let Kind::Incoming(streaming) = &mut self.0 {
            streaming.wait = Patience::Refused;
        }
    }
}

impl Streaming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if matches!(self.wait, Patience::Refused) {
            return Poll::Ready(Some(Err(too_large())));
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.wait.poll_lost(cx));
                current::lost(Lost::Late);
                return Poll::Ready(Some(Err(ReadTimeout(()).into())));
            }
        };
        let Some(frame) = frame.transpose()? else {
            self.live = None;
            return Poll::Ready(None);
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        current::received(bytes);
        self.wait.got(bytes);
        match self.room.checked_sub(bytes) {
            Some(room) => self.room = room,
            None => {
                self.wait = Patience::Refused;
                current::lost(Lost::Large);
                return Poll::Ready(Some(Err(too_large())));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

/// The error that others know as "too large" can be made by its own crate only: that is asked to.
fn too_large() -> BoxError {
    let mut limited = Limited::new(Full::new(Bytes::from_static(b"!")), 0);
    match Pin::new(&mut limited).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Err(error))) => error,
        _ => "length limit exceeded".into(),
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Incoming(streaming) => streaming.poll_frame(cx),
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(&mut **bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Incoming(streaming) => streaming.incoming.is_end_stream(),
            Kind::Empty => true,
            Kind::Full(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Incoming(streaming) => streaming.incoming.size_hint(),
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(live) = &self.live
            && !self.incoming.is_end_stream()
        {
            live.body_left_unread();
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(Box::new(bytes))) }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

/// A request's body did not arrive in the time it is given.
#[derive(Debug)]
pub struct ReadTimeout(());

impl fmt::Display for ReadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read the request's body in time")
    }
}

impl std::error::Error for ReadTimeout {}

/// How long the reader will still wait.
enum Patience {
    /// Not waiting; this much is left.
    Rested(Duration),
    Waiting {
        timer: Pin<Box<Sleep>>,
    },
    /// Not at all: the body is too large.
    Refused,
}

/// The slowest honest client: this many bytes win back a second.
const BYTES_PER_SECOND: u64 = 4096;

impl Patience {
    fn new(limit: Duration) -> Self {
        Self::Rested(limit)
    }

    /// The reader is left waiting. Ready when it has waited too long.
    fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        current::waiting();
        if let Self::Rested(left) = *self {
            let timer = Box::pin(sleep_until(after(Instant::now(), left)));
            *self = Self::Waiting { timer };
        }
        match self {
            Self::Waiting { timer } => timer.as_mut().poll(cx),
            Self::Rested(_) | Self::Refused => Poll::Pending,
        }
    }

    /// Bytes arrived.
    fn got(&mut self, bytes: u64) {
        let won = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND);
        match self {
            Self::Rested(left) => *left = left.saturating_add(won),
            Self::Waiting { timer } => {
                let left = timer.deadline().saturating_duration_since(Instant::now());
                *self = Self::Rested(left.saturating_add(won));
            }
            Self::Refused => {}
        }
    }
}
