//! Health as it changes: a line and a gauge for each event, and staleness noticed in time.

use std::time::{Duration, Instant};

use prodkit_health::{Event, Health, Lifecycle, Probe, Verdict};
use prodkit_metrics::Recorder;
use tokio::time::timeout_at;

use crate::systemd::Supervisor;

/// When to look again where no check can go stale.
const IDLE: Duration = Duration::from_secs(60);

/// Who is told, besides the log.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) metrics: Recorder,
    pub(crate) supervisor: Supervisor,
    /// How long the end may take.
    pub(crate) grace: Duration,
}

/// Tells every change; never ends.
pub(crate) async fn watch(health: Health, told: Told) {
    let metrics = &told.metrics;
    metrics.describe("prodkit_check_good", None, "Whether a check is good.");
    metrics.describe("prodkit_ready", None, "Whether the service is ready, degraded or not.");
    loop {
        tell_all(&health, &told);
        let now = Instant::now();
        let stale = health.next_stale(now).unwrap_or(now + IDLE);
        // Either way there may be something to tell.
        let _ = timeout_at(stale.into(), health.changed()).await;
    }
}

/// Tells what there is to tell.
pub(crate) fn tell_all(health: &Health, told: &Told) {
    health.advance(Instant::now()).iter().for_each(|event| tell(event, told));
}

fn tell(event: &Event, told: &Told) {
    let Told { metrics, supervisor, grace } = told;
    match event {
        Event::Check { name, importance, to, reason, .. } => {
            metrics.gauge("prodkit_check_good", &[("check", name)]).set(f64::from(u8::from(to.is_good())));
            let (check, importance) = (&**name, importance.name());
            if to.is_good() {
                tracing::info!(check, importance, "check {to}");
            } else {
                tracing::warn!(check, importance, reason = reason.as_deref(), "check {to}");
            }
        }
        Event::Readiness { to, reasons, .. } => {
            metrics.gauge("prodkit_ready", &[]).set(f64::from(u8::from(to.is_ok())));
            supervisor.status(to.word(Probe::Readiness));
            match to {
                Verdict::Pass => tracing::info!("ready"),
                Verdict::Degraded => tracing::warn!(reasons = reasons.join("; "), "degraded"),
                _ => tracing::warn!(reasons = reasons.join("; "), "not ready"),
            }
        }
        Event::Lifecycle { to, .. } => {
            match to {
                Lifecycle::Running => supervisor.ready(),
                Lifecycle::Draining => supervisor.stopping(*grace),
                _ => {}
            }
            tracing::debug!("{event}");
        }
        other => tracing::warn!("{other}"),
    }
}
