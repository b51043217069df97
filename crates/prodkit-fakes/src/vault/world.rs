//! What a Vault holds, and which part of it a path asks for.

use super::grants::{Grant, Terms};
use super::kv::{Kv1, Kv2};
use super::leased::{Dynamic, Lease, Static};
use super::logins::Login;
use super::reply::{Call, Reply};
use super::system::{self, Condition};
use super::tokens::Token;
use crate::Behaviour;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug)]
pub(super) struct World {
    started: Instant,
    /// The wall clock at the start.
    epoch: Duration,
    /// How far the test has moved the clock.
    ahead: Duration,
    /// The moment of the request being answered, since the start.
    pub(super) now: Duration,
    pub(super) condition: Condition,
    namespaces: BTreeSet<String>,
    /// By path with its namespace and a slash at the end.
    pub(super) mounts: BTreeMap<String, Mount>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) denied: Vec<String>,
    pub(super) behaviours: BTreeMap<String, Behaviour>,
    pub(super) counts: BTreeMap<String, usize>,
    serial: u64,
}

#[derive(Debug)]
pub(super) enum Mount {
    Kv1(Kv1),
    Kv2(Kv2),
    Dynamic(Dynamic),
    Static(Static),
    Login(Vec<Login>),
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            started: Instant::now(),
            epoch: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(),
            ahead: Duration::ZERO,
            now: Duration::ZERO,
            condition: Condition::Active,
            namespaces: BTreeSet::new(),
            mounts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            leases: BTreeMap::new(),
            denied: Vec::new(),
            behaviours: BTreeMap::new(),
            counts: BTreeMap::new(),
            serial: 0,
        };
        world.namespace("");
        world.tokens.insert(super::FakeVault::ROOT.into(), Token::root());
        world
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += by;
        self.tick();
    }

    /// Reads the clock and lets end what is over.
    pub(super) fn tick(&mut self) {
        self.now = self.started.elapsed() + self.ahead;
        let now = self.now;
        let over: Vec<_> = (self.tokens.iter())
            .filter(|(_, token)| token.grant.is_some_and(|grant| grant.is_over(now)))
            .map(|(id, _)| id.clone())
            .collect();
        over.iter().for_each(|token| self.revoke_token(token));
        self.leases.retain(|_, lease| !lease.grant.is_over(now));
    }

    /// A moment as answers write it.
    pub(super) fn date(&self, moment: Duration) -> String {
        crate::calendar::rfc3339(self.epoch + moment)
    }

    pub(super) fn unix(&self, moment: Duration) -> u64 {
        (self.epoch + moment).as_secs()
    }

    pub(super) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn namespace(&mut self, name: &str) {
        let name = name.trim_matches('/');
        self.namespaces.insert(name.to_owned());
        let prefix = if name.is_empty() { String::new() } else { format!("{name}/") };
        self.mounts.insert(format!("{prefix}secret/"), Mount::Kv2(Kv2::default()));
        self.mounts.insert(format!("{prefix}kv/"), Mount::Kv1(Kv1::default()));
    }

    pub(super) fn dynamic(&mut self, path: &str, terms: Terms) {
        self.mounts.insert(format!("{path}/"), Mount::Dynamic(Dynamic { terms }));
    }

    pub(super) fn static_role(&mut self, path: &str, period: Duration, late: Duration) {
        self.tick();
        let role = Static { since: self.now, period, late };
        self.mounts.insert(format!("{path}/"), Mount::Static(role));
    }

    pub(super) fn login_at(&mut self, mount: &str, login: Login) {
        match self.mounts.entry(format!("auth/{mount}/")).or_insert_with(|| Mount::Login(Vec::new())) {
            Mount::Login(logins) => logins.push(login),
            other => *other = Mount::Login(vec![login]),
        }
    }

    pub(super) fn live_leases(&mut self) -> Vec<String> {
        self.tick();
        self.leases.keys().cloned().collect()
    }

    pub(super) fn live_tokens(&mut self) -> usize {
        self.tick();
        self.tokens.len() - 1
    }

    pub(super) fn is_valid(&mut self, token: &str) -> bool {
        self.tick();
        self.tokens.contains_key(token)
    }

    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        self.tick();
        if let Some(reply) = system::unauthenticated(self, call) {
            return reply;
        }
        if let Some(reply) = self.condition.clone().refusal(call) {
            return reply;
        }
        let mut reply = self.route(call);
        let serial = self.next();
        if reply.body.as_ref().is_some_and(|body| body.get("request_id").is_some()) {
            reply.set("request_id", format!("00000000-0000-4000-8000-{serial:012x}").into());
        }
        reply
    }

    fn route(&mut self, call: &Call) -> Reply {
        let asked = call.namespace.trim_matches('/');
        let full = if asked.is_empty() { call.path.clone() } else { format!("{asked}/{}", call.path) };
        let inside = |name: &&String| {
            name.is_empty() || full.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let namespace = self.namespaces.iter().filter(inside).max_by_key(|name| name.len());
        let namespace = namespace.cloned().unwrap_or_default();
        if !asked.is_empty() && !namespace.starts_with(asked) {
            return Reply::no_route(&full);
        }
        let path = full[namespace.len()..].trim_start_matches('/').to_owned();

        if path.starts_with("auth/") && path.ends_with("/login") {
            let mount = full.trim_end_matches("login");
            let Some(Mount::Login(logins)) = self.mounts.get(mount) else { return Reply::no_route(&full) };
            return match logins.iter().find_map(|login| login.admits(call)) {
                Some((terms, kind)) => self.logged_in(terms, kind, &namespace),
                None => logins.first().map_or_else(|| Reply::no_route(&full), |login| login.refusal(call)),
            };
        }

        let Some(token) = self.tokens.get(&call.token) else { return Reply::denied() };
        let is_root = token.grant.is_none();
        let at_home = token.namespace.is_empty()
            || namespace == token.namespace
            || namespace.starts_with(&format!("{}/", token.namespace));
        if !at_home || (!is_root && self.denied.iter().any(|prefix| full.starts_with(prefix))) {
            return Reply::errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
        }

        if let Some(rest) = path.strip_prefix("auth/token/") {
            return self.token_call(rest, call, &namespace);
        }
        if let Some(rest) = path.strip_prefix("sys/") {
            return self.system_call(rest, call, &namespace);
        }
        let with_slash = format!("{full}/");
        let mount =
            self.mounts.keys().filter(|mount| with_slash.starts_with(*mount)).max_by_key(|key| key.len());
        let Some(mount) = mount.cloned() else { return Reply::no_route(&full) };
        let rest = full.get(mount.len()..).unwrap_or_default().to_owned();
        let date = self.date(self.now);
        match self.mounts.get_mut(&mount) {
            Some(Mount::Kv1(kv)) => kv.call(&rest, call),
            Some(Mount::Kv2(kv)) => kv.call(&rest, call, &date),
            Some(Mount::Dynamic(dynamic)) => {
                let terms = dynamic.terms;
                self.lease(mount.trim_end_matches('/'), terms, &call.token)
            }
            Some(Mount::Static(role)) => {
                let role = *role;
                self.static_credentials(role, &mount)
            }
            Some(Mount::Login(_)) | None => Reply::no_route(&full),
        }
    }

    pub(super) fn revoke_token(&mut self, token: &str) {
        self.tokens.remove(token);
        self.leases.retain(|_, lease| lease.token != token);
    }

    pub(super) fn revoke_tokens(&mut self) {
        let tokens: Vec<_> = (self.tokens.iter())
            .filter(|(_, token)| token.grant.is_some())
            .map(|(id, _)| id.clone())
            .collect();
        tokens.iter().for_each(|token| self.revoke_token(token));
    }

    /// A new token, registered.
    pub(super) fn token_for(&mut self, terms: Terms, kind: &'static str, namespace: &str) -> String {
        self.tick();
        let serial = self.next();
        let id = format!("hvs.fake{serial:08}");
        let grant = Grant::new(terms, self.now);
        let accessor = format!("accessor{serial:08}");
        self.tokens
            .insert(id.clone(), Token { grant: Some(grant), kind, accessor, namespace: namespace.into() });
        id
    }
}
