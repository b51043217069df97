//! The main runtime, as tokio itself counts: what is stable of `tokio::runtime::RuntimeMetrics`.

use prodkit_metrics::{Counter, Gauge, Recorder, TimeCounter};
use tokio::runtime::Handle;

const ALIVE: &str = "prodkit_runtime_alive_tasks";
const WORKERS: &str = "prodkit_runtime_workers";
const QUEUE: &str = "tokio_global_queue_depth";
const BUSY: &str = "tokio_worker_busy_seconds_total";
const PARKS: &str = "tokio_worker_parks_total";

/// Read when somebody looks.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: Handle,
    alive: Gauge,
    workers: Gauge,
    queue: Gauge,
    /// How long each worker was busy, and how often it went to sleep.
    each: Vec<(TimeCounter, Counter)>,
}

impl Runtime {
    pub(super) fn new(recorder: &Recorder, handle: Handle) -> Self {
        for (name, help) in [
            (ALIVE, "Tasks alive on the main runtime."),
            (WORKERS, "Worker threads of the main runtime."),
            (QUEUE, "Tasks that wait for any worker of the main runtime."),
            (BUSY, "How long a worker of the main runtime was busy, in seconds."),
            (PARKS, "How often a worker of the main runtime had nothing to do."),
        ] {
            recorder.describe(name, None, help);
        }
        let each = (0..handle.metrics().num_workers()).map(|worker| {
            let worker = worker.to_string();
            let labels = [("worker", worker.as_str())];
            (recorder.time_counter(BUSY, &labels), recorder.counter(PARKS, &labels))
        });
        Self {
            alive: recorder.gauge(ALIVE, &[]),
            workers: recorder.gauge(WORKERS, &[]),
            queue: recorder.gauge(QUEUE, &[]),
            each: each.collect(),
            handle,
        }
    }

    pub(super) fn refresh(&self) {
        let metrics = self.handle.metrics();
        self.alive.set(metrics.num_alive_tasks() as f64);
        self.workers.set(metrics.num_workers() as f64);
        self.queue.set(metrics.global_queue_depth() as f64);
        // counters of tokio are 64 bits wide where the machine has such, and these are there only then
        #[cfg(target_has_atomic = "64")]
        for (worker, (busy, parks)) in self.each.iter().enumerate() {
            busy.absolute(metrics.worker_total_busy_duration(worker));
            parks.absolute(metrics.worker_park_count(worker));
        }
    }
}
