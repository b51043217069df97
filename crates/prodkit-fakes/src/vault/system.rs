//! `sys/…`, and what a Vault that is not active says.

use super::reply::{Call, Reply};
use super::world::{Mount, World};
use serde_json::{Value, json};

/// What state the server is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Serves everything; `sys/health` answers 200.
    Active,
    /// Sends every request to the active node at this base URL with a 307, or knows of none and answers 500;
    /// `sys/health` answers 429.
    Standby(Option<String>),
    /// Serves everything; `sys/health` answers 473.
    PerformanceStandby,
    /// A secondary for disaster recovery, which serves nothing; `sys/health` answers 472.
    RecoverySecondary,
    /// Serves nothing; `sys/health` and everything else answer 503.
    Sealed,
    /// Serves nothing, `sys/health` answers 501.
    Uninitialized,
}

impl Condition {
    /// The default status codes of `sys/health`.
    fn status(&self) -> u16 {
        match self {
            Self::Active => 200,
            Self::Standby(_) => 429,
            Self::PerformanceStandby => 473,
            Self::RecoverySecondary => 472,
            Self::Sealed => 503,
            Self::Uninitialized => 501,
        }
    }

    /// Why a request is not served, if so.
    pub(super) fn refusal(&self, call: &Call) -> Option<Reply> {
        Some(match self {
            Self::Active | Self::PerformanceStandby => return None,
            Self::Standby(Some(active)) => Reply::redirect(format!("{active}/v1/{}", call.path)),
            Self::Standby(None) => {
                Reply::errors(500, &["local node not active but active cluster node not found"])
            }
            Self::RecoverySecondary => {
                Reply::errors(503, &["path disabled in replication DR secondary mode"])
            }
            Self::Sealed => Reply::errors(503, &["Vault is sealed"]),
            Self::Uninitialized => Reply::errors(503, &["Vault is not initialized"]),
        })
    }
}

/// What is answered without a token and in any condition.
pub(super) fn unauthenticated(world: &mut World, call: &Call) -> Option<Reply> {
    let condition = world.condition.clone();
    let initialized = condition != Condition::Uninitialized;
    let sealed = matches!(condition, Condition::Sealed | Condition::Uninitialized);
    match call.path.as_str() {
        "sys/health" => {
            let standby = matches!(condition, Condition::Standby(_) | Condition::PerformanceStandby);
            let excused =
                matches!(condition, Condition::Standby(_)) && call.query("standbyok") == Some("true");
            let status = if excused { 200 } else { condition.status() };
            Some(Reply::plain(
                status,
                json!({
                    "initialized": initialized,
                    "sealed": sealed,
                    "standby": standby,
                    "performance_standby": condition == Condition::PerformanceStandby,
                    "replication_performance_mode": "disabled",
                    "replication_dr_mode":
                        if condition == Condition::RecoverySecondary { "secondary" } else { "disabled" },
                    "server_time_utc": world.unix(world.now),
                    "version": "1.17.0",
                    "enterprise": false,
                    "cluster_name": "vault-cluster-fake",
                    "cluster_id": "00000000-0000-4000-8000-00000000fa4e",
                }),
            ))
        }
        "sys/seal-status" => Some(Reply::plain(
            200,
            json!({
                "type": "shamir", "initialized": initialized, "sealed": sealed, "t": 1, "n": 1, "progress": 0,
                "nonce": "", "version": "1.17.0", "build_date": "2024-06-10T10:11:34Z", "migration": false,
                "recovery_seal": false, "storage_type": "inmem",
            }),
        )),
        "sys/init" if call.is_read() => Some(Reply::plain(200, json!({ "initialized": initialized }))),
        _ => None,
    }
}

impl World {
    pub(super) fn system_call(&mut self, path: &str, call: &Call, namespace: &str) -> Reply {
        if let Some(verb) = path.strip_prefix("leases/") {
            return self.lease_call(verb, call);
        }
        if path == "mounts" && call.is_read() {
            let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
            let mut mounts = serde_json::Map::new();
            for (mount, kind) in &self.mounts {
                if let (Some(name), Some(kind)) = (mount.strip_prefix(&prefix), kind.described()) {
                    mounts.insert(name.to_owned(), kind);
                }
            }
            return Reply::data(Value::Object(mounts));
        }
        if path == "seal" && call.is_write() {
            self.condition = Condition::Sealed;
            return Reply::empty();
        }
        Reply::no_route(&format!("sys/{path}"))
    }
}

impl Mount {
    fn described(&self) -> Option<Value> {
        let version = match self {
            Self::Kv1(_) => "1",
            Self::Kv2(_) => "2",
            Self::Dynamic(_) | Self::Static(_) | Self::Login(_) => return None,
        };
        Some(json!({"type": "kv", "options": {"version": version}, "description": ""}))
    }
}
