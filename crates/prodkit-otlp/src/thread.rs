//! The thread that exports, and its end.

use crate::delivery::Delivery;
use crate::encode::metrics::Shape;
use crate::end::End;
use crate::endpoint::Destination;
use crate::error::Kind as ErrorKind;
use crate::otlp::Lanes;
use crate::outage::Outage;
use crate::pipeline::{self, Export};
use crate::settings::Signal;
use crate::signal::Kind;
use crate::transport::{How, Transport};
use crate::{Report, Resource, Settings, encode};
use opentelemetry::{Context, ContextGuard};
use prodkit_metrics::Recorder;
use prost::Message;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// The name of the thread and of the few that resolve host names for it.
const NAME: &str = "prodkit-otlp";

/// Everything the thread needs.
pub(crate) struct Work {
    pub(crate) settings: Settings,
    pub(crate) resource: Resource,
    pub(crate) traces: Option<Destination>,
    pub(crate) metrics: Option<(Destination, Recorder)>,
    pub(crate) logs: Option<Destination>,
    pub(crate) lanes: Arc<Lanes>,
}

/// The handle's side of the thread's end. Dropping it is an end without a budget.
#[derive(Debug)]
pub(crate) struct Ending {
    end: Arc<End>,
    report: watch::Receiver<Option<Report>>,
}

pub(crate) fn start(work: Work) -> Result<Ending, ErrorKind> {
    // one thread, blocking only to resolve host names: its pool dies by itself when idle
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(NAME)
        .max_blocking_threads(2)
        .on_thread_start(suppress)
        .on_thread_stop(|| drop(SUPPRESSED.try_with(RefCell::take)))
        .build()
        .map_err(ErrorKind::Thread)?;
    let end = Arc::new(End::default());
    let (reporter, report) = watch::channel(None);
    let run = {
        let end = end.clone();
        move || {
            // a local, so that a panic ends it before the thread's own destructors run
            let suppressed = Context::enter_telemetry_suppressed_scope();
            let lanes = work.lanes.clone();
            let finished = runtime.block_on(work.run(&end));
            lanes.close();
            reporter.send_replace(Some(lanes.report(end.elapsed(), !finished)));
            drop(suppressed);
            // a host name may be being resolved: nobody waits for that
            runtime.shutdown_background();
        }
    };
    std::thread::Builder::new().name(NAME.to_owned()).spawn(run).map_err(ErrorKind::Thread)?;
    Ok(Ending { end, report })
}

thread_local! {
    static SUPPRESSED: RefCell<Option<ContextGuard>> = const { RefCell::new(None) };
}

/// Keeps what a thread that resolves names does out of the telemetry: an export that is traced is never done.
fn suppress() {
    SUPPRESSED.with_borrow_mut(|guard| *guard = Some(Context::enter_telemetry_suppressed_scope()));
}

impl Ending {
    pub(crate) async fn begin(&self, budget: Duration, lanes: &Lanes) -> Report {
        self.end.begin(budget);
        let mut report = self.report.clone();
        let found = report.wait_for(Option::is_some).await.ok().and_then(|report| *report);
        // without its thread, nothing more will be sent
        found.unwrap_or_else(|| {
            lanes.close();
            lanes.report(Duration::ZERO, true)
        })
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.end.begin(Duration::ZERO);
    }
}

impl Work {
    /// Whether there is anything to do.
    pub(crate) fn is_some(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some() || self.logs.is_some()
    }

    /// Exports until closing, then what is left; `false` when the budget ended that.
    async fn run(self, end: &Arc<End>) -> bool {
        let Self { settings, resource, traces, metrics, logs, lanes } = self;
        let encoded = resource.proto().encode_to_vec();
        let limits = &settings.limits;
        let outage = Arc::new(Mutex::new(Outage::default()));
        let delivery = |kind, signal: &Signal, to: Destination, patience: Option<Duration>| {
            let timeout = signal.timeout.unwrap_or(settings.timeout);
            let most = settings.retry.max_elapsed_time.max(timeout);
            let how = How {
                kind,
                headers: signal.headers.as_ref().unwrap_or(&settings.headers),
                compression: signal.compression.unwrap_or(settings.compression),
                timeout,
            };
            let lanes = lanes.clone();
            Delivery {
                kind,
                to: to.name(),
                transport: Transport::new(to, &how),
                retry: settings.retry.enabled.then_some(settings.retry.max_elapsed_time),
                patience: patience.map_or(most, |patience| patience.min(most)),
                end: end.clone(),
                outage: outage.clone(),
                losses: Arc::new(move || lanes.losses()),
            }
        };

        let traces = async {
            if let (Some(target), Some(queue)) = (traces, &lanes.traces) {
                let batch = &settings.traces.batch;
                let delivery = delivery(Kind::Traces, &settings.traces, target, batch.timeout);
                let encode = |spans: &[_]| encode::traces::request(&encoded, spans, limits);
                pipeline::items(queue, &delivery, batch.delay, encode).await;
            }
        };
        let logs = async {
            if let (Some(target), Some(queue)) = (logs, &lanes.logs) {
                let batch = &settings.logs.batch;
                let delivery = delivery(Kind::Logs, &settings.logs, target, batch.timeout);
                let encode = |records: &[_]| encode::logs::request(&encoded, records, limits);
                pipeline::items(queue, &delivery, batch.delay, encode).await;
            }
        };
        let metrics = async {
            if let (Some((target, recorder)), Some(points)) = (metrics, &lanes.metrics) {
                let interval = settings.metric_interval;
                let patience =
                    settings.metrics.batch.timeout.map_or(interval, |timeout| timeout.min(interval));
                let delivery = &delivery(Kind::Metrics, &settings.metrics, target, Some(patience));
                let export = Export {
                    recorder: &recorder,
                    resource: &encoded,
                    delivery,
                    points,
                    shape: Shape { temporality: settings.temporality, histograms: settings.histograms },
                    memory: Mutex::default(),
                };
                pipeline::points(export, interval).await;
            }
        };
        tokio::select! {
            biased;
            _ = async { tokio::join!(traces, metrics, logs) } => true,
            () = end.over() => false,
        }
    }
}
