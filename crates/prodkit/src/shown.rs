//! What the admin port shows, as JSON.

use std::collections::BTreeMap;

use prodkit_config::{Snapshot, Status};
use serde::Serialize;

#[derive(Serialize)]
struct Config<'a> {
    generation: u64,
    /// As text: JSON's numbers do not reach so far.
    hash: String,
    loaded_at: String,
    last_error: Option<&'a str>,
    pending: &'a [String],
    values: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Value {
    value: String,
    source: String,
}

/// The answer to `GET /admin/config`.
pub(crate) fn config(snapshot: &Snapshot) -> Vec<u8> {
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
        last_error: last_error.as_deref(),
        pending,
        values: values.collect(),
    };
    // Maps with keys of text and no number that JSON lacks: it cannot fail.
    serde_json::to_vec(&config).unwrap_or_default()
}
