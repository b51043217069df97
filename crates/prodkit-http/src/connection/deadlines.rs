//! When a connection has had its time: a state machine without clock or socket.

use crate::Limits;
use crate::drain::Stage;
use crate::refused::Refused;
use std::time::Duration;
use tokio::time::Instant;

/// A connection accepted this shortly before the close has its first request on the way.
const FRESH_GRACE: Duration = Duration::from_millis(100);
/// What a half-received head gets to become a request once the listener is closed.
const HEAD_GRACE: Duration = Duration::from_secs(1);
/// What an idle HTTP/2 client gets to acknowledge its GOAWAY once the listener is closed.
const GOAWAY_GRACE: Duration = Duration::from_secs(1);
/// What a client gets to stop sending a body nobody reads, after it was answered.
const LINGER: Duration = Duration::from_secs(1);
/// "Never" for a timer.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// `start + limit`, or far away if that does not fit.
#[inline]
pub(crate) fn after(start: Instant, limit: Duration) -> Instant {
    start.checked_add(limit.min(FAR)).unwrap_or(start)
}

/// The connection as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Requests begun so far.
    pub(super) requests: u64,
    /// KiB written so far. Over HTTP/2 the last chunk of a body may be long on its way when its request counts as ended;
    /// pings are too small to show here.
    pub(super) written: u64,
    /// Some of them are in flight.
    pub(super) active: bool,
    /// Bytes of a next request arrived.
    pub(super) partial: bool,
    /// Since when the client takes nothing of what we write.
    pub(super) blocked: Option<Instant>,
    /// Since when our side is shut.
    pub(super) lingering: Option<Instant>,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// TLS first.
    Handshake,
    /// Not a byte yet.
    Fresh,
    /// In the head of a request.
    Head,
    Busy,
    Idle,
}

/// What is to be done when a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Begin the protocol's own end, once: GOAWAY, or no more keep-alive.
    Finish,
    /// Close it now.
    Cut,
}

#[derive(Debug)]
pub(super) struct Deadlines {
    born: Instant,
    http2: bool,
    phase: Phase,
    requests: u64,
    written: u64,
    /// Since when it is in this phase, with these numbers.
    since: Instant,
    /// When the client of HTTP/2 is to be told to go.
    leave_at: Option<Instant>,
    finished_at: Option<Instant>,
    closing_at: Option<Instant>,
    expired: bool,
}

impl Deadlines {
    pub(super) fn new(born: Instant) -> Self {
        Self {
            born,
            http2: false,
            phase: Phase::Fresh,
            requests: 0,
            written: 0,
            since: born,
            leave_at: None,
            finished_at: None,
            closing_at: None,
            expired: false,
        }
    }

    /// For a connection that begins with TLS, until that is settled.
    #[cfg(feature = "__tls")]
    pub(super) fn handshake(born: Instant) -> Self {
        Self { phase: Phase::Handshake, ..Self::new(born) }
    }

    /// From now on it is known to be HTTP/2.
    pub(super) fn http2(&mut self) {
        self.http2 = true;
    }

    /// What is to be done next, and when; `None` while there is no reason to end this connection.
    ///
    /// `now` is asked only when something has changed; `moment` gives the time in the polite window at which an HTTP/2
    /// client is told to go.
    pub(super) fn next(
        &mut self,
        seen: Seen,
        limits: &Limits,
        now: impl Fn() -> Instant,
        moment: impl Fn() -> Instant,
    ) -> Option<(Instant, Act)> {
        let phase = match seen {
            _ if self.phase == Phase::Handshake => Phase::Handshake,
            Seen { active: true, .. } | Seen { blocked: Some(_), .. } | Seen { lingering: Some(_), .. } => {
                Phase::Busy
            }
            Seen { partial: true, .. } if !self.http2 => Phase::Head,
            Seen { requests: 0, .. } if !self.http2 => Phase::Fresh,
            _ => Phase::Idle,
        };
        if (phase, seen.requests, seen.written) != (self.phase, self.requests, self.written) {
            (self.phase, self.requests, self.written, self.since) =
                (phase, seen.requests, seen.written, now());
        }
        if seen.stage >= Stage::Polite && self.http2 && self.leave_at.is_none() {
            self.leave_at = Some(moment());
        }
        if seen.stage >= Stage::Closing && self.closing_at.is_none() {
            self.closing_at = Some(now());
        }
        let deadline = match (self.http2, self.finished_at) {
            (false, _) => self.for_http1(limits),
            (true, None) => self.for_http2(limits),
            (true, Some(finished)) => self.for_http2_finished(finished, limits),
        };
        if seen.blocked.is_none() && seen.lingering.is_none() {
            return deadline;
        }
        let blocked = seen.blocked.map(|since| (after(since, limits.write_timeout), Act::Cut));
        let lingering = seen.lingering.map(|since| (after(since, LINGER), Act::Cut));
        [deadline, blocked, lingering].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// [`Act::Finish`] was done.
    pub(super) fn finished(&mut self, now: Instant) {
        self.finished_at = Some(now);
        self.expired = self.phase == Phase::Idle;
    }

    /// What the client is refused for, where it is cut at this stage.
    pub(super) fn missed(&self, stage: Stage) -> Option<Refused> {
        match self.phase {
            _ if stage >= Stage::Closing => None,
            Phase::Fresh => Some(Refused::FirstByteTimeout),
            Phase::Head => Some(Refused::HeaderTimeout),
            Phase::Handshake | Phase::Busy | Phase::Idle => None,
        }
    }

    #[inline]
    fn for_http1(&self, limits: &Limits) -> Option<(Instant, Act)> {
        let Self { born, since, closing_at, finished_at, .. } = *self;
        let (patience, when_closing) = match self.phase {
            Phase::Busy => return closing_at.filter(|_| finished_at.is_none()).map(|at| (at, Act::Finish)),
            Phase::Fresh => {
                (after(born, limits.first_byte), closing_at.map(|closing| closing.max(born + FRESH_GRACE)))
            }
            Phase::Handshake => {
                (after(born, limits.handshake), closing_at.map(|closing| closing + HEAD_GRACE))
            }
            Phase::Head => {
                (after(since, limits.header_timeout), closing_at.map(|closing| closing + HEAD_GRACE))
            }
            Phase::Idle => (after(since, limits.idle), closing_at),
        };
        Some((when_closing.map_or(patience, |at| at.min(patience)), Act::Cut))
    }

    fn for_http2(&self, limits: &Limits) -> Option<(Instant, Act)> {
        let idle = (self.phase != Phase::Busy).then(|| after(self.since, limits.idle));
        let at = [self.leave_at, self.closing_at, idle].into_iter().flatten().min()?;
        Some((at, Act::Finish))
    }

    /// The GOAWAY is out. What was in flight towards us may still become a request; after that the connection ends by
    /// itself, unless the client is dead.
    fn for_http2_finished(&self, finished: Instant, limits: &Limits) -> Option<(Instant, Act)> {
        if self.phase == Phase::Busy {
            return None;
        }
        let quiet = self.since.max(finished);
        let at = match self.closing_at {
            Some(closing) => quiet.max(closing) + GOAWAY_GRACE,
            None if self.expired => finished + GOAWAY_GRACE,
            None => after(self.since, limits.idle).max(quiet + GOAWAY_GRACE),
        };
        Some((at, Act::Cut))
    }
}

#[cfg(test)]
mod tests;
