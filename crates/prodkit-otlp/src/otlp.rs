//! The handle: what goes in, what came of it, and the end.

use crate::delivery::Losses;
use crate::encode::traces::Finished;
use crate::endpoint::Destination;
use crate::error::Kind as ErrorKind;
use crate::pipeline::{self, Points};
use crate::queue::{Bounds, Queue};
use crate::redact::Redact;
use crate::settings::Signal;
use crate::signal::Kind;
use crate::thread::{self, Ending, Work};
use crate::{Error, Layer, Limits, LogRecord, Logs, Report, Resource, Sampler, Settings, Spans, Stats};
use std::sync::Arc;
use std::time::Duration;

/// Exporting, started. Dropping it without [`shutdown`](Self::shutdown) ends it at once, and what waits is lost.
#[derive(Debug)]
pub struct Otlp {
    lanes: Arc<Lanes>,
    limits: Limits,
    redact: Redact,
    sampler: Sampler,
    /// `None` where nothing is exported: there is no thread.
    ending: Option<Ending>,
}

/// The signals that are exported.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) traces: Option<Arc<Queue<Finished>>>,
    pub(crate) metrics: Option<Points>,
    pub(crate) logs: Option<Arc<Queue<LogRecord>>>,
}

/// Starts exporting what `settings` say, from a thread of its own. Returns before anything is connected.
///
/// Metrics are exported only with a recorder. Without an endpoint nothing is started, and everything on the handle
/// works and does nothing. The files of [`Settings::tls`] are read now, where an endpoint needs them, and not followed.
///
/// # Errors
///
/// When an endpoint or a certificate cannot be used, a bound is zero or the machine has no thread left. Never because of
/// the network.
pub fn start(
    settings: Settings,
    resource: Resource,
    metrics: Option<prodkit_metrics::Recorder>,
) -> Result<Otlp, Error> {
    #[cfg(feature = "__tls")]
    return start_with(settings, resource, metrics, crate::Credentials::read);
    #[cfg(not(feature = "__tls"))]
    {
        let settings = settings.within_reach();
        let targets = targets(&settings)?;
        begin(settings, targets, resource, metrics)
    }
}

/// [`start`] with certificates that change: `credentials` is asked, once for each signal that is exported over TLS, for
/// what stands for its files ([`Settings::tls_of`]), and may read them and follow them, or know better.
///
/// # Errors
///
/// Those of [`start`], and those of `credentials`.
#[cfg(feature = "__tls")]
pub fn start_with<E: From<Error>>(
    settings: Settings,
    resource: Resource,
    metrics: Option<prodkit_metrics::Recorder>,
    credentials: impl FnMut(&crate::Tls) -> Result<crate::Credentials, E>,
) -> Result<Otlp, E> {
    let settings = settings.within_reach();
    let mut targets = targets(&settings).map_err(Error::from)?;
    crate::security::secure(&settings, &mut targets, credentials)?;
    begin(settings, targets, resource, metrics).map_err(E::from)
}

fn begin(
    settings: Settings,
    targets: [Option<Destination>; 3],
    resource: Resource,
    metrics: Option<prodkit_metrics::Recorder>,
) -> Result<Otlp, Error> {
    let [traces, to_metrics, logs] = targets;
    let metrics = to_metrics.zip(metrics);

    let lanes = Arc::new(Lanes {
        traces: traces.as_ref().map(|_| Arc::new(Queue::new(room(&settings.traces)))),
        metrics: metrics.as_ref().map(|_| Points::default()),
        logs: logs.as_ref().map(|_| Arc::new(Queue::new(room(&settings.logs)))),
    });
    let sampler = Sampler::new(settings.sampling, lanes.traces.is_none());
    let limits = settings.limits;
    let work = Work { settings, resource, traces, metrics, logs, lanes: lanes.clone() };
    let ending = if work.is_some() { Some(thread::start(work)?) } else { None };
    Ok(Otlp { lanes, limits, redact: Redact::default(), sampler, ending })
}

impl Settings {
    /// Whether [`start`] would take these settings; starts nothing, and looks at no file.
    ///
    /// # Errors
    ///
    /// Those of [`start`] that are about settings.
    pub fn check(&self) -> Result<(), Error> {
        Ok(targets(&self.clone().within_reach()).map(drop)?)
    }
}

/// Where each signal goes, if anywhere.
pub(crate) fn targets(settings: &Settings) -> Result<[Option<Destination>; 3], ErrorKind> {
    let target = |kind, signal: &Signal| {
        if signal.enabled { Destination::of(settings, kind, signal) } else { Ok(None) }
    };
    let targets = [
        target(Kind::Traces, &settings.traces)?,
        target(Kind::Metrics, &settings.metrics)?,
        target(Kind::Logs, &settings.logs)?,
    ];
    #[cfg(feature = "__tls")]
    crate::security::check(settings, &targets)?;
    bounds(settings)?;
    Ok(targets)
}

