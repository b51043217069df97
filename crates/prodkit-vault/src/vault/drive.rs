//! The work that keeps leases alive and secrets current.

use super::{Fetched, Session, Vault};
use crate::answer::{self, Nature};
use crate::calls;
use crate::failure::{Failure, Kind};
use crate::path::Path;
use crate::schedule::{Keep, Step, TOKEN};
use crate::term::Term;
use crate::transport::Reply;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::{FutureExt as _, future};
use prodkit_secrets::{Outbox, Refused};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// Nothing is done about a path for this long while what is new is being looked at.
const LOOKED_AT: Duration = Duration::from_secs(60);
/// An outage that lasts longer is told, though nothing is late yet.
const TOLD_AFTER: Duration = Duration::from_secs(10);

type Offering = Pin<Box<dyn Future<Output = Offered> + Send>>;

/// What came of an offer.
struct Offered {
    path: String,
    keep: Keep,
    session: u64,
    refused: Option<Refused>,
}

struct Work {
    vault: Arc<Vault>,
    outbox: Outbox,
    offers: FuturesUnordered<Offering>,
    wanted: BTreeSet<String>,
    /// That Vault is away has been told.
    told: bool,
}

pub(super) async fn drive(vault: Arc<Vault>, outbox: Outbox) {
    let wanted = outbox.wanted().into_iter().collect();
    let mut work = Work { vault, outbox, offers: FuturesUnordered::new(), wanted, told: false };
    loop {
        while let Some(Some(offered)) = work.offers.next().now_or_never() {
            work.offered(offered);
        }
        work.take_returned();
        work.tell_outage();
        let step = work.vault.state().schedule.next(work.vault.clock.now());
        work.do_step(step).await;
    }
}

impl Work {
    async fn do_step(&mut self, step: Step) {
        match step {
            Step::Wait(until) => self.wait(until).await,
            Step::LogIn => self.log_in().await,
            Step::RenewToken => self.renew_token().await,
            Step::RenewLease { path, lease } => self.renew_lease(&path, &lease).await,
            Step::Read { path } => self.read(path).await,
            Step::Return { lease } => {
                if let Ok(session) = self.vault.session().await {
                    self.vault.revoke_lease(&lease, &session.token).await;
                }
            }
            Step::TellLate { paths } => {
                let now = self.vault.clock.now();
                let trouble = self.vault.state().trouble.clone();
                let why = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
                for (path, expires) in paths {
                    let left = expires.unwrap_or_default().saturating_sub(now).as_secs();
                    let what = if path == TOKEN { "the token" } else { "the lease" };
                    self.outbox.failing(&path, &format!("{what} ends in {left} s and is not renewed{why}"));
                }
            }
        }
    }

