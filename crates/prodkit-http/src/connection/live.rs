//! What is known about one connection, by all who work on it.

use super::deadlines::Seen;
use crate::bell::Bell;
use crate::drain::Stage;
use crate::roster::Roster;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// One connection. The numbers are hints that its own task acts on after each poll, so relaxed order suffices: whoever
/// changes one either runs inside that poll or wakes the task after.
#[derive(Debug)]
pub(crate) struct Live {
    id: u64,
    /// `None` over a Unix socket, where clients have no address.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) born: Instant,
    /// Set once, when the protocol is known.
    http2: AtomicBool,
    /// Requests begun, and those not yet answered to the end.
    requests: AtomicU64,
    active: AtomicU32,
    /// Bytes arrived that belong to no request yet.
    partial: AtomicBool,
    /// A request's body was left unread: what still arrives of it must not reset the connection under our answer.
    unread: AtomicBool,
    /// When the client stopped taking what we write; 0 while it does, else nanoseconds since `born` plus one.
    blocked: AtomicU64,
    /// When our side was shut; in the same way.
    lingering: AtomicU64,
    /// It was waited for long enough.
    lingered: AtomicBool,
    /// Bytes written.
    written: AtomicU64,
    upgraded: AtomicBool,
    cut: AtomicBool,
    gone: AtomicBool,
    #[cfg(feature = "__tls")]
    pushed_out: AtomicBool,
    task: Bell,
    /// Once upgraded, the connection is not in its task's hands any more; its two halves may be in two others'.
    pub(crate) reader: Bell,
    pub(crate) writer: Bell,
}

impl Live {
    pub(crate) fn new(id: u64, peer: Option<SocketAddr>, roster: Arc<Roster>) -> Self {
        Self {
            id,
            peer,
            roster,
            born: Instant::now(),
            http2: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            active: AtomicU32::new(0),
            partial: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            blocked: AtomicU64::new(0),
            lingering: AtomicU64::new(0),
            lingered: AtomicBool::new(false),
            written: AtomicU64::new(0),
            upgraded: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            #[cfg(feature = "__tls")]
            pushed_out: AtomicBool::new(false),
            task: Bell::default(),
            reader: Bell::default(),
            writer: Bell::default(),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.roster.stage()
    }

    pub(crate) fn moment(&self) -> Instant {
        self.roster.moment(self.id)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    pub(super) fn set_http2(&self) {
        self.http2.store(true, Relaxed);
    }

    /// A request begins; it lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.partial.store(false, Relaxed);
        self.unread.store(false, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.active.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// Requests that are not answered in full. The end of an answer whose client takes nothing is still here, though its
    /// request has gone.
    pub(crate) fn in_flight(&self) -> usize {
        let active = self.active.load(Relaxed) as usize + usize::from(self.is_upgraded());
        active.max(usize::from(self.blocked.load(Relaxed) != 0))
    }

    /// Whether a request of HTTP/1 is in flight, so that nothing is to be done for its client but to wait.
    pub(super) fn is_waiting_for_http1(&self) -> bool {
        self.active.load(Relaxed) > 0 && !self.is_http2() && !self.is_upgraded()
    }

    pub(super) fn bytes_arrived(&self) {
        self.partial.store(true, Relaxed);
    }

    pub(crate) fn body_left_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// Whether the client may be sending what nobody will read.
    pub(super) fn must_linger(&self) -> bool {
        self.partial.load(Relaxed) || self.unread.load(Relaxed)
    }

    pub(super) fn lingers(&self) {
        if self.lingering.load(Relaxed) == 0 {
            self.lingering.store(self.stamp(), Relaxed);
        }
    }

    /// Ends the wait for a client that may still be sending; whether there was one.
    pub(super) fn stop_lingering(&self) -> bool {
        self.lingered.store(true, Relaxed);
        self.lingering.load(Relaxed) != 0
    }

    pub(super) fn has_lingered(&self) -> bool {
        self.lingered.load(Relaxed)
    }

    /// A write was tried: `None` if the client takes nothing.
    pub(super) fn wrote(&self, bytes: Option<usize>) {
        if let Some(bytes) = bytes {
            self.written.fetch_add(bytes as u64, Relaxed);
        }
        let blocked = bytes.is_none();
        let marked = self.blocked.load(Relaxed) != 0;
        if blocked != marked {
            self.blocked.store(if blocked { self.stamp() } else { 0 }, Relaxed);
        }
    }

    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    /// Ends an upgraded connection, wherever it is.
    pub(super) fn cut(&self) {
        self.cut.store(true, Relaxed);
        self.reader.ring();
        self.writer.ring();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    #[cfg(feature = "__tls")]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Ends a handshake that has taken longer than any other.
    #[cfg(feature = "__tls")]
    pub(crate) fn push_out(&self) {
        self.pushed_out.store(true, Relaxed);
        self.wake();
    }

    #[cfg(feature = "__tls")]
    pub(super) fn is_pushed_out(&self) -> bool {
        self.pushed_out.load(Relaxed)
    }

    pub(super) fn listen(&self, task: &std::task::Waker) {
        self.task.listen(task);
    }

    pub(crate) fn wake(&self) {
        self.task.ring();
    }

    #[inline]
    pub(super) fn seen(&self, stage: Stage) -> Seen {
        let instant = |stamp: u64| (stamp != 0).then(|| self.born + Duration::from_nanos(stamp - 1));
        Seen {
            requests: self.requests.load(Relaxed),
            written: self.written.load(Relaxed) >> 10,
            active: self.active.load(Relaxed) > 0,
            partial: self.partial.load(Relaxed),
            blocked: instant(self.blocked.load(Relaxed)),
            lingering: instant(self.lingering.load(Relaxed)),
            stage,
        }
    }

    fn stamp(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Live>);

impl InFlight {
    pub(super) fn live(&self) -> &Arc<Live> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Self(live) = self;
        let last = live.active.fetch_sub(1, Relaxed) == 1;
        if !live.is_http2() {
            // what was read so far was the request's
            live.partial.store(false, Relaxed);
        } else if last {
            // streams end in tasks of their own: the connection's must see that it is idle now
            live.wake();
        }
    }
}

/// The connection is there; dropped with the socket, whoever has it then.
#[derive(Debug)]
pub(crate) struct Presence(pub(crate) Arc<Live>);

impl Drop for Presence {
    fn drop(&mut self) {
        let Self(live) = self;
        live.gone.store(true, Relaxed);
        live.roster.leave(live.id);
        if live.is_upgraded() {
            live.wake();
        }
    }
}
