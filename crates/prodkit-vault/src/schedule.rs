//! What is held, and what is to be done about it next: no I/O, no clock.

mod held;

pub(crate) use held::Keep;

use crate::outage::Outage;
use crate::random::Random;
use crate::term::{Grant, Term, Way};
use held::Held;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// The first wait after something about one path failed is up to this long, and doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Leases to give back that are remembered; what is beyond runs out by itself.
const RETURNS: usize = 10_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing until then; nothing at all until something new comes.
    Wait(Option<Duration>),
    /// Log in.
    LogIn,
    /// Extend the token.
    RenewToken,
    /// Extend the lease of a path.
    RenewLease { path: String, lease: String },
    /// Read a path again: another credential, or what may have changed.
    Read { path: String },
    /// Give a lease back.
    Return { lease: String },
    /// Somebody should know that these are not kept current, and end when.
    TellLate { paths: Vec<(String, Option<Duration>)> },
}

/// All that is held.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// How often what has no lease is read.
    refresh: Duration,
    session: Option<Session>,
    /// The number of the last session.
    sessions: u64,
    held: BTreeMap<String, Held>,
    /// The paths of `held` by when they are due.
    due: BTreeSet<(Duration, String)>,
    returns: VecDeque<String>,
    pub(crate) outage: Outage,
    random: Random,
}

/// A login in force.
#[derive(Debug)]
struct Session {
    term: Term,
    failures: u32,
    told: bool,
}

/// The path by which [`Step::TellLate`] names the token.
pub(crate) const TOKEN: &str = "";

impl Schedule {
    pub(crate) fn new(refresh: Duration, random: Random) -> Self {
        Self {
            refresh,
            session: None,
            sessions: 0,
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            returns: VecDeque::new(),
            outage: Outage::default(),
            random,
        }
    }

    /// What is to be done at `now`. Most urgent first; what is late is told once, whether Vault answers or not.
    pub(crate) fn next(&mut self, now: Duration) -> Step {
        let late = self.late(now);
        if !late.is_empty() {
            return Step::TellLate { paths: late };
        }
        if let Some(opens) = self.outage.closed(now) {
            let idle = self.held.is_empty() && self.session.is_none();
            return Step::Wait(if idle {
                None
            } else {
                Some(self.first_late().map_or(opens, |late| late.min(opens)))
            });
        }
        let token = self.session.as_ref().and_then(|session| session.term.due());
        if let Some(session) =
            self.session.as_ref().filter(|session| session.term.due().is_some_and(|due| due <= now))
        {
            return match session.term.way() {
                Way::Renew if session.term.late().is_none_or(|late| now < late) => Step::RenewToken,
                // there is little time left to insist on the old one
                Way::Renew | Way::Replace => Step::LogIn,
            };
        }
        let first = self.due.first().map(|(due, path)| (*due, path.clone()));
        if let Some((due, path)) = &first
            && *due <= now
        {
            return match self.held.get(path).and_then(|held| held.lease_to_renew(now)) {
                Some(lease) => Step::RenewLease { path: path.clone(), lease },
                None => Step::Read { path: path.clone() },
            };
        }
        if let Some(lease) = self.returns.pop_front() {
            return Step::Return { lease };
        }
        let next = [token, first.map(|(due, _)| due), self.first_late()];
        Step::Wait(next.into_iter().flatten().min())
    }

    /// A login succeeded. What was leased with another token ends with that one, so it is replaced; over `spread`, so that
    /// not everything is asked for at once.
    pub(crate) fn logged_in(&mut self, term: Term, now: Duration, spread: Duration) -> u64 {
        self.session = Some(Session { term, failures: 0, told: false });
        self.sessions += 1;
        let leased: Vec<_> = (self.held.iter())
            .filter(|(_, held)| held.is_leased() && held.session != self.sessions)
            .map(|(path, _)| path.clone())
            .collect();
        for path in leased {
            let at = now + spread.mul_f64(self.random.share());
            self.change(&path, |held| held.replace(at));
        }
        self.sessions
    }

    /// How long the token still lasts; none: it does not end.
    pub(crate) fn token_left(&self, now: Duration) -> Option<Duration> {
        Some(self.session.as_ref()?.term.expires()?.saturating_sub(now))
    }

    pub(crate) fn token_expires(&self) -> Option<Duration> {
        self.session.as_ref()?.term.expires()
    }

    /// The token was extended.
    pub(crate) fn token_renewed(&mut self, extend: impl FnOnce(&mut Term, f64)) {
        let share = self.random.share();
        if let Some(session) = &mut self.session {
            extend(&mut session.term, share);
            (session.failures, session.told) = (0, false);
        }
    }

    /// The token was looked at again, and may have been extended by somebody else.
    pub(crate) fn token_looked_up(&mut self, grant: Grant, sent: Duration, now: Duration) {
        let share = self.random.share();
        if let Some(session) = &mut self.session {
            session.term.looked_up(grant, sent, share);
            session.failures = 0;
            session.told = session.told && session.term.late().is_some_and(|late| late <= now);
        }
    }

