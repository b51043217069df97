//! How long what Vault granted lasts, and when to do something about it: no I/O, no clock.

use std::time::Duration;

/// No grant is looked after more often, however short it is.
const SHORTEST: Duration = Duration::from_millis(250);

/// By how much an end may seem to move without having moved.
const ROUNDED: Duration = Duration::from_secs(2);

/// What Vault said of a token or a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Zero: it does not end.
    pub(crate) ttl: Duration,
    pub(crate) renewable: bool,
}

/// What can be done about a grant that will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Ask for more time.
    Renew,
    /// Get another one: it is not renewable, or renewals reach no further.
    Replace,
}

/// A grant in force. Moments are monotonic, counted from any fixed one.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    granted: Duration,
    ttl: Duration,
    /// The longest that was ever granted: when renewals give less than half of it, the maximum is near.
    longest: Duration,
    way: Way,
    due: Option<Duration>,
}

impl Term {
    /// Granted at `now`, which is the moment before it was asked for. `share`, from 0 to 1, spreads replicas.
    pub(crate) fn new(grant: Grant, now: Duration, share: f64) -> Self {
        let mut term =
            Self { granted: now, ttl: grant.ttl, longest: Duration::ZERO, way: Way::Renew, due: None };
        term.renewed(grant, now, share);
        term
    }

    /// Extended at `now`.
    pub(crate) fn renewed(&mut self, grant: Grant, now: Duration, share: f64) {
        let Grant { ttl, renewable } = grant;
        self.granted = now;
        if ttl.is_zero() && !self.longest.is_zero() {
            // Vault tells whole seconds: what had an end has one still, and less than a second is left of it
            self.ttl = SHORTEST;
            self.replace(now);
            return;
        }
        self.ttl = ttl;
        self.longest = self.longest.max(ttl);
        self.way = if renewable && ttl * 2 >= self.longest { Way::Renew } else { Way::Replace };
        let part = match self.way {
            // a third of its time, times U(0.5, 1): an outage may last twice as long as anything was left unattended
            Way::Renew => (0.5 + share / 2.0) / 3.0,
            // between a half and two thirds: what is built from the new one needs time before the old one ends
            Way::Replace => 0.5 + share / 6.0,
        };
        self.due = (!ttl.is_zero()).then(|| now + ttl.mul_f64(part).max(SHORTEST));
    }

    /// Looked at again at `now`, without asking for more time: somebody else may have extended it.
    pub(crate) fn looked_up(&mut self, grant: Grant, now: Duration, share: f64) {
        let seen = Self::new(grant, now, share);
        match (self.expires(), seen.expires()) {
            // a look does not make it last; Vault tells whole seconds
            (Some(known), Some(told)) if told <= known + ROUNDED => {
                self.way = seen.way;
                self.due = seen.due;
            }
            // less than a second, as above
            (Some(_), None) => self.replace(now + SHORTEST),
            _ => *self = seen,
        }
    }

    /// It will not be extended any more; another one is due from `at` on.
    pub(crate) fn replace(&mut self, at: Duration) {
        self.way = Way::Replace;
        self.due = Some(at);
    }

    /// What failed is tried again at `at`.
    pub(crate) fn again(&mut self, at: Duration) {
        self.due = Some(at);
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// When something is to be done; never for what does not end.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// When it is over.
    pub(crate) fn expires(&self) -> Option<Duration> {
        (!self.ttl.is_zero()).then(|| self.granted + self.ttl)
    }

    /// From when on somebody should know that it has not been extended or replaced: three quarters of its time, later than
    /// any [`due`](Self::due), and before it is over.
    pub(crate) fn late(&self) -> Option<Duration> {
        (!self.ttl.is_zero()).then(|| self.granted + self.ttl * 3 / 4)
    }
}

#[cfg(test)]
mod tests;
