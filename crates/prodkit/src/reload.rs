//! The configuration while the process runs: taken, refused or taken back, told, and put to use where it is our own.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, UNIX_EPOCH};

use prodkit_config::{Commit, Outcome, Reload, Snapshot, WatchHandle};
use prodkit_health::{Health, Importance, Reporter};
use prodkit_live::{Live, Updater};
use prodkit_log::{Level, LevelFilter};
use prodkit_metrics::Recorder;
use prodkit_secrets::Secrets;
use prodkit_shutdown::Stop;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use crate::error::StartError;
use crate::settings::{LogLevel, SamplingRatio, Settings};
use crate::soak::{Sample, Soak};
use crate::systemd::Supervisor;
use crate::telemetry::Telemetry;

/// The check that says how the last look went.
const CHECK: &str = "config";

/// What is to be kept up to date, and what of it moves here.
pub(crate) struct Reloading<C> {
    reload: Reload<Settings, C>,
    enabled: bool,
    shown: Updater<Snapshot>,
    level: Live<LogLevel>,
    ratio: Live<SamplingRatio>,
    soak: Option<Soak>,
    answers: Option<Arc<Answers>>,
}

/// What the admin port may know of it, and ask of it.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) shown: Live<Snapshot>,
    pub(crate) handle: WatchHandle,
    /// Whether a look is taken when one is asked for.
    pub(crate) follows: bool,
}

/// Answers so far, counted where somebody compares them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    requests: AtomicU64,
    failures: AtomicU64,
}

impl Answers {
    pub(crate) fn count(&self, status: http::StatusCode) {
        self.requests.fetch_add(1, Relaxed);
        self.failures.fetch_add(status.is_server_error().into(), Relaxed);
    }
}

impl<C: DeserializeOwned> Reloading<C> {
    pub(crate) fn new(reload: Reload<Settings, C>, settings: &Settings) -> Self {
        let (shown, _) = Live::channel(reload.snapshot());
        let soak = settings.config.soak.filter(|window| !window.is_zero()).map(Soak::new);
        Self {
            enabled: settings.config.reload,
            shown,
            level: settings.log.level.clone(),
            ratio: settings.otlp.sampling_ratio.clone(),
            answers: soak.is_some().then(Arc::default),
            soak,
            reload,
        }
    }

    pub(crate) fn configured(&self) -> Configured {
        Configured { shown: self.shown.live(), handle: self.reload.handle(), follows: self.enabled }
    }

    /// Where answers are to be counted, if they are.
    pub(crate) fn answers(&self) -> Option<Arc<Answers>> {
        self.answers.clone()
    }

    /// Takes what the sources say whenever they say something new, until told to stop.
    pub(crate) fn task(
        self,
        secrets: Secrets,
        health: &Health,
        telemetry: &Telemetry,
    ) -> Result<impl FnOnce(Stop) -> TaskFuture + use<C>, StartError>
    where
        C: Send + 'static,
    {
        let teller = Teller::new(secrets, health, &telemetry.metrics)?;
        let supervisor = telemetry.supervisor.clone();
        let task =
            Task { own: self, health: health.clone(), teller, sinks: Sinks::new(telemetry), supervisor };
        Ok(move |stop: Stop| -> TaskFuture {
            Box::pin(async move {
                // Nothing is lost with what was not taken.
                let _ = stop.run_until_stopped(task.run()).await;
            })
        })
    }
}

type TaskFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task<C> {
    own: Reloading<C>,
    health: Health,
    teller: Teller,
    sinks: Sinks,
    supervisor: Supervisor,
}

impl<C: DeserializeOwned + Send> Task<C> {
    async fn run(mut self) {
        if !self.own.enabled {
            return pending().await;
        }
        loop {
            let period = self.own.soak.as_ref().map(Soak::period);
            let tick = async {
                match period {
                    Some(period) => sleep(period).await,
                    None => pending().await,
                }
            };
            let outcome = tokio::select! {
                outcome = self.own.reload.next() => Some(outcome),
                () = tick => None,
            };
            match outcome {
                Some(outcome) => self.settle(&outcome),
                None => self.try_on().await,
            }
        }
    }

    fn settle(&mut self, outcome: &Outcome) {
        if let Outcome::Committed(_) = outcome {
            let sample = self.sample();
            if let Some(soak) = &mut self.own.soak {
                soak.committed(Instant::now(), sample);
            }
        }
        self.apply(|| self.teller.tell(outcome, &self.show()));
        self.supervisor.reloaded();
    }

    /// Takes the last commit back if it made things worse.
    async fn try_on(&mut self) {
        let sample = self.sample();
        let worse = self.own.soak.as_mut().and_then(|soak| soak.look(Instant::now(), sample));
        let Some(reason) = worse else { return };
        let outcome = self.own.reload.take_back().await;
        self.apply(|| self.teller.taken_back(&reason, &outcome, &self.show()));
    }

    /// Puts to use what moved, then tells. Lines of this file are written if the old level or the new one lets them:
    /// where the log falls silent, it says why.
    fn apply(&self, tell: impl FnOnce()) {
        let Self { own: Reloading { level, ratio, .. }, sinks, .. } = self;
        sinks.set_ratio(ratio.get().0);
        let (old, LogLevel(new)) = (sinks.log.filter(), LogLevel::clone(&level.get()));
        if old == new {
            return tell();
        }
        let target = module_path!();
        let heard = old.enabled(target, Level::INFO) || new.enabled(target, Level::INFO);
        let meanwhile = if heard { new.clone().target(target, LevelFilter::INFO) } else { new.clone() };
        sinks.log.set_filter(meanwhile);
        tell();
        sinks.log.set_filter(new);
    }

