//! The PROXY protocol, before TLS and before anything else.

use super::live::Live;
use super::socket::{Plain, Socket};
use super::wire::Wire;
use crate::outcomes::Outcomes;
use crate::proxy_protocol::{Header, Source};
use crate::refused::Refused;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead as _, ReadBuf};

/// What a connection goes on with.
pub(crate) struct After {
    #[cfg(feature = "__tls")]
    pub(crate) tls: Option<Arc<prodkit_tls::ServerConfig>>,
}

impl After {
    pub(crate) fn begin(self, stream: Plain) -> Socket {
        #[cfg(feature = "__tls")]
        if let Some(tls) = self.tls {
            return Socket::handshaking(stream, tls);
        }
        Socket::Plain(stream)
    }
}

/// A socket that begins with a header.
pub(crate) struct Proxied {
    stream: Plain,
    header: Header,
    after: After,
}

impl Socket {
    /// One that begins with a header; nothing of it is read yet.
    pub(crate) fn proxied(stream: Plain, after: After) -> Self {
        Self::Proxied(Some(Box::new(Proxied { stream, header: Header::new(), after })))
    }

    /// Reads the header and nothing behind it.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<Result<Source, Introduction>> {
        let Self::Proxied(proxied) = self else { return Poll::Ready(Err(Introduction::Left)) };
        let Some(mut whole) = proxied.take() else { return Poll::Ready(Err(Introduction::Left)) };
        match whole.poll(cx) {
            Poll::Ready(Ok(source)) => {
                *self = whole.after.begin(whole.stream);
                Poll::Ready(Ok(source))
            }
            unfinished => {
                *proxied = Some(whole);
                unfinished
            }
        }
    }
}

impl Proxied {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Source, Introduction>> {
        let Self { stream, header, .. } = self;
        loop {
            let mut buffer = ReadBuf::new(header.space());
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer));
            let count = buffer.filled().len();
            if read.is_err() || count == 0 {
                return Poll::Ready(Err(Introduction::Left));
            }
            match header.advance(count) {
                Ok(None) => {}
                Ok(Some(source)) => return Poll::Ready(Ok(source)),
                Err(error) => {
                    tracing::debug!(%error, "connection refused");
                    return Poll::Ready(Err(Introduction::Invalid));
                }
            }
        }
    }
}

/// How the header of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Introduction {
    Done(Source),
    Invalid,
    TimedOut,
    /// The client went before it was whole.
    Left,
}

impl Introduction {
    /// As labels, in the order of [`index`](Self::index).
    pub(crate) const ALL: [&'static str; 6] = ["client", "unknown", "proxy", "invalid", "timed_out", "left"];

    pub(crate) fn measure(headers: &Outcomes<{ Self::ALL.len() }>, recorder: &dyn metrics::Recorder) {
        let what = "Headers of the PROXY protocol by what they said.";
        headers.measure(recorder, "prodkit_proxy_headers_total", what, "outcome", Self::ALL);
    }

    fn index(self) -> usize {
        match self {
            Self::Done(Source::Client(_)) => 0,
            Self::Done(Source::Unknown) => 1,
            Self::Done(Source::Proxy) => 2,
            Self::Invalid => 3,
            Self::TimedOut => 4,
            Self::Left => 5,
        }
    }
}

/// A header that is under way.
pub(super) struct Introducing<'a> {
    wire: &'a mut Wire,
    live: Arc<Live>,
    ended: Introduction,
}

impl<'a> Introducing<'a> {
    pub(super) fn new(wire: &'a mut Wire) -> Self {
        let live = wire.live().clone();
        Self { wire, live, ended: Introduction::TimedOut }
    }

    /// Whom it named, if anybody, once it has ended or its time is over; `None` if the connection is to end.
    pub(super) fn end(self) -> Option<Option<SocketAddr>> {
        self.live.roster.headers.count(Some(self.ended.index()));
        match self.ended {
            Introduction::Done(Source::Client(client)) => Some(Some(client)),
            Introduction::Done(_) => Some(None),
            _ => None,
        }
    }
}

impl super::Stretch for Introducing<'_> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>> {
        self.ended = match ready!(self.wire.socket.poll_header(cx)) {
            Ok(source) => Introduction::Done(source),
            Err(ended) => ended,
        };
        Poll::Ready(None)
    }

    fn finish(self: Pin<&mut Self>) {}
}
