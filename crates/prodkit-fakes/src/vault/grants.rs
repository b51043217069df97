//! How long what was granted lasts.

use std::time::Duration;

/// Vault's own limit where nothing else is set, `max_lease_ttl`: 32 days.
const SYSTEM_MAX: Duration = Duration::from_secs(768 * 3_600);

/// The terms on which a token or a credential is granted.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub(super) ttl: Duration,
    pub(super) max_ttl: Duration,
    pub(super) renewable: bool,
    pub(super) periodic: bool,
}

impl Terms {
    /// Renewable by `ttl` at a time, up to 32 days in all.
    #[must_use]
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl, max_ttl: SYSTEM_MAX, renewable: true, periodic: false }
    }

    /// No renewal reaches further than this after the grant.
    #[must_use]
    pub fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.max_ttl = max_ttl;
        self
    }

    /// Renewal is refused.
    #[must_use]
    pub fn not_renewable(mut self) -> Self {
        self.renewable = false;
        self
    }

    /// A periodic token: renewable without end, always by its `ttl`.
    #[must_use]
    pub fn periodic(mut self) -> Self {
        self.periodic = true;
        self
    }
}

/// A grant in force: of a token or of a lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) terms: Terms,
    pub(super) issued: Duration,
    pub(super) expires: Duration,
}

impl Grant {
    pub(super) fn new(terms: Terms, now: Duration) -> Self {
        let mut grant = Self { terms, issued: now, expires: now };
        grant.extend(now, None);
        grant
    }

    pub(super) fn is_over(&self, now: Duration) -> bool {
        now >= self.expires
    }

    /// Extends it as asked; whether the maximum cut it.
    pub(super) fn extend(&mut self, now: Duration, increment: Option<Duration>) -> bool {
        let Terms { ttl, max_ttl, periodic, .. } = self.terms;
        if periodic {
            self.expires = now + ttl;
            return false;
        }
        let (wanted, latest) = (now + increment.unwrap_or(ttl), self.issued + max_ttl);
        self.expires = wanted.min(latest);
        wanted > latest
    }

    /// Seconds left, as answers tell them.
    pub(super) fn left(&self, now: Duration) -> u64 {
        // Vault rounds, so that an answer to the grant itself tells the whole ttl
        (self.expires.saturating_sub(now) + Duration::from_millis(500)).as_secs()
    }
}
