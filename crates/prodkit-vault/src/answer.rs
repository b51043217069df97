//! What Vault's answers mean: no I/O.

use crate::failure::{Failure, Kind};
use crate::term::Grant;
use crate::transport::Reply;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// The most of an error text of the server that is repeated.
const REPEATED: usize = 200;
/// No ttl is believed beyond this: a number that is one by mistake must not overflow a moment.
const LONGEST: u64 = 10 * 366 * 86_400;

/// What was read at a path.
pub(crate) struct Reading {
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) nature: Nature,
    /// Of KV 2.
    pub(crate) version: Option<u64>,
}

/// How it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Until its lease ends.
    Leased { id: String, grant: Grant },
    /// Until somebody changes it.
    Lasting,
    /// Until Vault rotates it: a static role. Zero: now, or it should have been.
    Rotated { ttl: Duration },
}

/// A login, or a token that was extended or looked up.
pub(crate) struct Login {
    pub(crate) token: Zeroizing<String>,
    pub(crate) grant: Grant,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    lease_id: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    errors: Vec<String>,
    /// As RustyVault writes it.
    error: Option<String>,
}

/// The secret at a path. `token` is never repeated in an error.
pub(crate) fn reading(reply: &Reply, hide: &[&[u8]]) -> Result<Reading, Failure> {
    if reply.status == 404 {
        return Err(gone(reply));
    }
    let envelope = envelope(reply, hide)?;
    let Envelope { lease_id, lease_duration, renewable, data, .. } = envelope;
    let mut data =
        data.ok_or_else(|| Failure::new(Kind::Missing, "there is nothing to read at this path"))?;
    let mut version = None;
    if let Some((number, inner)) = versioned(&mut data) {
        version = Some(number);
        data = inner.ok_or_else(|| Failure::new(Kind::Missing, "its version is deleted"))?;
    }
    let nature = if !lease_id.is_empty() {
        Nature::Leased { id: lease_id, grant: Grant { ttl: seconds(lease_duration), renewable } }
    } else {
        match data.get("ttl").and_then(Value::as_u64) {
            Some(ttl) if version.is_none() && data.contains_key("last_vault_rotation") => {
                Nature::Rotated { ttl: seconds(ttl) }
            }
            _ => Nature::Lasting,
        }
    };
    Ok(Reading { fields: data.into_iter().filter_map(field).collect(), nature, version })
}

/// A lease that was extended.
pub(crate) fn extended(reply: &Reply, hide: &[&[u8]]) -> Result<Grant, Failure> {
    let envelope = envelope(reply, hide)?;
    if envelope.lease_id.is_empty() {
        return Err(unreadable());
    }
    Ok(Grant { ttl: seconds(envelope.lease_duration), renewable: envelope.renewable })
}

/// The same answer to a call that extends something. A server that answers 500 to that alone (RustyVault does) is there:
/// what cannot be extended is replaced.
pub(crate) fn renewal<T>(
    reply: &Reply,
    hide: &[&[u8]],
    parse: impl FnOnce(&Reply, &[&[u8]]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let refused =
        |failure| if reply.status == 500 { Failure { kind: Kind::Refused, ..failure } } else { failure };
    parse(reply, hide).map_err(refused)
}

/// A login, or a token that was extended.
pub(crate) fn login(reply: &Reply, hide: &[&[u8]]) -> Result<Login, Failure> {
    let auth = envelope(reply, hide)?.auth.ok_or_else(unreadable)?;
    let grant = Grant { ttl: seconds(auth.lease_duration), renewable: auth.renewable };
    Ok(Login { token: Zeroizing::new(auth.client_token), grant })
}

/// A token that was looked up.
pub(crate) fn looked_up(reply: &Reply, hide: &[&[u8]]) -> Result<Grant, Failure> {
    let data = envelope(reply, hide)?.data.ok_or_else(unreadable)?;
    let ttl = data.get("ttl").and_then(Value::as_u64).ok_or_else(unreadable)?;
    // root's tokens do not have the field
    let renewable = data.get("renewable").and_then(Value::as_bool).unwrap_or(false);
    Ok(Grant { ttl: seconds(ttl), renewable })
}

/// An answer that says nothing but that it was done.
pub(crate) fn done(reply: &Reply, hide: &[&[u8]]) -> Result<(), Failure> {
    if (200..300).contains(&reply.status) { Ok(()) } else { Err(failure(reply, hide)) }
}

fn envelope(reply: &Reply, hide: &[&[u8]]) -> Result<Envelope, Failure> {
    done(reply, hide)?;
    // the error of the parser would quote what it dislikes
    serde_json::from_slice(&reply.body).map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    Failure::unavailable("its answer is not one of Vault")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST))
}

