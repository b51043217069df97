//! Under systemd: it is told of the start, of reloads and of the end, and that the process is alive.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};
use std::time::{Duration, Instant};

use prodkit_health::{Health, Probe};
use prodkit_process::{Notify, watchdog};
use tokio::time::sleep;

use crate::environment::Environment;

/// systemd, or nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor(Option<Arc<Told>>);

#[derive(Debug)]
struct Told {
    notify: Notify,
    /// Within which time it must hear that the process is alive.
    watchdog: Option<Duration>,
    reloading: AtomicBool,
    silent: AtomicBool,
}

impl Supervisor {
    /// Who started this process, if it wants to be told. A socket that cannot be used is worth a warning and nothing more.
    pub(crate) fn find(environment: &Environment, warnings: &mut Vec<String>) -> Self {
        let Some(name) = environment.get("NOTIFY_SOCKET") else { return Self(None) };
        match Notify::to(OsStr::new(name)) {
            Ok(notify) => {
                let watchdog = watchdog(environment.get("WATCHDOG_USEC"), environment.get("WATCHDOG_PID"));
                let (reloading, silent) = Default::default();
                Self(Some(Arc::new(Told { notify, watchdog, reloading, silent })))
            }
            Err(error) => {
                warnings.push(format!("systemd is told nothing, NOTIFY_SOCKET {name:?}: {error}"));
                Self(None)
            }
        }
    }

    /// The process is ready to serve.
    pub(crate) fn ready(&self) {
        self.tell(Notify::ready);
    }

    /// Somebody asked for a look at the configuration.
    pub(crate) fn reloading(&self) {
        if let Some(told) = &self.0 {
            told.reloading.store(true, std::sync::atomic::Ordering::Release);
            self.tell(Notify::reloading);
        }
    }

    /// The look is over, whatever came of it; nothing, where nobody asked for it.
    pub(crate) fn reloaded(&self) {
        if self.0.as_ref().is_some_and(|told| told.reloading.swap(false, AcqRel)) {
            self.tell(Notify::ready);
        }
    }

    /// The end has begun.
    pub(crate) fn stopping(&self, within: Duration) {
        self.tell(|notify| notify.stopping(within));
    }

    /// In a line for people.
    pub(crate) fn status(&self, line: &str) {
        self.tell(|notify| notify.status(line));
    }

    /// Says twice in each period that the process is alive, as long as it is. Never ends.
    pub(crate) async fn watch(self, health: Health) {
        let Some(period) = self.0.as_ref().and_then(|told| told.watchdog) else {
            return std::future::pending().await;
        };
        loop {
            if health.verdict(Probe::Liveness, Instant::now()).is_ok() {
                self.tell(Notify::watchdog);
            }
            sleep(period / 2).await;
        }
    }

    fn tell(&self, say: impl FnOnce(&Notify) -> io::Result<()>) {
        let Some(told) = &self.0 else { return };
        if let Err(error) = say(&told.notify)
            && !told.silent.swap(true, AcqRel)
        {
            tracing::warn!(error = %error, "systemd does not listen");
        }
    }
}
