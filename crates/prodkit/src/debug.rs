//! Single traces that are looked at closely: logged at `debug` and recorded, whatever the level and the ratio say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use prodkit_log::Log;
use prodkit_secrets::Secret;
use prodkit_trace::TraceId;
use sha2::Sha256;
use tokio::sync::Notify;

/// `<unix seconds>.<hex of HMAC-SHA256 by log.debug_key over "<trace id>.<unix seconds>">`: this trace, until then.
pub(crate) const HEADER: &str = "x-debug-trace";
/// Traces that may be raised at a time.
const MOST: usize = 8;
/// How long one stays so.
pub(crate) const LASTS: Duration = Duration::from_secs(60);
/// How long ahead a signature may be made: one that leaks is soon worth nothing.
const AHEAD: Duration = Duration::from_secs(3600);

/// The traces raised now. Clones share them.
#[derive(Clone)]
pub(crate) struct DebugTraces {
    shared: Arc<Shared>,
}

struct Shared {
    key: Option<Secret>,
    log: Log,
    /// How many there are: all that a request looks at where there are none.
    count: AtomicUsize,
    raised: Mutex<Vec<Raised>>,
    more: Notify,
}

struct Raised {
    trace: TraceId,
    until: Instant,
    /// Requests of it under way: only while there are any is the log's level lifted.
    open: usize,
}

/// As many as may be are raised already.
#[derive(Debug, PartialEq)]
pub(crate) struct TooMany;

