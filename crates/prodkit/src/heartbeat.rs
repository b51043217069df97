//! Signs of life of single tasks. They are watched beside that of the main runtime, in `stall`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many tasks may beat.
const MOST: usize = 256;
/// A timer on a busy runtime is late by as much, and a healthy task too.
pub(crate) const LEAST: Duration = Duration::from_millis(100);

/// The sign of life of one task, from [`Context::heartbeat`](crate::Context::heartbeat). Dropping it ends the watch.
///
/// ```
/// # use prodkit::{App, BoxError, Context};
/// # use std::time::Duration;
/// async fn app(cx: Context) -> Result<App, BoxError> {
///     let heartbeat = cx.heartbeat("outbox-relay", Duration::from_secs(60))?;
///     Ok(App::new().task("outbox-relay", async move |stop| {
///         loop {
///             heartbeat.beat();
///             // one batch
///             if stop.run_until_stopped(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
///                 return;
///             }
///         }
///     }))
/// }
/// ```
#[derive(Debug)]
#[must_use = "dropping the heartbeat ends the watch"]
pub struct Heartbeat {
    seat: Arc<Seat>,
    all: Heartbeats,
}

impl Heartbeat {
    /// The task is alive at this moment. One relaxed atomic addition.
    pub fn beat(&self) {
        self.seat.beats.fetch_add(1, Relaxed);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.all.lock().retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

/// One task that beats.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) name: &'static str,
    pub(crate) within: Duration,
    beats: AtomicU64,
}

impl Seat {
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Relaxed)
    }
}

/// All tasks that beat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats(Arc<Mutex<Vec<Arc<Seat>>>>);

/// Why a heartbeat could not be added. Fits "failed to {…}".
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("watch {0:?}: another task beats by this name")]
    Taken(&'static str),
    #[error("watch {0:?}: a heartbeat within {1:?} is missed by a healthy task too; 100 ms or more")]
    TooShort(&'static str, Duration),
    #[error("watch {0:?}: {MOST} tasks beat already")]
    TooMany(&'static str),
}

impl Heartbeats {
    pub(crate) fn add(&self, name: &'static str, within: Duration) -> Result<Heartbeat, Error> {
        if within < LEAST {
            return Err(Error::TooShort(name, within));
        }
        let mut seats = self.lock();
        if seats.iter().any(|seat| seat.name == name) {
            return Err(Error::Taken(name));
        }
        if seats.len() >= MOST {
            return Err(Error::TooMany(name));
        }
        let seat = Arc::new(Seat { name, within, beats: AtomicU64::new(0) });
        seats.push(Arc::clone(&seat));
        Ok(Heartbeat { seat, all: self.clone() })
    }

    /// Those that are there now.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_until_the_heartbeat_is_dropped() {
        let all = Heartbeats::default();
        let minute = Duration::from_secs(60);
        let relay = all.add("relay", minute).unwrap();
        assert!(matches!(all.add("relay", minute), Err(Error::Taken("relay"))));
        assert!(matches!(all.add("short", Duration::from_millis(99)), Err(Error::TooShort(..))));
        relay.beat();
        assert_eq!(
            all.seats().iter().map(|seat| (seat.name, seat.beats())).collect::<Vec<_>>(),
            [("relay", 1)]
        );
        drop(relay);
        assert!(all.seats().is_empty());
        let names: Vec<&'static str> = (0..=MOST).map(|nth| &*format!("t{nth}").leak()).collect();
        let (last, names) = names.split_last().unwrap();
        let _kept: Vec<_> = names.iter().map(|name| all.add(name, minute).unwrap()).collect();
        assert!(matches!(all.add(last, minute), Err(Error::TooMany(_))));
    }
}
