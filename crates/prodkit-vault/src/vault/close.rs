//! The end: what was leased is given back.

use super::Vault;
use crate::answer;
use crate::calls;
use futures_util::{StreamExt as _, stream};
use http::HeaderValue;

/// Revocations under way at a time.
const AT_ONCE: usize = 16;

impl Vault {
    /// A token of ours takes all its leases with it, in one call; those of a token that was handed to us go one by one.
    pub(super) async fn give_everything_back(&self) {
        if self.gate().is_err() {
            return;
        }
        let (session, former, leases) = {
            let mut state = self.state();
            let mut leases = state.schedule.leases();
            leases.extend(std::mem::take(&mut *self.returned()));
            (state.session.take().filter(|session| !session.dead), std::mem::take(&mut state.former), leases)
        };
        let Some(session) = session else { return };
        if self.auth.makes_tokens() {
            let now = self.clock.now();
            let former = former.into_iter().filter(|(_, expires)| expires.is_none_or(|at| at > now));
            let tokens = former.map(|(token, _)| token).chain([session.token]);
            stream::iter(tokens).for_each_concurrent(AT_ONCE, |token| self.revoke_token(token)).await;
        } else {
            let token = &session.token;
            stream::iter(leases)
                .for_each_concurrent(AT_ONCE, |lease| async move { self.revoke_lease(&lease, token).await })
                .await;
        }
    }

    async fn revoke_token(&self, token: HeaderValue) {
        let Ok(question) = calls::revoke_token() else { return };
        if let Err(failure) = self.ask(question, Some(&token), &[], answer::done).await {
            tracing::warn!(error = failure.text, "a token of Vault was not revoked, and runs out by itself");
        }
    }

    pub(super) async fn revoke_lease(&self, lease: &str, token: &HeaderValue) {
        if self.gate().is_err() {
            return;
        }
        let Ok(question) = calls::revoke_lease(lease) else { return };
        if let Err(failure) = self.ask(question, Some(token), &[], answer::done).await {
            tracing::warn!(
                error = failure.text,
                "a lease of Vault was not given back, and runs out by itself"
            );
        }
    }
}
