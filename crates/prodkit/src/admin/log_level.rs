//! `/admin/log-level`: another level for a while, and how it is now.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prodkit_http::{Body, peer_addr};
use prodkit_log::{Filter, Level, Log};
use serde_json::json;
use tokio::sync::Notify;

use super::{content, only, refused};
use crate::filter;
use crate::guard::{Guard, Refusal};

/// Where it is.
pub(super) const PATH: &str = "/admin/log-level";
/// How long a level holds that is given without a time, and how long one may.
const LASTS: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The longest query that is looked at, in bytes.
const LONGEST_QUERY: usize = 4_096;

/// The level of the log, as an operator may change it. Clones are the same.
#[derive(Clone)]
pub(super) struct LogLevel {
    log: Log,
    changed: Arc<Notify>,
}

/// What an operator asks for.
#[derive(Debug, PartialEq)]
struct Wish {
    filter: Filter,
    ttl: Duration,
}

impl LogLevel {
    pub(super) fn new(log: Log) -> Self {
        Self { log, changed: Arc::default() }
    }

    pub(super) fn answer(&self, guard: &Guard, request: &Request<Body>) -> Response<Full<Bytes>> {
        match *request.method() {
            Method::GET | Method::HEAD => match guard.read(request.headers()) {
                Ok(()) => self.shown(),
                Err(refusal) => refused(&refusal),
            },
            Method::PUT => self.put(guard, request),
            Method::DELETE => self.delete(guard, request.headers()),
            _ => only("GET, HEAD, PUT, DELETE"),
        }
    }

    /// Sets `?level=` for `&ttl=`.
    fn put(&self, guard: &Guard, request: &Request<Body>) -> Response<Full<Bytes>> {
        const WHAT: &str = "set the log level for a while";
        if let Err(refusal) = guard.write(request.headers()) {
            tracing::warn!(change = WHAT, reason = refusal.reason, peer = ?peer_addr(), "change refused");
            return refused(&refusal);
        }
        let Wish { filter, ttl } = match wish(request.uri().query().unwrap_or_default()) {
            Ok(wish) => wish,
            Err(reason) => return refused(&Refusal { status: StatusCode::BAD_REQUEST, reason }),
        };
        let level = filter.to_string();
        self.change(
            || tracing::info!(change = WHAT, level, ?ttl, peer = ?peer_addr(), "changed by an operator"),
            |log| log.override_filter(filter, ttl),
        );
        self.shown()
    }

    /// Back to what is configured.
    fn delete(&self, guard: &Guard, headers: &HeaderMap) -> Response<Full<Bytes>> {
        const WHAT: &str = "end the log level that was set for a while";
        if let Err(refusal) = guard.write(headers) {
            tracing::warn!(change = WHAT, reason = refusal.reason, peer = ?peer_addr(), "change refused");
            return refused(&refusal);
        }
        self.change(
            || tracing::info!(change = WHAT, peer = ?peer_addr(), "changed by an operator"),
            Log::end_override,
        );
        self.shown()
    }

    /// The line about a change is written by whichever filter lets it through: the one before or the one after.
    fn change(&self, say: impl Fn(), make: impl FnOnce(&Log)) {
        let heard = self.log.filter().enabled(module_path!(), Level::INFO);
        if heard {
            say();
        }
        make(&self.log);
        self.changed.notify_one();
        if !heard {
            say();
        }
    }

    /// What holds now, until when, and what is configured.
    fn shown(&self) -> Response<Full<Bytes>> {
        let over = self.log.overridden();
        let left = over.map(|over| over.until.saturating_duration_since(Instant::now()));
        let until = left.map(|left| humantime::format_rfc3339_seconds(SystemTime::now() + left).to_string());
        let shown = json!({
            "level": self.log.filter().to_string(),
            "until": until,
            "seconds": left.map(|left| left.as_secs()),
            "configured": self.log.configured().to_string(),
        });
        content("application/json", shown.to_string().into())
    }

    /// Says when the time of a level is over. Never returns. Cancel safe.
    pub(super) async fn watch(&self) {
        loop {
            let Some(over) = self.log.overridden() else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(over.until.into()) => {
                    // asking is what ends it
                    let level = self.log.filter().to_string();
                    if self.log.overridden().is_none() {
                        tracing::info!(level, "the log level is as configured again");
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }
}

/// `level=info,app=debug&ttl=10m`, percent-encoded or not.
fn wish(query: &str) -> Result<Wish, &'static str> {
    const HOW: &str =
        "the query is level= and a filter, as in log.level, and may have ttl= and a time, as 10m";
    if query.len() > LONGEST_QUERY {
        return Err(HOW);
    }
    let (mut level, mut ttl) = (None, LASTS);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or(HOW)?;
        let value = decoded(value).ok_or(HOW)?;
        match name {
            "level" => level = Some(filter::parse(&value).map_err(|_| "the level is no filter")?),
            "ttl" => ttl = humantime::parse_duration(&value).map_err(|_| "the ttl is no time, as 10m")?,
            _ => return Err(HOW),
        }
    }
    if ttl.is_zero() || ttl > LONGEST {
        return Err("the ttl is more than nothing, and 24h at most");
    }
    level.map(|filter| Wish { filter, ttl }).ok_or(HOW)
}

/// Percent-decoded (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = rest.split_at_checked(2)?;
        let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_asked_for() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (query, expected) in [
            ("level=debug", Some(("debug", minutes(10)))),
            ("level=info,app=debug&ttl=30s", Some(("info,app=debug", Duration::from_secs(30)))),
            ("ttl=24h&level=info%2Capp%3Ddebug", Some(("info,app=debug", minutes(24 * 60)))),
            ("level=off&ttl=24h1s", None),
            ("level=debug&ttl=0s", None),
            ("level=debug&ttl=long", None),
            ("level=debug&ttl", None),
            ("level=loud", None),
            ("level=%zz", None),
            ("level=%+1", None),
            ("level=%4", None),
            ("level=debug&until=now", None),
            ("ttl=10m", None),
            ("debug", None),
            ("", None),
        ] {
            let expected = expected.map(|(level, ttl)| Wish { filter: filter::parse(level).unwrap(), ttl });
            assert_eq!(wish(query).ok(), expected, "{query}");
        }
        assert!(wish(&format!("level={}", "a".repeat(LONGEST_QUERY))).is_err());
    }
}
