//! Logging in, and staying so.

use super::{Session, Vault};
use crate::answer::{self, Login};
use crate::calls;
use crate::failure::{Failure, Kind};
use crate::settings::Auth;
use crate::term::{Grant, Term};
use http::HeaderValue;
use prodkit_secrets::Secret;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Leases of a token that ends are replaced over this time at most.
const SPREAD: Duration = Duration::from_secs(300);
/// The largest service account token, in bytes.
const LARGEST_FILE: u64 = 64 << 10;
/// Tokens of ours that are remembered until they end.
const FORMER: usize = 16;

impl Vault {
    /// The login in force, or a new one. Everybody waits for the same one.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        if let Some(session) = self.alive() {
            return Ok(session);
        }
        let _turn = self.turn.lock().await;
        if let Some(session) = self.alive() {
            return Ok(session);
        }
        self.gate()?;
        self.log_in().await
    }

    fn alive(&self) -> Option<Session> {
        self.state().session.clone().filter(|session| !session.dead)
    }

    /// A login in place of one that was answered 403; none, when it is valid and lacks a policy.
    pub(super) async fn revive(&self, session: &Session) -> Result<Option<Session>, Failure> {
        let _turn = self.turn.lock().await;
        match self.state().session.clone() {
            Some(current) if current.number != session.number => return Ok(Some(current)),
            _ => {}
        }
        let looked_up = self.ask(calls::look_up()?, Some(&session.token), &[], answer::looked_up).await;
        match looked_up {
            Ok(_) => return Ok(None),
            Err(failure) if failure.kind == Kind::Denied => {}
            Err(failure) => return Err(failure),
        }
        if let Some(current) = &mut self.state().session {
            current.dead = true;
        }
        self.log_in().await.map(Some)
    }

    /// Logs in anew. The caller has the turn.
    pub(super) async fn log_in(&self) -> Result<Session, Failure> {
        let (login, sent) = match &self.auth {
            Auth::Token(token) => self.take_token(token).await,
            Auth::AppRole { mount, role_id, secret_id } => {
                let secret = text(secret_id, "the secret_id")?;
                let question = calls::app_role(mount, role_id, &secret)?;
                self.ask(question, None, &[secret.as_bytes()], answer::login).await
            }
            Auth::Kubernetes { mount, role, token_file } => {
                let jwt = service_account(token_file)?;
                self.ask(calls::kubernetes(mount, role, &jwt)?, None, &[jwt.as_bytes()], answer::login).await
            }
            Auth::Jwt { mount, role, jwt } => {
                let jwt = text(jwt, "the JWT")?;
                self.ask(calls::jwt(mount, role, &jwt)?, None, &[jwt.as_bytes()], answer::login).await
            }
        }
        .map_err(|failure| failure.within(&format!("cannot log in to Vault ({})", self.auth.method())))?;
        Ok(self.logged_in(&header(&login.token)?, login.grant, sent))
    }

    /// A token has no login: it is looked up, to know how long it lasts.
    async fn take_token(&self, token: &Secret) -> Result<(Login, Duration), Failure> {
        let token = text(token, "the token")?;
        let (grant, sent) =
            self.ask(calls::look_up()?, Some(&header(&token)?), &[], answer::looked_up).await?;
        Ok((Login { token, grant }, sent))
    }

    fn logged_in(&self, token: &HeaderValue, grant: Grant, sent: Duration) -> Session {
        let now = self.clock.now();
        let mut state = self.state();
        let old = state.session.take();
        if let Some(same) = old.as_ref().filter(|old| old.token == token) {
            // a token that was looked up again
            state.schedule.token_looked_up(grant, sent, now);
            let session = Session { dead: false, ..same.clone() };
            state.session = Some(session.clone());
            return session;
        }
        let alive = old.as_ref().is_some_and(|old| !old.dead);
        let left = state.schedule.token_left(now);
        let spread = if alive { left.map_or(SPREAD, |left| left / 2).min(SPREAD) } else { Duration::ZERO };
        if let Some(old) = old.filter(|_| alive) {
            let expires = state.schedule.token_expires();
            state.former.retain(|(_, expires)| expires.is_none_or(|at| at > now));
            if state.former.len() == FORMER {
                state.former.remove(0);
            }
            state.former.push((old.token, expires));
        }
        let term = Term::new(grant, sent, state.schedule.share());
        let number = state.schedule.logged_in(term, now, spread);
        let session = Session { number, token: token.clone(), dead: false };
        state.session = Some(session.clone());
        drop(state);
        tracing::debug!(method = self.auth.method(), "logged in to Vault");
        session
    }
}

impl Auth {
    /// As the settings name it.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::AppRole { .. } => "approle",
            Self::Kubernetes { .. } => "kubernetes",
            Self::Jwt { .. } => "jwt",
        }
    }

    /// Whether the token is of our making, so that it is ours to revoke.
    pub(super) fn makes_tokens(&self) -> bool {
        !matches!(self, Self::Token(_))
    }
}

fn text(secret: &Secret, what: &str) -> Result<Zeroizing<String>, Failure> {
    let value = secret.load();
    if value.is_missing() {
        return Err(Failure::refused(format!("{what} is missing")));
    }
    let text = value.expose_text().map_err(|_| Failure::refused(format!("{what} is not text")))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Read at each login: kubelet replaces it long before it ends.
fn service_account(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Read as _;
    let wrong = |why: String| Failure::refused(format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".into())),
        _ if text.len() as u64 > LARGEST_FILE => Err(wrong("it is larger than 64 KiB".into())),
        trimmed => Ok(Zeroizing::new(trimmed.to_owned())),
    }
}

fn header(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(token)
        .map_err(|_| Failure::refused("the token has characters no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}