impl DebugTraces {
    pub(crate) fn new(key: Option<Secret>, log: Log) -> Self {
        let shared =
            Shared { key, log, count: AtomicUsize::new(0), raised: Mutex::default(), more: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Raises a trace from now on; again prolongs it.
    pub(crate) fn raise(&self, trace: TraceId, now: Instant) -> Result<(), TooMany> {
        self.expire(now);
        let mut raised = self.raised();
        match raised.iter().position(|one| one.trace == trace) {
            Some(at) => raised[at].until = now + LASTS,
            None if raised.len() >= MOST => return Err(TooMany),
            None => raised.push(Raised { trace, until: now + LASTS, open: 0 }),
        }
        self.shared.count.store(raised.len(), Ordering::Relaxed);
        self.shared.more.notify_one();
        Ok(())
    }

    /// A request of this trace begins; whether it is raised. `header` is asked for only where there is a key.
    #[inline]
    pub(crate) fn begins<'h>(&self, trace: TraceId, header: impl FnOnce() -> Option<&'h [u8]>) -> bool {
        if self.shared.count.load(Ordering::Relaxed) == 0 && self.shared.key.is_none() {
            return false;
        }
        if let Some(key) = &self.shared.key
            && let Some(header) = header()
            && is_signed(key, trace, header, SystemTime::now())
            && self.raise(trace, Instant::now()) == Err(TooMany)
        {
            tracing::warn!(most = MOST, "a trace is not raised to debug: too many are");
        }
        self.change(trace, |one, log| {
            one.open += 1;
            if one.open == 1 {
                log.raise(trace);
            }
        })
    }

    /// A request of this trace is over.
    #[inline]
    pub(crate) fn ended(&self, trace: TraceId) {
        if self.shared.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.change(trace, |one, log| {
            one.open = one.open.saturating_sub(1);
            if one.open == 0 {
                log.lower(trace);
            }
        });
    }

    /// Ends those whose time is over, whenever it is. Never returns. Cancel safe.
    pub(crate) async fn watch(&self) {
        loop {
            let now = Instant::now();
            self.expire(now);
            let next = self.raised().iter().map(|one| one.until).min();
            match next {
                Some(next) => tokio::time::sleep(next.saturating_duration_since(now)).await,
                None => self.shared.more.notified().await,
            }
        }
    }

    fn expire(&self, now: Instant) {
        let mut raised = self.raised();
        raised.retain(|one| {
            let holds = one.until > now;
            if !holds && one.open > 0 {
                self.shared.log.lower(one.trace);
            }
            holds
        });
        self.shared.count.store(raised.len(), Ordering::Relaxed);
    }

    fn change(&self, trace: TraceId, change: impl FnOnce(&mut Raised, &Log)) -> bool {
        let mut raised = self.raised();
        let now = Instant::now();
        let found = raised.iter_mut().find(|one| one.trace == trace && one.until > now);
        found.map(|one| change(one, &self.shared.log)).is_some()
    }

    fn raised(&self) -> MutexGuard<'_, Vec<Raised>> {
        self.shared.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_signed(key: &Secret, trace: TraceId, header: &[u8], now: SystemTime) -> bool {
    let Some((until, signature)) = str::from_utf8(header).ok().and_then(|text| text.split_once('.')) else {
        return false;
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Ok(seconds) = until.parse::<u64>() else { return false };
    if seconds < now || seconds > now + AHEAD.as_secs() {
        return false;
    }
    let Some(signature) = unhex(signature) else { return false };
    let key = key.get();
    // one that is not there yet would be one that everybody knows
    if key.expose_bytes().is_empty() {
        return false;
    }
    // any length of key will do
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_bytes()) else { return false };
    mac.update(format!("{trace}.{until}").as_bytes());
    // in constant time
    mac.verify_slice(&signature).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != 32 {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(key: Option<&str>) -> DebugTraces {
        let log = prodkit_log::start(prodkit_log::Options::default(), std::io::sink()).unwrap().1;
        DebugTraces::new(key.map(Secret::fixed), log)
    }

    fn id(n: u128) -> TraceId {
        TraceId::from_u128(n).unwrap()
    }

    #[test]
    fn eight_at_a_time_for_a_minute() {
        let (traces, now) = (traces(None), Instant::now());
        for n in 1..=8 {
            assert_eq!(traces.raise(id(n), now), Ok(()));
        }
        assert_eq!(traces.raise(id(9), now), Err(TooMany));
        assert_eq!(traces.raise(id(8), now + Duration::from_secs(1)), Ok(()), "again is not one more");
        assert_eq!(traces.raise(id(9), now + LASTS), Ok(()), "the others are over");
        assert_eq!(traces.raised().iter().map(|one| one.trace).collect::<Vec<_>>(), [id(8), id(9)]);
    }

    #[test]
    fn only_what_is_raised_is() {
        let traces = traces(None);
        assert!(!traces.begins(id(1), || panic!("without a key nobody looks at headers")));
        traces.raise(id(1), Instant::now()).unwrap();
        assert!(traces.begins(id(1), || None) && !traces.begins(id(2), || None));
        traces.ended(id(2));
        traces.ended(id(1));
        assert_eq!(traces.raised()[0].open, 0);
    }

    #[test]
    fn a_signature_is_for_one_trace_and_a_time() {
        // printf '00000000000000000000000000000001.1700000060' | openssl dgst -sha256 -hmac key
        let signature = "b63579cd29c46c598cb8df640fee2b829de0f78d8d4ae4468d7399110d7dad7c";
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let key = Secret::fixed("key");
        let header = format!("1700000060.{signature}");
        assert!(is_signed(&key, id(1), header.as_bytes(), at(1_700_000_000)));
        assert!(is_signed(&key, id(1), header.as_bytes(), at(1_700_000_060)));
        assert!(!is_signed(&key, id(1), header.as_bytes(), at(1_700_000_061)), "over");
        assert!(!is_signed(&key, id(1), header.as_bytes(), at(1_699_990_000)), "too far ahead");
        assert!(!is_signed(&key, id(2), header.as_bytes(), at(1_700_000_000)), "another trace");
        let other = Secret::fixed("kez");
        assert!(!is_signed(&other, id(1), header.as_bytes(), at(1_700_000_000)), "another key");
        for wrong in
            ["", ".", "1700000060", "1700000060.", "1700000060.00", &header[1..], &format!("{header}0")]
        {
            assert!(!is_signed(&key, id(1), wrong.as_bytes(), at(1_700_000_000)), "{wrong}");
        }
    }
}
