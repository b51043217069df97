//! What the admin port shows, as JSON.

use std::collections::BTreeMap;

use prodkit_config::{Snapshot, Status};
use prodkit_secrets::{Secrets, Standing};
use serde::Serialize;

#[derive(Serialize)]
struct Config<'a> {
    generation: u64,
    /// As text: JSON's numbers do not reach so far.
    hash: String,
    loaded_at: String,
    last_error: Option<String>,
    pending: &'a [String],
    values: BTreeMap<String, Value>,
    secrets: Vec<Source>,
}

#[derive(Serialize)]
struct Value {
    value: String,
    source: String,
}

/// Where secrets come from, and how that goes.
#[derive(Serialize)]
struct Source {
    source: String,
    found: bool,
    version: Option<String>,
    since: String,
    changes: u64,
    expires_in_seconds: Option<u64>,
    error: Option<String>,
}

impl From<Standing> for Source {
    fn from(standing: Standing) -> Self {
        Self {
            source: standing.source,
            found: standing.is_found,
            version: standing.version,
            since: humantime::format_rfc3339_millis(standing.since).to_string(),
            changes: standing.moves,
            expires_in_seconds: standing.expires_in.map(|left| left.as_secs()),
            error: standing.trouble,
        }
    }
}

/// The answer to `GET /admin/config`.
pub(crate) fn config(snapshot: &Snapshot, secrets: &Secrets) -> Vec<u8> {
    let Status { generation, hash, loaded_at, last_error, pending, .. } = snapshot.status();
    let show = snapshot.show();
    let values = show.leaves().map(|leaf| {
        let value = Value { value: leaf.shown().to_owned(), source: leaf.origin().to_string() };
        (leaf.path().to_owned(), value)
    });
    let config = Config {
        generation: *generation,
        hash: format!("{hash:016x}"),
        loaded_at: humantime::format_rfc3339_millis(*loaded_at).to_string(),
        last_error: last_error.as_deref().map(|error| secrets.mask(error)),
        pending,
        values: values.collect(),
        secrets: secrets.standing().into_iter().map(Source::from).collect(),
    };
    // Maps with keys of text and no number that JSON lacks: it cannot fail.
    serde_json::to_vec(&config).unwrap_or_default()
}
