//! The socket of one connection, as hyper sees it.

use super::live::{Live, Presence};
use super::socket::Socket;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What an HTTP/2 client with prior knowledge sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Keeps the marks of [`Live`] that deadlines are judged by, and the connection present for as long as anybody has it:
/// whoever took over an upgraded connection included.
pub(crate) struct Wire {
    pub(super) socket: Socket,
    /// Bytes read before anybody asked for them, and how many of them were handed on.
    ahead: [u8; PREFACE.len()],
    filled: usize,
    taken: usize,
    /// Whoever reads knows that the client sends no more.
    ended: bool,
    presence: Presence,
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Or anything else: its parser has the answer to that.
    Http1,
    Http2,
}

impl Wire {
    pub(crate) fn new(socket: Socket, live: Arc<Live>) -> Self {
        Self {
            socket,
            ahead: [0; PREFACE.len()],
            filled: 0,
            taken: 0,
            ended: false,
            presence: Presence(live),
        }
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.presence.0
    }

    /// Reads until the protocol is known. `None`: the client left without a word.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<Option<Protocol>> {
        loop {
            let mut buffer = ReadBuf::new(&mut self.ahead[self.filled..]);
            let Ok(()) = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) else {
                return Poll::Ready(None);
            };
            let read = buffer.filled().len();
            if read == 0 {
                return Poll::Ready((self.filled > 0).then_some(Protocol::Http1));
            }
            self.live().bytes_arrived();
            self.filled += read;
            let known = &self.ahead[..self.filled];
            if !PREFACE.starts_with(known) {
                return Poll::Ready(Some(Protocol::Http1));
            }
            if known == PREFACE {
                return Poll::Ready(Some(Protocol::Http2));
            }
        }
    }

    /// Whether the client has left while its request is in flight; if not, the task is woken when it does.
    ///
    /// hyper would look for itself, but into a new buffer of 8 KiB for each request, since the request still has the old
    /// one. What a client that is there sends meanwhile is its next request, and is kept.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.ended || self.taken < self.filled || !self.live().is_waiting_for_http1() {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(&mut self.ahead);
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer));
        (self.taken, self.filled) = (0, buffer.filled().len());
        match read {
            Ok(()) if self.filled > 0 => {
                self.live().bytes_arrived();
                Poll::Pending
            }
            Ok(()) => Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Poll::Ready(error),
        }
    }

    /// Whether it was upgraded and is to end; if not, the task that now has it is woken when it is.
    fn is_cut(&self, bell: fn(&Live) -> &crate::bell::Bell, cx: &Context<'_>) -> bool {
        let live = self.live();
        if !live.is_upgraded() {
            return false;
        }
        bell(live).listen(cx.waker());
        live.is_cut()
    }

    fn wrote(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.live().wrote(match &poll {
            Poll::Ready(written) => Some(*written.as_ref().unwrap_or(&0)),
            Poll::Pending => None,
        });
        poll
    }
}

/// Between two requests, an end by any of our deadlines is an orderly one. Inside of one it must not look like it: a body
/// without a length would seem complete (RFC 8446, section 6.1).
#[cfg(feature = "__tls")]
impl Drop for Wire {
    fn drop(&mut self) {
        if self.live().in_flight() == 0 {
            self.socket.part();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.taken < this.filled {
            let rest = &this.ahead[this.taken..this.filled];
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            this.taken += count;
            return Poll::Ready(Ok(()));
        }
        if this.is_cut(|live| &live.reader, cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.live().bytes_arrived();
        } else {
            this.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut(|live| &live.writer, cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let poll = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(|live| &live.writer, cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        if self.socket.holds_back() {
            self.live().wrote(poll.is_ready().then_some(0));
        }
        // hyper comes by here whenever it has done what it could
        match self.poll_left(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => poll,
        }
    }

    /// Closes our side. If the client may still be sending, takes that in before the socket goes: the kernel answers
    /// bytes that arrive later with a reset, which can overtake our answer (RFC 9112, section 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
        if this.live().is_upgraded() || !this.live().must_linger() {
            return Poll::Ready(Ok(()));
        }
        this.live().lingers();
        let mut waste = [0; 4096];
        while !this.live().has_lingered() {
            let mut buffer = ReadBuf::new(&mut waste);
            match ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