    async fn wait(&mut self, until: Option<Duration>) {
        // an outage is told at its time, too
        let tell =
            self.vault.state().schedule.outage.since().filter(|_| !self.told).map(|at| at + TOLD_AFTER);
        let until = until.into_iter().chain(tell).min();
        let vault = Arc::clone(&self.vault);
        let sleep = async {
            match until {
                Some(at) if at < Duration::MAX => vault.clock.sleep_until(at).await,
                _ => future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = vault.returned.news.notified() => {}
            () = self.outbox.changed() => self.wanted = self.outbox.wanted().into_iter().collect(),
            Some(offered) = self.offers.next(), if !self.offers.is_empty() => self.offered(offered),
        }
    }

    /// A token that ends is replaced, or what it was taken from is looked at again.
    async fn log_in(&mut self) {
        let logged_in = {
            let _turn = self.vault.turn.lock().await;
            self.vault.log_in().await
        };
        match logged_in {
            Ok(_) if self.vault.state().schedule.token_is_late() => {}
            Ok(_) => self.token_is_good(),
            Err(failure) if matches!(failure.kind, Kind::Unavailable(_)) => {}
            Err(failure) => {
                self.vault.state().schedule.login_failed(self.vault.clock.now());
                self.outbox.failing(TOKEN, &failure.text);
            }
        }
    }

    fn token_is_good(&self) {
        let expires = self.vault.state().schedule.token_expires();
        self.outbox.renewed(TOKEN, expires.map(|at| self.vault.instant(at)));
    }

    async fn renew_token(&mut self) {
        let Ok(session) = self.vault.session().await else { return };
        let Ok(question) = calls::renew_token() else { return };
        let parse = |reply: &Reply, hide: &[&[u8]]| answer::renewal(reply, hide, answer::login);
        match self.vault.ask(question, Some(&session.token), &[], parse).await {
            Ok((login, sent)) => {
                let extend = |term: &mut Term, share| term.renewed(login.grant, sent, share);
                self.vault.state().schedule.token_renewed(extend);
                self.token_is_good();
            }
            Err(failure) if matches!(failure.kind, Kind::Unavailable(_)) => {}
            Err(failure) => {
                tracing::debug!(error = failure.text, "the token of Vault is not renewed");
                self.token_ends(&failure, &session);
            }
        }
    }

    fn token_ends(&self, failure: &Failure, session: &Session) {
        let mut state = self.vault.state();
        if failure.kind == Kind::Denied
            && let Some(current) = state.session.as_mut().filter(|current| current.number == session.number)
        {
            current.dead = true;
        }
        state.schedule.token_ends(self.vault.clock.now());
    }

    async fn renew_lease(&mut self, path: &str, lease: &str) {
        let vault = &self.vault;
        let Ok(session) = vault.session().await else { return self.failed(path, "the login failed") };
        let parse = |reply: &Reply, hide: &[&[u8]]| answer::renewal(reply, hide, answer::extended);
        let renewed = match calls::renew_lease(lease) {
            Ok(question) => vault.ask(question, Some(&session.token), &[], parse).await,
            Err(failure) => Err(failure),
        };
        match renewed {
            Ok((grant, sent)) => {
                let expires =
                    vault.state().schedule.renewed(path, |term, share| term.renewed(grant, sent, share));
                self.outbox.renewed(path, expires.map(|at| vault.instant(at)));
            }
            Err(failure) if matches!(failure.kind, Kind::Unavailable(_)) => {}
            Err(failure) => {
                // its token may have ended, and the lease with it; or renewing is not allowed
                if failure.kind == Kind::Denied && vault.revive(&session).await.is_err() {
                    return;
                }
                tracing::debug!(path, error = failure.text, "a lease of Vault is not renewed");
                vault.state().schedule.lease_ends(path, vault.clock.now());
            }
        }
    }

    async fn read(&mut self, path: String) {
        let vault = Arc::clone(&self.vault);
        if !self.wanted.contains(&path) {
            vault.state().schedule.forget(&path);
            return;
        }
        let read = match Path::parse(&path) {
            Ok(parsed) => vault.read(&parsed).await,
            Err(error) => Err(Failure::refused(error.to_string())),
        };
        match read {
            Ok(fetched) if self.is_known(&path, &fetched) => {
                let (session, keep) = (fetched.session, Keep::Lasting { version: fetched.reading.version });
                vault.state().schedule.took(&path, keep, session, vault.clock.now());
                self.outbox.renewed(&path, None);
            }
            Ok(fetched) => self.offer(path, fetched),
            Err(failure) if matches!(failure.kind, Kind::Unavailable(_)) => {}
            Err(failure) => self.failed(&path, &failure.text),
        }
    }

    /// The same version of KV 2 needs no second look.
    fn is_known(&self, path: &str, fetched: &Fetched) -> bool {
        let version = fetched.reading.version;
        fetched.reading.nature == Nature::Lasting
            && version.is_some()
            && version == self.vault.state().schedule.version(path)
    }

    fn offer(&mut self, path: String, fetched: Fetched) {
        let session = fetched.session;
        let (document, keep) = self.vault.document(fetched);
        self.vault.state().schedule.busy(&path, self.vault.clock.now() + LOOKED_AT);
        let outbox = self.outbox.clone();
        self.offers.push(Box::pin(async move {
            let refused = outbox.offer(vec![(path.clone(), document)]).await.err();
            Offered { path, keep, session, refused }
        }));
    }

    fn offered(&self, offered: Offered) {
        let Offered { path, keep, session, refused } = offered;
        match refused {
            None => self.vault.state().schedule.took(&path, keep, session, self.vault.clock.now()),
            Some(refused) => self.failed(&path, &format!("what is new was refused: {refused}")),
        }
    }

    fn failed(&self, path: &str, reason: &str) {
        self.vault.state().schedule.failed(path, self.vault.clock.now());
        self.outbox.failing(path, reason);
    }

    fn take_returned(&self) {
        let leases = std::mem::take(&mut *self.vault.returned());
        let mut state = self.vault.state();
        leases.into_iter().for_each(|lease| state.schedule.give_back(lease));
    }

    fn tell_outage(&mut self) {
        let now = self.vault.clock.now();
        let state = self.vault.state();
        let lasts = state.schedule.outage.since().is_some_and(|since| now >= since + TOLD_AFTER);
        let trouble = state.trouble.clone().unwrap_or_default();
        drop(state);
        if lasts && !self.told {
            self.outbox.failing(TOKEN, &format!("Vault is away: {trouble}"));
        } else if !lasts && self.told && self.vault.state().schedule.outage.since().is_none() {
            self.token_is_good();
        } else {
            return;
        }
        self.told = lasts;
    }
}

impl Vault {
    pub(super) fn returned(&self) -> MutexGuard<'_, Vec<String>> {
        self.returned.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
