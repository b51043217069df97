//! What bytes come and go through: TCP or a Unix socket, in the clear or not.

use super::proxied::Proxied;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

#[cfg(feature = "__tls")]
use tokio_rustls::{Accept, server::TlsStream};

/// A socket as it was accepted: TCP, or a Unix socket.
pub(crate) type Plain = Either<TcpStream, UnixStream>;

/// What a connection is served over.
pub(crate) enum Socket {
    Plain(Plain),
    /// `None` while it becomes one of the others.
    Proxied(Option<Box<Proxied>>),
    #[cfg(feature = "__tls")]
    Handshaking(Box<Accept<Plain>>),
    #[cfg(feature = "__tls")]
    Tls(Box<TlsStream<Plain>>),
}

impl Socket {
    /// Whether bytes may be held back here after a write, until a flush.
    pub(super) fn holds_back(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
}

/// Calls the same method of whatever it is; there is nothing to read or write before a header and the handshake are over.
macro_rules! through {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Plain($stream) => $call,
            Socket::Proxied(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            #[cfg(feature = "__tls")]
            Socket::Tls($stream) => $call,
            #[cfg(feature = "__tls")]
            Socket::Handshaking(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        through!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        through!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        through!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Proxied(_) => false,
            #[cfg(feature = "__tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
            #[cfg(feature = "__tls")]
            Self::Handshaking(_) => false,
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
