//! The KV secrets engine, versions 1 and 2.

use super::reply::{Call, Reply};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What KV 1 tells as the lease of a secret: a hint, not a lease.
const HINT: u64 = 2_764_800;
/// How many versions KV 2 keeps.
const VERSIONS: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Kv1(BTreeMap<String, Value>);

impl Kv1 {
    pub(super) fn call(&mut self, path: &str, call: &Call) -> Reply {
        if call.is_list() {
            return listing(self.0.keys(), path);
        }
        if call.is_write() {
            self.0.insert(path.to_owned(), call.body.clone());
            return Reply::empty();
        }
        if call.method == Method::DELETE {
            self.0.remove(path);
            return Reply::empty();
        }
        self.0.get(path).map_or_else(absent, |data| Reply::leased(data.clone(), "", HINT, false))
    }
}

#[derive(Debug, Default)]
pub(super) struct Kv2(BTreeMap<String, Vec<Version>>);

#[derive(Debug)]
struct Version {
    number: u64,
    data: Value,
    created: String,
    /// Empty: not deleted.
    deleted: String,
    destroyed: bool,
}

impl Version {
    fn metadata(&self) -> Value {
        json!({
            "created_time": self.created,
            "custom_metadata": null,
            "deletion_time": self.deleted,
            "destroyed": self.destroyed,
            "version": self.number,
        })
    }
}

impl Kv2 {
    pub(super) fn call(&mut self, path: &str, call: &Call, date: &str) -> Reply {
        match path.split_once('/') {
            Some(("data", path)) => self.data(path, call, date),
            Some(("metadata", path)) => self.metadata(path, call),
            Some((verb @ ("delete" | "undelete" | "destroy"), path)) if call.is_write() => {
                let numbers = call.body["versions"].as_array().cloned().unwrap_or_default();
                let numbers: Vec<_> = numbers.iter().filter_map(Value::as_u64).collect();
                let versions = self.0.get_mut(path).map(|versions| versions.iter_mut()).unwrap_or_default();
                for version in versions.filter(|version| numbers.contains(&version.number)) {
                    match verb {
                        "delete" => version.deleted = date.to_owned(),
                        "undelete" => version.deleted.clear(),
                        _ => (version.destroyed, version.data) = (true, Value::Null),
                    }
                }
                Reply::empty()
            }
            None if path == "metadata" && call.is_list() => listing(self.0.keys(), ""),
            None if path == "config" => {
                Reply::data(json!({"cas_required": false, "delete_version_after": "0s", "max_versions": 0}))
            }
            _ if call.is_read() => Reply::data(Value::Null).warned(
                404,
                &["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API \
                   endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation."],
            ),
            _ => Reply::not_supported(),
        }
    }

    fn data(&mut self, path: &str, call: &Call, date: &str) -> Reply {
        if call.is_write() {
            let versions = self.0.entry(path.to_owned()).or_default();
            let last = versions.last().map_or(0, |version| version.number);
            if call.body["options"]["cas"].as_u64().is_some_and(|cas| cas != last) {
                return Reply::errors(400, &["check-and-set parameter did not match the current version"]);
            }
            if !call.body["data"].is_object() {
                return Reply::errors(400, &["no data provided"]);
            }
            versions.push(Version {
                number: last + 1,
                data: call.body["data"].clone(),
                created: date.to_owned(),
                deleted: String::new(),
                destroyed: false,
            });
            if versions.len() > VERSIONS {
                versions.remove(0);
            }
            return versions.last().map_or_else(absent, |version| Reply::data(version.metadata()));
        }
        if call.method == Method::DELETE {
            if let Some(version) = self.0.get_mut(path).and_then(|versions| versions.last_mut()) {
                version.deleted = date.to_owned();
            }
            return Reply::empty();
        }
        let Some(versions) = self.0.get(path) else { return absent() };
        let number =
            call.query("version").and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
        let version = match number {
            Some(number) => versions.iter().find(|version| version.number == number),
            None => versions.last(),
        };
        let Some(version) = version else { return absent() };
        if version.destroyed || !version.deleted.is_empty() {
            let mut gone = Reply::data(json!({"data": null, "metadata": version.metadata()}));
            gone.status = 404;
            return gone;
        }
        Reply::data(json!({"data": version.data, "metadata": version.metadata()}))
    }

    fn metadata(&mut self, path: &str, call: &Call) -> Reply {
        if call.is_list() {
            return listing(self.0.keys(), path);
        }
        if call.method == Method::DELETE {
            self.0.remove(path);
            return Reply::empty();
        }
        let Some((versions, last)) = self.0.get(path).and_then(|all| Some((all, all.last()?))) else {
            return absent();
        };
        let all: Map<_, _> = (versions.iter())
            .map(|version| {
                let moment = json!({
                    "created_time": version.created,
                    "deletion_time": version.deleted,
                    "destroyed": version.destroyed,
                });
                (version.number.to_string(), moment)
            })
            .collect();
        Reply::data(json!({
            "cas_required": false,
            "created_time": versions[0].created,
            "current_version": last.number,
            "custom_metadata": null,
            "delete_version_after": "0s",
            "max_versions": 0,
            "oldest_version": versions[0].number,
            "updated_time": last.created,
            "versions": all,
        }))
    }
}

/// What KV says of a secret that is not there.
fn absent() -> Reply {
    Reply::errors(404, &[])
}

fn listing<'a>(keys: impl Iterator<Item = &'a String>, under: &str) -> Reply {
    let under = if under.is_empty() || under.ends_with('/') { under.to_owned() } else { format!("{under}/") };
    let mut names: Vec<_> = keys
        .filter_map(|key| key.strip_prefix(&under))
        .map(|rest| rest.split_once('/').map_or_else(|| rest.to_owned(), |(folder, _)| format!("{folder}/")))
        .collect();
    names.dedup();
    if names.is_empty() { absent() } else { Reply::data(json!({ "keys": names })) }
}
