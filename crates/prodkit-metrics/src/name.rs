//! Names as Prometheus allows them.
//!
//! Sources: the Prometheus data model (metric and label names) and the OpenTelemetry specification
//! `compatibility/prometheus_and_openmetrics.md` (collapsing, units, `_total`).

use crate::Kind;
use metrics::Unit;
use std::borrow::Cow;

/// The suffix every counter is shown with, in every format: what a query says must not depend on which format the
/// server happened to negotiate.
pub(crate) const TOTAL: &str = "_total";

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
pub(crate) fn metric(name: &str) -> Cow<'_, str> {
    clean(name, |c| c == b':')
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and not starting with `__`, which Prometheus keeps for itself.
pub(crate) fn label(name: &str) -> Cow<'_, str> {
    let name = clean(name, |_| false);
    if name.starts_with("__") { Cow::Owned(format!("_{}", name.trim_start_matches('_'))) } else { name }
}

/// Leaves a valid name alone; in any other, a run of what is not allowed becomes one `_`, and a leading digit gets
/// one before it.
fn clean(name: &str, extra: fn(u8) -> bool) -> Cow<'_, str> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || extra(c);
    let starts_well = name.bytes().next().is_some_and(|c| !c.is_ascii_digit());
    if starts_well && name.bytes().all(allowed) {
        return Cow::Borrowed(name);
    }
    let mut clean = String::with_capacity(name.len() + 1);
    if !starts_well {
        clean.push('_');
    }
    for c in name.bytes().map(|c| if allowed(c) { char::from(c) } else { '_' }) {
        if c != '_' || !clean.ends_with('_') {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// The name samples are shown under: `clean`, then the unit's word, then `_total` for counters, each unless present.
pub(crate) fn shown(clean: &str, kind: Kind, unit: Option<Unit>) -> String {
    let mut shown = match kind {
        Kind::Counter => clean.strip_suffix(TOTAL).unwrap_or(clean).to_owned(),
        Kind::Gauge | Kind::Histogram => clean.to_owned(),
    };
    if let Some(word) = unit.and_then(word)
        && !ends_with_word(&shown, word)
    {
        shown.push('_');
        shown.push_str(word);
    }
    if kind == Kind::Counter {
        shown.push_str(TOTAL);
    }
    shown
}

/// The word a unit adds to a name. A plain count adds none.
pub(crate) fn word(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Count => None,
        Unit::CountPerSecond => Some("per_second"),
        other => Some(other.as_str()),
    }
}

/// Whether `name` is `word` or ends in `_word`.
pub(crate) fn ends_with_word(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

/// The names a metric's lines start with; no two metrics may share one.
pub(crate) fn lines(shown: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Counter | Kind::Gauge => vec![shown.to_owned()],
        Kind::Histogram => ["", "_bucket", "_sum", "_count"].map(|end| format!("{shown}{end}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_valid() {
        for (raw, as_metric, as_label) in [
            ("http_requests_total", "http_requests_total", "http_requests_total"),
            ("http.server.request.duration", "http_server_request_duration", "http_server_request_duration"),
            ("a::b", "a::b", "a_b"),
            ("kept__as_it_is", "kept__as_it_is", "kept__as_it_is"),
            ("a.-_b", "a_b", "a_b"),
            ("9lives", "_9lives", "_9lives"),
            ("", "_", "_"),
            ("größe", "gr_e", "gr_e"),
            ("über", "_ber", "_ber"),
            ("__name__", "__name__", "_name__"),
            ("a\"} 1\n", "a_1_", "a_1_"),
        ] {
            assert_eq!(metric(raw), as_metric, "{raw:?}");
            assert_eq!(label(raw), as_label, "{raw:?}");
        }
    }

    #[test]
    fn suffixes_are_added_once() {
        for (name, kind, unit, expect) in [
            ("http_requests_total", Kind::Counter, Some(Unit::Count), "http_requests_total"),
            ("http_requests", Kind::Counter, None, "http_requests_total"),
            ("io_bytes_total", Kind::Counter, Some(Unit::Bytes), "io_bytes_total"),
            ("io_total", Kind::Counter, Some(Unit::Bytes), "io_bytes_total"),
            (
                "http_request_duration_seconds",
                Kind::Histogram,
                Some(Unit::Seconds),
                "http_request_duration_seconds",
            ),
            (
                "http_server_request_duration",
                Kind::Histogram,
                Some(Unit::Seconds),
                "http_server_request_duration_seconds",
            ),
            ("active_connections", Kind::Gauge, Some(Unit::Count), "active_connections"),
            ("milliseconds", Kind::Gauge, Some(Unit::Seconds), "milliseconds_seconds"),
            ("seconds", Kind::Gauge, Some(Unit::Seconds), "seconds"),
            ("jobs", Kind::Gauge, Some(Unit::CountPerSecond), "jobs_per_second"),
        ] {
            assert_eq!(shown(name, kind, unit), expect);
        }
    }
}
