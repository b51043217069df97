//! Accepting, whatever goes wrong with it.

use crate::connection::Plain;
use crate::listener::Bound;
use crate::refused::Refused;
use crate::roster::Roster;
use std::future::Future as _;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The next connection, when there is room for it.
pub(super) struct Accept<L = Bound> {
    listener: L,
    roster: Arc<Roster>,
    pause: Option<Pin<Box<Sleep>>>,
    next_pause: Duration,
    /// Whether the limit was reached and said so.
    full: bool,
}

/// Where connections come from; a script in tests.
pub(super) trait Source {
    type Stream;
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>>;
}

impl Source for Bound {
    type Stream = Plain;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Plain, Option<SocketAddr>)>> {
        Poll::Ready(Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // it fails only if the client is gone again, which will show
                let _ = stream.set_nodelay(true);
                (Plain::Left(stream), Some(peer))
            }
            Self::Unix(listener, _) => (Plain::Right(ready!(listener.poll_accept(cx))?.0), None),
        }))
    }
}

impl<L: Source> Accept<L> {
    pub(super) fn new(listener: L, roster: Arc<Roster>) -> Self {
        Self { listener, roster, pause: None, next_pause: FIRST_PAUSE, full: false }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(L::Stream, Option<SocketAddr>)> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            ready!(self.poll_room(cx));
            let error = match ready!(self.listener.poll_accept(cx)) {
                Ok(accepted) => {
                    self.next_pause = FIRST_PAUSE;
                    return Poll::Ready(accepted);
                }
                Err(error) => error,
            };
            if concerns_one_connection(&error) {
                continue;
            }
            // Out of descriptors or memory: the connection stays in the queue, and trying again at once would spin.
            let pause = self.next_pause;
            self.next_pause = (pause * 2).min(LONGEST_PAUSE);
            tracing::warn!(%error, ?pause, "cannot accept connections");
            self.pause = Some(Box::pin(sleep(pause)));
        }
    }

    fn poll_room(&mut self, cx: &Context<'_>) -> Poll<()> {
        let limit = self.roster.limits.max_connections;
        if self.roster.connections() < limit {
            self.full = false;
            return Poll::Ready(());
        }
        self.roster.door.listen(cx.waker());
        if self.roster.connections() < limit {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut self.full, true) {
            self.roster.refusals.count(Refused::MaxConnections);
            tracing::warn!(limit, "connection limit reached: more wait to be accepted");
        }
        Poll::Pending
    }
}

/// Whether the error is about the connection that was to be accepted (and is gone), not about us: see `accept(2)`,
/// "Error handling".
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::PermissionDenied
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests;
