//! TLS, before anything else.

use super::live::Live;
use super::socket::{Plain, Socket};
use super::wire::{Protocol, Wire};
use crate::refused::Refused;
use prodkit_tls::ServerConfig;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_rustls::TlsAcceptor;

impl Socket {
    /// The handshake that `stream` begins with; nothing of it happens yet.
    pub(crate) fn handshaking(stream: Plain, config: Arc<ServerConfig>) -> Self {
        Self::Handshaking(Box::new(TlsAcceptor::from(config).accept(stream)))
    }

    /// Says `close_notify`, as far as that goes without waiting.
    pub(super) fn part(&mut self) {
        let Self::Tls(stream) = self else { return };
        let (plain, session) = stream.get_mut();
        session.send_close_notify();
        let mut alert = Vec::new();
        if session.write_tls(&mut alert).is_ok() {
            // a client that takes nothing is not told
            let _ = match plain {
                Plain::Left(stream) => stream.try_write(&alert),
                Plain::Right(stream) => stream.try_write(&alert),
            };
        }
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Handshaking(accept) = self {
            let stream = ready!(Pin::new(accept).poll(cx))?;
            *self = Self::Tls(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }

    /// What client and server agreed on (RFC 7301), if they did.
    pub(super) fn agreed(&self) -> Option<Protocol> {
        let Self::Tls(stream) = self else { return None };
        match stream.get_ref().1.alpn_protocol()? {
            b"h2" => Some(Protocol::Http2),
            _ => Some(Protocol::Http1),
        }
    }
}

/// How the handshake of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Done,
    /// By the client's doing, or for want of something in common.
    Failed,
    TimedOut,
    /// More were under way than may be, and this was the oldest.
    PushedOut,
}

impl Handshake {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::TimedOut, "timed_out"),
        (Self::PushedOut, "pushed_out"),
    ];
}

/// A handshake under way; the roster knows of it until this is dropped.
pub(super) struct Handshaking<'a> {
    wire: &'a mut Wire,
    live: Arc<Live>,
    failed: bool,
}

impl<'a> Handshaking<'a> {
    pub(super) fn new(wire: &'a mut Wire) -> Self {
        let live = wire.live().clone();
        live.roster.handshakes.begin(&live);
        Self { wire, live, failed: false }
    }

    /// Says how it ended, once it has or its time is over.
    pub(super) fn end(self) -> Handshake {
        let ended = match () {
            () if self.live.is_pushed_out() => Handshake::PushedOut,
            () if self.failed => Handshake::Failed,
            () if matches!(self.wire.socket, Socket::Handshaking(_)) => Handshake::TimedOut,
            () => Handshake::Done,
        };
        self.live.roster.handshakes.count(ended);
        ended
    }
}

impl super::Stretch for Handshaking<'_> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Refused>> {
        if self.live.is_pushed_out() {
            return Poll::Ready(None);
        }
        if let Err(error) = ready!(self.wire.socket.poll_handshake(cx)) {
            tracing::debug!(%error, peer = ?self.live.peer, "TLS handshake failed");
            self.failed = true;
        }
        Poll::Ready(None)
    }

    fn finish(self: Pin<&mut Self>) {}
}

impl Drop for Handshaking<'_> {
    fn drop(&mut self) {
        self.live.roster.handshakes.end(&self.live);
    }
}