    /// Whether it has been told that the token ends.
    pub(crate) fn token_is_late(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.told)
    }

    /// The token will not be extended: a login is due now.
    pub(crate) fn token_ends(&mut self, now: Duration) {
        if let Some(session) = &mut self.session {
            session.term.replace(now);
        }
    }

    /// A login was refused; it is tried again later.
    pub(crate) fn login_failed(&mut self, now: Duration) {
        let share = self.random.share();
        if let Some(session) = &mut self.session {
            session.term.again(now + retry(session.failures, share));
            session.failures = session.failures.saturating_add(1);
        }
    }

    /// A path was read in the session of that number.
    pub(crate) fn took(&mut self, path: &str, keep: Keep, session: u64, now: Duration) {
        let share = self.random.share();
        let held = Held::new(keep, session, self.refresh, now, share);
        if let Some(old) = self.held.insert(path.to_owned(), held) {
            self.due.remove(&(old.due(), path.to_owned()));
        }
        if let Some(held) = self.held.get(path) {
            self.due.insert((held.due(), path.to_owned()));
        }
    }

    /// What is new is being looked at: nothing is done about the path meanwhile, at most until `until`.
    pub(crate) fn busy(&mut self, path: &str, until: Duration) {
        self.change(path, |held| held.again(until));
    }

    /// A lease was extended. When it ends now.
    pub(crate) fn renewed(&mut self, path: &str, extend: impl FnOnce(&mut Term, f64)) -> Option<Duration> {
        let share = self.random.share();
        self.change(path, |held| held.renewed(|term| extend(term, share)));
        self.held.get(path).and_then(Held::expires)
    }

    /// A lease will not be extended: another credential is due now.
    pub(crate) fn lease_ends(&mut self, path: &str, now: Duration) {
        self.change(path, |held| held.replace(now));
    }

    /// Something about a path failed that is not for want of Vault; it is tried again later.
    pub(crate) fn failed(&mut self, path: &str, now: Duration) {
        let share = self.random.share();
        self.change(path, |held| {
            held.again(now + retry(held.failures, share));
            held.failures = held.failures.saturating_add(1);
        });
    }

    /// Whether 403 on this path has already cost a login: then it is for want of a policy.
    pub(crate) fn was_denied(&self, path: &str) -> bool {
        self.held.get(path).is_some_and(|held| held.denied)
    }

    pub(crate) fn denied(&mut self, path: &str) {
        self.change(path, |held| held.denied = true);
    }

    /// The version of KV 2 that is held.
    pub(crate) fn version(&self, path: &str) -> Option<u64> {
        self.held.get(path).and_then(Held::version)
    }

    /// It is of no use any more.
    pub(crate) fn forget(&mut self, path: &str) {
        if let Some(held) = self.held.remove(path) {
            self.due.remove(&(held.due(), path.to_owned()));
        }
    }

    /// A lease that nobody uses any more.
    pub(crate) fn give_back(&mut self, lease: String) {
        let of = |held: &Held| held.lease().is_some_and(|held| held == lease);
        if let Some(path) = self.held.iter().find(|(_, held)| of(held)).map(|(path, _)| path.clone()) {
            self.forget(&path);
        }
        if self.returns.len() < RETURNS {
            self.returns.push_back(lease);
        }
    }

    /// Every lease there is, for the end.
    pub(crate) fn leases(&mut self) -> Vec<String> {
        let held = self.held.values().filter_map(Held::lease);
        held.chain(self.returns.drain(..)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) fn share(&mut self) -> f64 {
        self.random.share()
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Held)) {
        let Some(held) = self.held.get_mut(path) else { return };
        self.due.remove(&(held.due(), path.to_owned()));
        change(held);
        self.due.insert((held.due(), path.to_owned()));
    }

    fn late(&mut self, now: Duration) -> Vec<(String, Option<Duration>)> {
        let mut late = Vec::new();
        if let Some(session) = &mut self.session
            && !session.told
            && session.term.late().is_some_and(|at| at <= now)
        {
            session.told = true;
            late.push((TOKEN.to_owned(), session.term.expires()));
        }
        for (path, held) in self.held.iter_mut().filter(|(_, held)| held.late().is_some_and(|at| at <= now)) {
            held.told = true;
            late.push((path.clone(), held.expires()));
        }
        late
    }

    fn first_late(&self) -> Option<Duration> {
        let token =
            self.session.as_ref().filter(|session| !session.told).and_then(|session| session.term.late());
        self.held.values().filter_map(Held::late).chain(token).min()
    }
}

/// Full jitter, as for Vault itself.
fn retry(failures: u32, share: f64) -> Duration {
    FIRST_RETRY
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .min(LONGEST_RETRY)
        .mul_f64(share)
}

#[cfg(test)]
mod tests;
