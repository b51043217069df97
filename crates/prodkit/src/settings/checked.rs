//! Values that would boot and then never work, refused where they are written.

use std::num::NonZeroUsize;
use std::time::Duration;

use prodkit_config::{Bytes, duration};
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// Threads cost address space and scheduling; far below what makes the kernel refuse the next one.
const MOST_WORKERS: usize = 1_024;
/// The heartbeat is a timer on a busy runtime: less is missed by a healthy process too.
const LEAST_STALL: Duration = crate::heartbeat::LEAST;

/// What a log line says besides its fields fits into it.
const LEAST_LINE: Bytes = Bytes::kibi(1);

/// A time limit. None at all would be over before anything has begun.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    at_least(Duration::from_nanos(1), "more than 0s", deserializer)
}

pub(super) fn maybe_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let given = Option::<Duration>::deserialize(deserializer)?;
    if given == Some(Duration::ZERO) { Err(D::Error::custom("expected more than 0s")) } else { Ok(given) }
}

pub(super) fn stall<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    at_least(LEAST_STALL, "100ms or more", deserializer)
}

pub(super) fn second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    at_least(Duration::from_secs(1), "1s or more", deserializer)
}

pub(super) fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroUsize>, D::Error> {
    let workers = Option::<NonZeroUsize>::deserialize(deserializer)?;
    if workers.is_some_and(|workers| workers.get() > MOST_WORKERS) {
        return Err(D::Error::custom(format_args!("expected at most {MOST_WORKERS} threads")));
    }
    Ok(workers)
}

pub(super) fn max_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let given = Bytes::deserialize(deserializer)?;
    if given < LEAST_LINE { Err(D::Error::custom("expected 1KiB or more")) } else { Ok(given) }
}

fn at_least<'de, D: Deserializer<'de>>(
    least: Duration,
    said: &str,
    deserializer: D,
) -> Result<Duration, D::Error> {
    let given = duration::deserialize(deserializer)?;
    if given < least { Err(D::Error::custom(format_args!("expected {said}"))) } else { Ok(given) }
}

#[cfg(test)]
mod tests {
    use prodkit_config::Layers;

    use super::super::{SECTIONS, Settings};

    #[test]
    fn what_can_never_work_is_refused_with_its_path_and_all_at_once() {
        let refused = [
            ("server.timeout", "0s", "more than 0s"),
            ("server.first_byte_timeout", "0", "more than 0s"),
            ("server.header_timeout", "0s", "more than 0s"),
            ("server.read_timeout", "0s", "more than 0s"),
            ("server.write_timeout", "0s", "more than 0s"),
            ("server.idle_timeout", "0s", "more than 0s"),
            ("server.tls.handshake_timeout", "0s", "more than 0s"),
            ("server.socket_mode", "999", "three octal digits"),
            ("health.stall", "99ms", "100ms or more"),
            ("health.period", "0s", "more than 0s"),
            ("health.timeout", "0s", "more than 0s"),
            ("health.checks.db.period", "0s", "more than 0s"),
            ("health.checks.db.importance", "vital", "critical"),
            ("log.max_line", "1023", "1KiB or more"),
            ("secrets.vault.refresh", "999ms", "1s or more"),
            ("secrets.vault.auth", "password", "approle"),
            ("otlp.timeout", "0s", "more than 0s"),
            ("otlp.metric_interval", "0s", "more than 0s"),
            ("config.poll", "0s", "more than 0s"),
            ("config.prepare_timeout", "0s", "more than 0s"),
            ("runtime.workers", "1025", "at most 1024 threads"),
        ];
        let layers = refused
            .iter()
            .fold(Layers::new(), |layers, (path, value, _)| layers.set(format!("{path}={value}")));
        let errors =
            layers.read().unwrap().load::<Settings, crate::NoConfig>(SECTIONS).map(|_| ()).unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| (error.path(), error.message())).collect();
        assert_eq!(told.len(), refused.len(), "{told:#?}");
        for (path, _, expected) in refused {
            assert!(
                told.iter().any(|(at, what)| *at == path && what.contains(expected)),
                "{path}: {told:#?}"
            );
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_with_its_place() {
        let layers = Layers::new().set("server.trusted_proxies=unix,10.0.0.1/8");
        let errors =
            layers.read().unwrap().load::<Settings, crate::NoConfig>(SECTIONS).map(|_| ()).unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| (error.path(), error.message())).collect();
        assert!(
            matches!(&told[..], [("server.trusted_proxies[1]", why)] if why.contains("which is 10.0.0.0/8")),
            "{told:#?}"
        );
    }
}
