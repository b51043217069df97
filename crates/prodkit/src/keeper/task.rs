//! Secrets as they move: lines, metrics and a check that say how it goes.

use std::future::Future;
use std::pin::Pin;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prodkit_health::{Health, Importance, Reporter};
use prodkit_metrics::Recorder;
use prodkit_secrets::{Event, Secrets};
use prodkit_shutdown::Stop;

use crate::error::StartError;
use crate::telemetry::Telemetry;

/// The check that says whether every source of secrets can be kept current.
const CHECK: &str = "secrets";

type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps secrets current, and tells, until told to stop.
pub(crate) fn task(
    secrets: Secrets,
    health: &Health,
    telemetry: &Telemetry,
) -> Result<impl FnOnce(Stop) -> TaskFuture + use<>, StartError> {
    let teller = Teller::new(secrets.clone(), health, &telemetry.metrics)?;
    Ok(move |stop: Stop| -> TaskFuture {
        Box::pin(async move {
            let mut driver = secrets.driver();
            // What was not taken is still where it was.
            let _ = stop
                .run_until_stopped(async {
                    loop {
                        let event = driver.next().await;
                        teller.tell(&event);
                    }
                })
                .await;
        })
    })
}

struct Teller {
    secrets: Secrets,
    metrics: Recorder,
    check: Option<Reporter>,
}

impl Teller {
    fn new(secrets: Secrets, health: &Health, metrics: &Recorder) -> Result<Self, StartError> {
        for (name, help) in [
            (
                "prodkit_secret_sources",
                "Files and paths that secrets in use come from, by whether they can be kept current.",
            ),
            ("prodkit_secret_changes_total", "New values of secrets, by what came of them."),
            ("prodkit_secret_changed_timestamp_seconds", "When a secret was replaced the last time."),
        ] {
            metrics.describe(name, None, help);
        }
        let has_sources = !secrets.standing().is_empty();
        let check = has_sources.then(|| health.reporter(CHECK, Importance::Optional, Instant::now()));
        let check =
            check.transpose().map_err(|error| StartError::setup("the check of the secrets")(error.into()))?;
        let teller = Self { secrets, metrics: metrics.clone(), check };
        teller.judge();
        Ok(teller)
    }

    fn tell(&self, event: &Event) {
        let count = |result: &str| {
            self.metrics.counter("prodkit_secret_changes_total", &[("result", result)]).increment(1);
        };
        match event {
            Event::Moved { secrets } => {
                count("taken");
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.metrics.gauge("prodkit_secret_changed_timestamp_seconds", &[]).set(now.as_secs_f64());
                tracing::info!(secrets = secrets.join(" "), "secrets replaced");
            }
            Event::Refused { sources, reason } => {
                count("refused");
                tracing::error!(
                    sources = sources.join(" "),
                    error = reason,
                    "new secrets refused, the last good ones stay"
                );
            }
            Event::Failing { source, reason, left } => {
                tracing::warn!(
                    source,
                    error = reason,
                    expires_in = left.map(tracing::field::debug),
                    "a secret cannot be kept current"
                );
            }
            Event::Recovered { source } => tracing::info!(source, "a secret is current again"),
            _ => {}
        }
        self.judge();
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for people")]
    fn judge(&self) {
        let standing = self.secrets.standing();
        let failing: Vec<_> =
            standing.iter().filter_map(|one| Some((&one.source, one.trouble.as_ref()?))).collect();
        let count = |state: &str, number: usize| {
            self.metrics.gauge("prodkit_secret_sources", &[("state", state)]).set(number as f64);
        };
        count("current", standing.len() - failing.len());
        count("failing", failing.len());
        let Some(check) = &self.check else { return };
        match failing.first() {
            None => check.ok(Instant::now()),
            Some((source, reason)) => {
                let more = if failing.len() > 1 {
                    format!(", and {} more", failing.len() - 1)
                } else {
                    String::new()
                };
                check.failing(format!("{source}: {reason}{more}"), Instant::now());
            }
        }
    }
}