impl Otlp {
    /// Exports `***` for what `hides` says yes to by its name: attributes of spans, of their events and links, and of log
    /// records. It holds for all that is taken from this handle afterwards.
    #[must_use]
    pub fn redact(self, hides: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { redact: Redact::new(hides), ..self }
    }

    /// Where finished spans go.
    #[must_use]
    pub fn spans(&self) -> Spans {
        Spans::new(self.lanes.traces.clone(), self.limits, self.redact.clone())
    }

    /// Where log records go that are no events of `tracing`.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs::new(self.lanes.logs.clone(), self.redact.clone())
    }

    /// What decides which traces are recorded.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.sampler.clone()
    }

    /// A layer for `tracing` that exports spans and, when logs are on, events. It belongs above
    /// [`prodkit_trace::Layer`], from which spans have their ids.
    #[must_use]
    pub fn layer(&self) -> Layer {
        Layer::new(self.lanes.traces.clone(), self.lanes.logs.clone(), self.limits, self.redact.clone())
    }

    /// A provider for code that traces through the `opentelemetry` API: see [`otel`](crate::otel). Not set anywhere:
    /// that is up to whoever owns the process ([`opentelemetry::global::set_tracer_provider`]).
    #[must_use]
    pub fn tracer_provider(&self) -> crate::otel::TracerProvider {
        crate::otel::tracer_provider(self.spans(), self.sampler(), &self.limits)
    }

    /// Whether metrics are exported.
    #[must_use]
    pub fn exports_metrics(&self) -> bool {
        self.lanes.metrics.is_some()
    }

    /// What became of everything offered so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lanes.stats()
    }

    /// Sends what waits, all signals at once, and ends exporting after `budget` at the latest. What has not been
    /// delivered by then is written off; the report accounts for all of it, and for everything before.
    ///
    /// It waits for its own thread only, and needs no runtime, timer or second worker from the caller: any executor will
    /// do, `current_thread` too. A second call waits for the end that the first one began, whose budget counts.
    ///
    /// Cancel safe: dropped, the flush goes on in the background, and another call returns its report.
    pub async fn shutdown(&self, budget: Duration) -> Report {
        match &self.ending {
            Some(ending) => ending.begin(budget, &self.lanes).await,
            None => Report::default(),
        }
    }
}

impl Lanes {
    pub(crate) fn stats(&self) -> Stats {
        let Self { traces, metrics, logs } = self;
        Stats {
            traces: traces.as_ref().map(|queue| queue.tally()).unwrap_or_default(),
            metrics: metrics
                .as_ref()
                .map(|points| pipeline::with(points, |books| books.tally(0)))
                .unwrap_or_default(),
            logs: logs.as_ref().map(|queue| queue.tally()).unwrap_or_default(),
        }
    }

    pub(crate) fn losses(&self) -> Losses {
        let Stats { traces, metrics, logs } = self.stats();
        let all = [traces, metrics, logs];
        Losses { dropped: all.iter().map(|t| t.dropped).sum(), failed: all.iter().map(|t| t.failed).sum() }
    }

    /// Ends the books of all signals. Any number of times.
    pub(crate) fn close(&self) {
        let Self { traces, metrics, logs } = self;
        if let Some(queue) = traces {
            queue.close();
        }
        if let Some(points) = metrics {
            pipeline::with(points, crate::books::Books::close);
        }
        if let Some(queue) = logs {
            queue.close();
        }
    }

    pub(crate) fn report(&self, took: Duration, cut_short: bool) -> Report {
        let on = [self.traces.is_some(), self.metrics.is_some(), self.logs.is_some()];
        Report { stats: self.stats(), took, cut_short, on }
    }
}

fn room(signal: &Signal) -> Bounds {
    let batch = &signal.batch;
    Bounds { items: batch.queue, bytes: batch.bytes, batch: batch.size.min(batch.queue) }
}

/// A zero here would mean a loop without a pause, or telemetry that is always lost.
fn bounds(settings: &Settings) -> Result<(), ErrorKind> {
    let Settings { timeout, metric_interval, traces, metrics, logs, .. } = settings;
    let mut zeros = vec![(timeout.is_zero(), "timeout"), (metric_interval.is_zero(), "metric interval")];
    for signal in [traces, metrics, logs] {
        let batch = &signal.batch;
        zeros.extend([
            (signal.timeout.is_some_and(|timeout| timeout.is_zero()), "timeout of a signal"),
            (batch.size == 0, "batch size"),
            (batch.queue == 0, "queue size"),
            (batch.bytes == 0, "queue size in bytes"),
            (batch.timeout.is_some_and(|timeout| timeout.is_zero()), "timeout of a batch"),
        ]);
    }
    match zeros.into_iter().find(|(zero, _)| *zero) {
        Some((_, what)) => Err(ErrorKind::Zero(what)),
        None => Ok(()),
    }
}
