//! Credentials that end: those with a lease and those of static roles.

use super::grants::{Grant, Terms};
use super::reply::{Call, Reply};
use super::world::World;
use serde_json::json;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Dynamic {
    pub(super) terms: Terms,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Static {
    pub(super) since: Duration,
    pub(super) period: Duration,
    pub(super) late: Duration,
}

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) grant: Grant,
    /// The token it was taken with: it ends no later.
    pub(super) token: String,
}

impl World {
    pub(super) fn lease(&mut self, path: &str, terms: Terms, token: &str) -> Reply {
        let serial = self.next();
        let id = format!("{path}/lease{serial:08}");
        let grant = Grant::new(terms, self.now);
        self.leases.insert(id.clone(), Lease { grant, token: token.to_owned() });
        let data = json!({"username": format!("v-{serial}"), "password": format!("p-{serial}")});
        Reply::leased(data, &id, grant.left(self.now), terms.renewable)
    }

    pub(super) fn static_credentials(&self, role: Static, path: &str) -> Reply {
        let Static { since, period, late } = role;
        let age = self.now.saturating_sub(since);
        let due = age.as_nanos() / period.as_nanos().max(1);
        let into = Duration::from_nanos((age.as_nanos() % period.as_nanos().max(1)) as u64);
        // the first password was not late
        let overdue = due > 0 && into < late;
        let rotations = if overdue { due - 1 } else { due };
        let ttl = if overdue { 0 } else { (period - into).as_secs() };
        let rotated = since + period * u32::try_from(rotations).unwrap_or(u32::MAX);
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Reply::data(json!({
            "username": name,
            "password": format!("{name}-{rotations}"),
            "last_vault_rotation": self.date(rotated),
            "rotation_period": period.as_secs(),
            "ttl": ttl,
        }))
    }

    pub(super) fn lease_call(&mut self, verb: &str, call: &Call) -> Reply {
        let now = self.now;
        let (verb, id) = verb.split_once('/').unwrap_or((verb, call.text("lease_id")));
        match verb {
            "renew" => {
                let Some(lease) = self.leases.get_mut(id) else {
                    return Reply::errors(400, &["lease not found"]);
                };
                if !lease.grant.terms.renewable {
                    return Reply::errors(400, &["lease is not renewable"]);
                }
                let increment = call.duration("increment").filter(|increment| !increment.is_zero());
                let capped = lease.grant.extend(now, increment);
                let seconds = lease.grant.left(now);
                let reply = Reply::leased(serde_json::Value::Null, id, seconds, true);
                if capped {
                    reply
                        .warned(200, &["TTL exceeded the effective max_ttl; TTL value is capped accordingly"])
                } else {
                    reply
                }
            }
            "revoke" => {
                self.leases.remove(id);
                Reply::empty()
            }
            "lookup" => self.leases.get(id).map_or_else(
                || Reply::errors(400, &["invalid lease"]),
                |lease| {
                    Reply::data(json!({
                        "id": id,
                        "issue_time": self.date(lease.grant.issued),
                        "expire_time": self.date(lease.grant.expires),
                        "last_renewal": null,
                        "renewable": lease.grant.terms.renewable,
                        "ttl": lease.grant.left(now),
                    }))
                },
            ),
            _ => Reply::no_route(&format!("sys/leases/{verb}")),
        }
    }
}
