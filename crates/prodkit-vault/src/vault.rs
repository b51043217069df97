//! The provider: calls, the login they need, and what is known of Vault meanwhile.

mod close;
mod drive;
mod login;

use crate::answer::{self, Nature, Reading};
use crate::calls;
use crate::clock::{Clock, Monotonic};
use crate::failure::{Failure, Kind};
use crate::path::Path;
use crate::random::Random;
use crate::schedule::{Keep, Schedule};
use crate::settings::{Auth, Error, Settings};
use crate::term::Term;
use crate::transport::{AT_ONCE, Question, Reply, Transport};
use http::HeaderValue;
use prodkit_secrets::{Document, Driving, Fetching, Outbox, Provider};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Secrets from Vault, by `vault:path#field`.
///
/// See the [crate] for an example and for what is promised.
pub struct Vault {
    transport: Transport,
    auth: Auth,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// One login at a time.
    turn: tokio::sync::Mutex<()>,
    permits: Semaphore,
    returned: Arc<Returned>,
}

struct State {
    schedule: Schedule,
    session: Option<Session>,
    /// Tokens of ours that others have taken the place of, and when they end.
    former: Vec<(HeaderValue, Option<Duration>)>,
    /// Why the last call failed, if it did.
    trouble: Option<String>,
}

/// A login.
#[derive(Clone)]
struct Session {
    number: u64,
    token: HeaderValue,
    /// Vault has said that it is not valid.
    dead: bool,
}

/// Leases that nobody uses any more, and that there is something to do.
#[derive(Default)]
struct Returned {
    leases: Mutex<Vec<String>>,
    news: Notify,
}

/// A lease in use: it comes back when the last holder of what was leased lets go.
struct Lease {
    id: String,
    returned: Arc<Returned>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leases = self.returned.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.push(std::mem::take(&mut self.id));
        drop(leases);
        self.returned.news.notify_one();
    }
}

/// What was read, when it was asked for, and as whom.
struct Fetched {
    reading: Reading,
    sent: Duration,
    session: u64,
}

impl Vault {
    /// Nothing is asked of Vault yet.
    ///
    /// # Errors
    ///
    /// When the address is `https` and nothing says whom to trust.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let transport = Transport::new(&settings)?;
        let Settings { auth, refresh, base: _, namespace: _, tls: _ } = settings;
        Ok(Self {
            transport,
            auth,
            clock: Arc::new(Monotonic::new()),
            state: Mutex::new(State {
                schedule: Schedule::new(refresh, Random::new()),
                session: None,
                former: Vec::new(),
                trouble: None,
            }),
            turn: tokio::sync::Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            returned: Arc::default(),
        })
    }

    /// Keeps leases by another clock, for drills.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves whole entries behind: each is written by one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and takes note of whether Vault answers.
    async fn ask<T>(
        &self,
        question: Question,
        token: Option<&HeaderValue>,
        hide: &[&[u8]],
        parse: impl FnOnce(&Reply, &[&[u8]]) -> Result<T, Failure>,
    ) -> Result<(T, Duration), Failure> {
        let sent = self.clock.now();
        let mut hidden: Vec<&[u8]> = hide.to_vec();
        hidden.extend(token.map(HeaderValue::as_bytes));
        let answer = self.transport.ask(&question, token).await.and_then(|reply| parse(&reply, &hidden));
        let now = self.clock.now();
        let mut state = self.state();
        match &answer {
            Err(Failure { kind: Kind::Unavailable(asked), text }) => {
                let share = state.schedule.share();
                state.schedule.outage.failed(sent, now, share, *asked);
                state.trouble = Some(text.clone());
            }
            Ok(_) | Err(_) => {
                state.schedule.outage.over();
                state.trouble = None;
            }
        }
        answer.map(|answer| (answer, sent))
    }

    /// Fails at once while Vault does not answer and may not be asked again yet.
    fn gate(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        let state = self.state();
        let Some(opens) = state.schedule.outage.closed(now) else { return Ok(()) };
        let trouble = state.trouble.as_deref().unwrap_or("it does not answer");
        let wait = (opens - now).as_secs_f64();
        Err(Failure::unavailable(format!("Vault is away ({trouble}), and asked again in {wait:.1} s")))
    }

    /// Reads a path, with a new login if the token turns out to have ended.
    async fn read(&self, path: &Path) -> Result<Fetched, Failure> {
        let session = self.session().await?;
        match self.read_as(path, &session).await {
            Err(failure)
                if failure.kind == Kind::Denied && !self.state().schedule.was_denied(&path.to_string()) =>
            {
                let Some(session) = self.revive(&session).await? else { return Err(failure) };
                let again = self.read_as(path, &session).await;
                if again.as_ref().is_err_and(|failure| failure.kind == Kind::Denied) {
                    self.state().schedule.denied(&path.to_string());
                }
                again
            }
            read => read,
        }
    }

    async fn read_as(&self, path: &Path, session: &Session) -> Result<Fetched, Failure> {
        let (reading, sent) =
            self.ask(calls::read(path)?, Some(&session.token), &[], answer::reading).await?;
        Ok(Fetched { reading, sent, session: session.number })
    }

    /// What the rest of the process sees of what was read, and how it is kept.
    fn document(&self, fetched: Fetched) -> (Document, Keep) {
        let Fetched { reading: Reading { fields, nature, version }, sent, session: _ } = fetched;
        let document = Document::named(fields);
        match nature {
            Nature::Leased { id, grant } => {
                let term = Term::new(grant, sent, self.state().schedule.share());
                let document = match term.expires() {
                    Some(expires) => document.expires(self.instant(expires)),
                    None => document,
                };
                let lease = Lease { id: id.clone(), returned: Arc::clone(&self.returned) };
                (document.guard(lease), Keep::Leased { lease: id, term })
            }
            Nature::Lasting => match version {
                Some(number) => (document.version(number.to_string()), Keep::Lasting { version }),
                None => (document, Keep::Lasting { version }),
            },
            Nature::Rotated { ttl } => (document, Keep::Rotated { ttl }),
        }
    }

    fn instant(&self, at: Duration) -> Instant {
        let now = Instant::now();
        now.checked_add(at.saturating_sub(self.clock.now())).unwrap_or(now)
    }
}

impl Provider for Vault {
    fn scheme(&self) -> &'static str {
        "vault"
    }

    fn fetch<'a>(&'a self, path: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            let parsed = Path::parse(path)?;
            // never closed
            let _permit = self.permits.acquire().await;
            let fetched = async {
                self.gate()?;
                self.read(&parsed).await
            };
            let fetched = fetched.await?;
            let (session, sent) = (fetched.session, fetched.sent);
            let (document, keep) = self.document(fetched);
            self.state().schedule.took(path, keep, session, sent);
            self.returned.news.notify_one();
            Ok(document)
        })
    }

    fn drive(self: Arc<Self>, outbox: Outbox) -> Option<Driving> {
        Some(Box::pin(drive::drive(self, outbox)))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.give_everything_back())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("auth", &self.auth).finish_non_exhaustive()
    }
}
