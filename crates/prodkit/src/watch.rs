//! Health as it changes: a line and a gauge for each event, and staleness noticed in time.

use std::time::{Duration, Instant};

use prodkit_health::{Event, Health};
use prodkit_metrics::Recorder;

/// How late a line about a change may be.
const EVERY: Duration = Duration::from_millis(100);

/// Tells every change; never ends.
pub(crate) async fn watch(health: Health, metrics: Recorder) {
    metrics.describe("prodkit_check_good", None, "Whether a check is good.");
    metrics.describe("prodkit_ready", None, "Whether the service is ready, degraded or not.");
    loop {
        health.advance(Instant::now()).iter().for_each(|event| tell(event, &metrics));
        tokio::time::sleep(EVERY).await;
    }
}

/// Tells what is left to tell.
pub(crate) fn last_words(health: &Health, metrics: &Recorder) {
    health.advance(Instant::now()).iter().for_each(|event| tell(event, metrics));
}

fn tell(event: &Event, metrics: &Recorder) {
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
        Event::Readiness { to, .. } => {
            metrics.gauge("prodkit_ready", &[]).set(f64::from(u8::from(to.is_ok())));
            tracing::info!("{event}");
        }
        Event::Lifecycle { .. } => tracing::debug!("{event}"),
        other => tracing::warn!("{other}"),
    }
}
