//! What is held of one path.

use crate::term::{Term, Way};
use std::time::Duration;

/// Before a static role has been rotated: its `ttl` and this.
const AFTER_ROTATION: Duration = Duration::from_secs(1);

/// How what was read is kept current.
#[derive(Clone, Debug)]
pub(crate) enum Keep {
    /// By its lease.
    Leased { lease: String, term: Term },
    /// By reading it now and then. With its version, of KV 2.
    Lasting { version: Option<u64> },
    /// By reading it after its rotation.
    Rotated { ttl: Duration },
}

#[derive(Debug)]
pub(super) struct Held {
    keep: Keep,
    /// The number of the login it was read with.
    pub(super) session: u64,
    due: Duration,
    pub(super) failures: u32,
    /// 403 was met, and a login has not helped.
    pub(super) denied: bool,
    /// That it is late has been told.
    pub(super) told: bool,
}

impl Held {
    pub(super) fn new(keep: Keep, session: u64, refresh: Duration, now: Duration, share: f64) -> Self {
        let due = match &keep {
            Keep::Leased { term, .. } => of(term),
            // between half the time and the whole, so that replicas and paths spread
            Keep::Lasting { .. } => now + refresh.mul_f64(0.5 + share / 2.0),
            Keep::Rotated { ttl } => now + *ttl + AFTER_ROTATION,
        };
        Self { keep, session, due, failures: 0, denied: false, told: false }
    }

    /// When something is to be done; the end of time for a lease that does not end.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn again(&mut self, at: Duration) {
        self.due = at;
    }

    pub(super) fn replace(&mut self, at: Duration) {
        if let Keep::Leased { term, .. } = &mut self.keep {
            term.replace(at);
        }
        self.due = at;
    }

    pub(super) fn renewed(&mut self, extend: impl FnOnce(&mut Term)) {
        if let Keep::Leased { term, .. } = &mut self.keep {
            extend(term);
            self.due = of(term);
        }
        (self.failures, self.denied, self.told) = (0, false, false);
    }

    pub(super) fn is_leased(&self) -> bool {
        matches!(self.keep, Keep::Leased { .. })
    }

    pub(super) fn lease(&self) -> Option<String> {
        match &self.keep {
            Keep::Leased { lease, .. } => Some(lease.clone()),
            Keep::Lasting { .. } | Keep::Rotated { .. } => None,
        }
    }

    /// None: another credential is to be read. So it is when little time is left to insist on the old one.
    pub(super) fn lease_to_renew(&self, now: Duration) -> Option<String> {
        let in_time = |term: &Term| term.late().is_none_or(|late| now < late);
        match &self.keep {
            Keep::Leased { lease, term } if term.way() == Way::Renew && in_time(term) => Some(lease.clone()),
            _ => None,
        }
    }

    pub(super) fn version(&self) -> Option<u64> {
        match self.keep {
            Keep::Lasting { version } => version,
            Keep::Leased { .. } | Keep::Rotated { .. } => None,
        }
    }

    pub(super) fn expires(&self) -> Option<Duration> {
        match &self.keep {
            Keep::Leased { term, .. } => term.expires(),
            Keep::Lasting { .. } | Keep::Rotated { .. } => None,
        }
    }

    /// When it is late, unless that has been told.
    pub(super) fn late(&self) -> Option<Duration> {
        match &self.keep {
            Keep::Leased { term, .. } if !self.told => term.late(),
            _ => None,
        }
    }
}

fn of(term: &Term) -> Duration {
    term.due().unwrap_or(Duration::MAX)
}