    fn sample(&self) -> Sample {
        let Some(answers) = &self.own.answers else { return Sample::default() };
        let (requests, failures) = (answers.requests.load(Relaxed), answers.failures.load(Relaxed));
        let report = self.health.readiness(Instant::now());
        let critical = report.checks.iter().filter(|check| check.importance == Importance::Critical);
        let good = critical.filter(|check| check.status.is_good()).map(|check| check.name.to_string());
        // Counted after the other, a failure may be ahead of its request.
        Sample { requests: requests.max(failures), failures, good: good.collect() }
    }

    /// On the admin port before anywhere else: who reads of it in the log finds it there.
    fn show(&self) -> Snapshot {
        let snapshot = self.own.reload.snapshot();
        // Nothing is derived from what is shown, so nothing can refuse it.
        let _ = self.own.shown.set(snapshot.clone());
        snapshot
    }
}

/// What of the settings moves.
struct Sinks {
    log: prodkit_log::Log,
    #[cfg(feature = "otlp")]
    sampler: Option<prodkit_otlp::Sampler>,
}

impl Sinks {
    fn new(telemetry: &Telemetry) -> Self {
        Self {
            log: telemetry.log.clone(),
            #[cfg(feature = "otlp")]
            sampler: telemetry
                .otlp
                .as_deref()
                .filter(|_| telemetry.ratio_moves)
                .map(prodkit_otlp::Otlp::sampler),
        }
    }

    #[cfg_attr(not(feature = "otlp"), expect(clippy::unused_self, reason = "there is no sampler"))]
    fn set_ratio(&self, ratio: f64) {
        #[cfg(feature = "otlp")]
        if let Some(sampler) = &self.sampler {
            sampler.set_ratio(ratio);
        }
        #[cfg(not(feature = "otlp"))]
        let _ = ratio;
    }
}

/// Lines, metrics and a check that say how it goes.
struct Teller {
    metrics: Recorder,
    check: Reporter,
    /// Whoever refuses a configuration may quote it.
    secrets: Secrets,
}

impl Teller {
    fn new(secrets: Secrets, health: &Health, metrics: &Recorder) -> Result<Self, StartError> {
        let check = health.reporter(CHECK, Importance::Optional, Instant::now());
        let check =
            check.map_err(|error| StartError::setup("the check of the configuration")(error.into()))?;
        check.ok(Instant::now());
        for (name, help) in [
            ("prodkit_config_generation", "How often a new configuration was taken since the start."),
            ("prodkit_config_loaded_timestamp_seconds", "When the configuration in use was taken."),
            ("prodkit_config_last_reload_successful", "Whether the sources as they are now were taken."),
            ("prodkit_config_restart_pending", "Changed settings that take a restart."),
            ("prodkit_config_reloads_total", "Looks at the sources, by what came of them."),
        ] {
            metrics.describe(name, None, help);
        }
        Ok(Self { metrics: metrics.clone(), check, secrets })
    }

    fn tell(&self, outcome: &Outcome, snapshot: &Snapshot) {
        let status = snapshot.status();
        let result = match outcome {
            Outcome::Committed(_) => "committed",
            Outcome::Refused(_) => "refused",
            _ => "unchanged",
        };
        self.count(result, snapshot);
        match outcome {
            Outcome::Committed(Commit { moved, warnings, .. }) => {
                tracing::info!(
                    generation = status.generation,
                    hash = format_args!("{:016x}", status.hash),
                    moved = moved.join(" "),
                    "configuration reloaded"
                );
                if !status.pending.is_empty() {
                    tracing::warn!(pending = status.pending.join(" "), "changed settings wait for a restart");
                }
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            }
            Outcome::Refused(error) => {
                tracing::error!(
                    error = self.secrets.mask(&error.to_string()),
                    generation = status.generation,
                    hash = format_args!("{:016x}", status.hash),
                    "new configuration refused, the last good one stays"
                );
            }
            _ => tracing::debug!("the configuration says nothing new"),
        }
    }

    fn taken_back(&self, reason: &str, outcome: &Outcome, snapshot: &Snapshot) {
        match outcome {
            Outcome::Committed(Commit { hashes: (bad, good), .. }) => {
                self.count("taken_back", snapshot);
                tracing::error!(
                    reason,
                    from = format_args!("{bad:016x}"),
                    to = format_args!("{good:016x}"),
                    "configuration taken back: it made things worse"
                );
            }
            Outcome::Refused(error) => {
                let error = self.secrets.mask(&error.to_string());
                tracing::error!(reason, error, "configuration made things worse and could not be taken back");
            }
            _ => {}
        }
    }

    fn count(&self, result: &str, snapshot: &Snapshot) {
        let status = snapshot.status();
        self.metrics.counter("prodkit_config_reloads_total", &[("result", result)]).increment(1);
        let gauge = |name, value: f64| self.metrics.gauge(name, &[]).set(value);
        let loaded = status.loaded_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge("prodkit_config_loaded_timestamp_seconds", loaded.as_secs_f64());
        gauge("prodkit_config_last_reload_successful", f64::from(u8::from(status.last_error.is_none())));
        #[expect(clippy::cast_precision_loss, reason = "a count for people")]
        {
            gauge("prodkit_config_generation", status.generation as f64);
            gauge("prodkit_config_restart_pending", status.pending.len() as f64);
        }
        match &status.last_error {
            Some(error) => {
                let error = self.secrets.mask(error.lines().next().unwrap_or_default());
                self.check.failing(error, Instant::now());
            }
            None => self.check.ok(Instant::now()),
        }
    }
}