/// Takes the data of KV 2 out of its frame: `{"data": …, "metadata": {"version": …, "created_time": …}}`. KV 1 may hold a
/// field named `data`, but hardly this.
fn versioned(data: &mut Map<String, Value>) -> Option<(u64, Option<Map<String, Value>>)> {
    let metadata = data.get("metadata")?.as_object()?;
    let number = metadata.get("version")?.as_u64()?;
    metadata.get("created_time")?;
    (data.len() == 2).then_some(())?;
    match data.get_mut("data")?.take() {
        Value::Object(inner) => Some((number, Some(inner))),
        Value::Null => Some((number, None)),
        _ => None,
    }
}

/// A field as text; a structure as JSON, and null as if it were not there.
fn field((name, value): (String, Value)) -> Option<(String, Vec<u8>)> {
    let bytes = match value {
        Value::Null => return None,
        Value::String(text) => text.into_bytes(),
        mut other => {
            let text = other.to_string().into_bytes();
            wipe(&mut other);
            text
        }
    };
    Some((name, bytes))
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Why there is nothing: KV 2 says whether it was deleted, and how a path of KV 2 is written.
fn gone(reply: &Reply) -> Failure {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(&reply.body) else {
        return Failure::new(Kind::Missing, "there is nothing at this path");
    };
    if envelope.warnings.iter().flatten().any(|warning| warning.contains("versioned K/V")) {
        return Failure::refused(
            "this is KV version 2: write its path with data/ after the mount, as in secret/data/orders",
        );
    }
    let metadata = envelope.data.as_ref().and_then(|data| data.get("metadata")?.as_object());
    let of = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    let version = of("version").and_then(Value::as_u64).unwrap_or_default();
    let deleted = of("deletion_time").and_then(Value::as_str).unwrap_or_default();
    match of("destroyed").and_then(Value::as_bool) {
        Some(true) => Failure::new(Kind::Missing, format!("version {version} was destroyed")),
        Some(false) if !deleted.is_empty() => {
            let deleted: String = deleted.chars().take(40).collect();
            Failure::new(
                Kind::Missing,
                format!("version {version} was deleted at {}", deleted.escape_debug()),
            )
        }
        _ => Failure::new(Kind::Missing, "there is nothing at this path"),
    }
}

/// What a status that is no success means: <https://developer.hashicorp.com/vault/api-docs#http-status-codes>.
fn failure(reply: &Reply, hide: &[&[u8]]) -> Failure {
    let (status, said) = (reply.status, said(reply, hide));
    let kind = match status {
        403 => Kind::Denied,
        404 => Kind::Missing,
        // 412: a replica that has not caught up; 472 and 473: secondaries
        412 | 429 | 472 | 473 | 500.. => Kind::Unavailable(reply.retry_after),
        // a proxy, or something that is not Vault
        ..400 => Kind::Unavailable(None),
        _ => Kind::Refused,
    };
    Failure::new(
        kind,
        if said.is_empty() { format!("status {status}") } else { format!("status {status}, {said}") },
    )
}

/// What the server says, cut short and without line breaks; nothing, if it repeats what is secret.
fn said(reply: &Reply, hide: &[&[u8]]) -> String {
    let Ok(Said { errors, error }) = serde_json::from_slice(&reply.body) else { return String::new() };
    let text = errors.into_iter().chain(error).collect::<Vec<_>>().join("; ");
    if hide.iter().any(|secret| !secret.is_empty() && contains(text.as_bytes(), secret)) {
        return "and it repeats a secret".into();
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(REPEATED).flat_map(char::escape_debug).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests;
