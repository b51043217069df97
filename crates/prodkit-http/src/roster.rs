//! Everyone who is connected to one listener.

use crate::Limits;
use crate::bell::Bell;
use crate::connection::{Introduction, Live};
use crate::drain::Stage;
use crate::outcomes::Outcomes;
use crate::refused::Refusals;
use metrics::Gauge;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the accept loop and the connections of one listener share.
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) limits: Limits,
    stage: AtomicU8,
    /// When `polite` came, and how long its window is.
    window: OnceLock<(Instant, Duration)>,
    connections: AtomicUsize,
    present: Mutex<HashMap<u64, Arc<Live>>>,
    issued: AtomicU64,
    dice: RandomState,
    /// The accept loop, which waits for somebody to leave.
    pub(crate) door: Bell,
    gauge: OnceLock<Gauge>,
    pub(crate) refusals: Refusals,
    /// How headers of the PROXY protocol ended, where there are any.
    pub(crate) headers: Outcomes<{ Introduction::ALL.len() }>,
    #[cfg(feature = "__tls")]
    pub(crate) handshakes: crate::handshakes::Handshakes,
}

impl Roster {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            stage: AtomicU8::new(0),
            window: OnceLock::new(),
            connections: AtomicUsize::new(0),
            present: Mutex::default(),
            issued: AtomicU64::new(0),
            dice: RandomState::new(),
            door: Bell::default(),
            gauge: OnceLock::new(),
            refusals: Refusals::default(),
            headers: Outcomes::default(),
            #[cfg(feature = "__tls")]
            handshakes: Default::default(),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::from_u8(self.stage.load(Ordering::Acquire))
    }

    /// Moves on to `stage`, never back, and tells every connection.
    pub(crate) fn advance(&self, stage: Stage) {
        if self.stage.fetch_max(stage as u8, Ordering::AcqRel) < stage as u8 {
            let present: Vec<Arc<Live>> = self.present().values().cloned().collect();
            for live in present {
                live.wake();
            }
        }
    }

    pub(crate) fn open_window(&self, window: Duration) {
        let _ = self.window.set((Instant::now(), window));
    }

    /// A random moment of what is left of the polite window; now if there is none.
    pub(crate) fn moment(&self, id: u64) -> Instant {
        let now = Instant::now();
        let Some((opened, window)) = self.window.get() else { return now };
        let left = window.saturating_sub(now.saturating_duration_since(*opened));
        // 16 bits of the hash as a fraction: a keyed hash of a number never used twice is random enough for this
        now + left / (1 << 16) * u32::from(self.dice.hash_one(id) as u16)
    }

    pub(crate) fn enter(self: &Arc<Self>, peer: Option<SocketAddr>) -> Arc<Live> {
        let id = self.issued.fetch_add(1, Ordering::Relaxed);
        let live = Arc::new(Live::new(id, peer, self.clone()));
        self.present().insert(id, live.clone());
        self.connections.fetch_add(1, Ordering::AcqRel);
        if let Some(gauge) = self.gauge.get() {
            gauge.increment(1.0);
        }
        live
    }

    pub(crate) fn leave(&self, id: u64) {
        if self.present().remove(&id).is_some() {
            self.connections.fetch_sub(1, Ordering::AcqRel);
            if let Some(gauge) = self.gauge.get() {
                gauge.decrement(1.0);
            }
            self.door.ring();
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    pub(crate) fn requests(&self) -> usize {
        self.present().values().map(|live| live.in_flight()).sum()
    }

    pub(crate) fn measure(&self, gauge: Gauge) {
        gauge.set(self.connections() as f64);
        let _ = self.gauge.set(gauge);
    }

    fn present(&self) -> MutexGuard<'_, HashMap<u64, Arc<Live>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A view of what a server is busy with now, for reports and metrics. Cheap to clone; stays valid after the server's
/// end.
#[derive(Clone)]
pub struct Traffic(pub(crate) Arc<Roster>);

impl Traffic {
    /// Open connections, upgraded ones included. One atomic load.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Requests that were received and not yet answered to the last byte; an upgraded connection counts as one.
    ///
    /// Walks all connections, so that the requests themselves need not share a counter: for a report, not for a loop.
    pub fn requests(&self) -> usize {
        self.0.requests()
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
