//! `auth/token/…`.

use super::grants::{Grant, Terms};
use super::reply::{Call, Reply};
use super::world::World;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Token {
    /// None: root's, which never ends.
    pub(super) grant: Option<Grant>,
    /// The auth method that gave it.
    pub(super) kind: &'static str,
    pub(super) accessor: String,
    pub(super) namespace: String,
}

impl Token {
    pub(super) fn root() -> Self {
        Self { grant: None, kind: "token", accessor: "accessor-root".into(), namespace: String::new() }
    }
}

impl World {
    /// The answer to a login that was admitted.
    pub(super) fn logged_in(&mut self, terms: Terms, kind: &'static str, namespace: &str) -> Reply {
        let id = self.token_for(terms, kind, namespace);
        Reply::auth(self.auth(&id))
    }

    /// The `auth` part of an answer.
    fn auth(&self, id: &str) -> Value {
        let Some(token) = self.tokens.get(id) else { return Value::Null };
        json!({
            "client_token": id,
            "accessor": token.accessor,
            "policies": ["default"],
            "token_policies": ["default"],
            "metadata": {},
            "lease_duration": token.grant.map_or(0, |grant| grant.left(self.now)),
            "renewable": token.grant.is_some_and(|grant| grant.terms.renewable),
            "entity_id": "",
            "token_type": "service",
            "orphan": token.kind != "token",
            "mfa_requirement": null,
            "num_uses": 0,
        })
    }

    pub(super) fn token_call(&mut self, path: &str, call: &Call, namespace: &str) -> Reply {
        match path {
            "lookup-self" if call.is_read() => Reply::data(self.lookup(&call.token)),
            "lookup" if call.is_write() => match self.tokens.contains_key(call.text("token")) {
                true => Reply::data(self.lookup(call.text("token"))),
                false => Reply::errors(403, &["bad token"]),
            },
            "renew-self" if call.is_write() => self.renew_token(&call.token, call.duration("increment")),
            "renew" if call.is_write() => self.renew_token(call.text("token"), call.duration("increment")),
            "revoke-self" if call.is_write() => {
                self.revoke_token(&call.token);
                Reply::empty()
            }
            "revoke" if call.is_write() => {
                self.revoke_token(call.text("token"));
                Reply::empty()
            }
            "create" | "create-orphan" if call.is_write() => {
                let period = call.duration("period").filter(|period| !period.is_zero());
                let ttl = period.or_else(|| call.duration("ttl")).unwrap_or(Duration::from_secs(768 * 3_600));
                let mut terms = Terms::ttl(ttl);
                terms.periodic = period.is_some();
                terms.renewable = call.body["renewable"].as_bool().unwrap_or(true);
                if let Some(max) = call.duration("explicit_max_ttl").filter(|max| !max.is_zero()) {
                    terms.max_ttl = max;
                }
                self.logged_in(terms, "token", namespace)
            }
            _ => Reply::no_route(&format!("auth/token/{path}")),
        }
    }

    fn lookup(&self, id: &str) -> Value {
        let Some(token) = self.tokens.get(id) else { return Value::Null };
        let mut data = json!({
            "id": id,
            "accessor": token.accessor,
            "creation_time": self.unix(token.grant.map_or(Duration::ZERO, |grant| grant.issued)),
            "creation_ttl": token.grant.map_or(0, |grant| grant.terms.ttl.as_secs()),
            "display_name": if token.grant.is_some() { token.kind } else { "root" },
            "entity_id": "",
            "expire_time": token.grant.map(|grant| self.date(grant.expires)),
            "explicit_max_ttl": 0,
            "meta": null,
            "num_uses": 0,
            "orphan": token.kind != "token",
            "path": if token.kind == "token" { "auth/token/create".to_owned() } else { format!("auth/{}/login", token.kind) },
            "policies": [if token.grant.is_some() { "default" } else { "root" }],
            "ttl": token.grant.map_or(0, |grant| grant.left(self.now)),
            "type": "service",
        });
        if let Some(grant) = token.grant {
            data["issue_time"] = self.date(grant.issued).into();
            data["renewable"] = grant.terms.renewable.into();
            if grant.terms.periodic {
                data["period"] = grant.terms.ttl.as_secs().into();
            }
        }
        data
    }

    fn renew_token(&mut self, id: &str, increment: Option<Duration>) -> Reply {
        let now = self.now;
        let Some(token) = self.tokens.get_mut(id) else { return Reply::denied() };
        let Some(grant) = token.grant.as_mut().filter(|grant| grant.terms.renewable) else {
            return Reply::errors(400, &["lease is not renewable"]);
        };
        let capped = grant.extend(now, increment.filter(|increment| !increment.is_zero()));
        let reply = Reply::auth(self.auth(id));
        if capped {
            reply.warned(200, &["TTL exceeded the effective max_ttl; TTL value is capped accordingly"])
        } else {
            reply
        }
    }
}
