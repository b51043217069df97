//! What the process, its limits and its runtime look like at the moment of a scrape.

mod runtime;

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prodkit_health::Health;
use prodkit_log::Log;
use prodkit_metrics::{Counter, Gauge, Recorder, TimeCounter, Unit};
use prodkit_process::{Limits, Usage};
use tokio::runtime::Handle;

use self::runtime::Runtime;
use crate::telemetry::Telemetry;

const CPU: &str = "process_cpu_seconds_total";
const LOG_LINES: &str = "prodkit_log_lines_total";

/// By check.
const CHECKS: [(&str, &str); 3] = [
    ("prodkit_check_streak", "How many results of a check in a row were equal."),
    ("prodkit_check_p99_seconds", "What 99 of 100 of the last runs of a check kept to; 0 before the first."),
    ("prodkit_check_last_transition_timestamp_seconds", "When a check changed last; 0 if it never did."),
];

/// Gauges that are set when somebody looks.
///
/// Names are those of the Prometheus client libraries (`process_*`).
#[derive(Debug)]
pub(crate) struct Gauges {
    recorder: Recorder,
    health: Health,
    resident: Gauge,
    virtual_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    /// User and system.
    cpu: [TimeCounter; 2],
    runtime: OnceLock<Runtime>,
    log: Log,
    log_lines: [Counter; 3],
    #[cfg(feature = "otlp")]
    otlp: Option<Exported>,
}

/// What became of the telemetry that was pushed, by signal.
#[cfg(feature = "otlp")]
#[derive(Debug)]
struct Exported {
    otlp: Arc<prodkit_otlp::Otlp>,
    /// Exported, dropped and failed items of traces, metrics and logs.
    items: [[Counter; 3]; 3],
    queued: [Gauge; 3],
}

impl Gauges {
    pub(crate) fn new(telemetry: &Telemetry, limits: Limits, health: Health) -> Self {
        let recorder = &telemetry.metrics;
        let described = |name: &'static str, help: &str| {
            let unit = name.ends_with("_bytes").then_some(Unit::Bytes);
            recorder.describe(name, unit, help);
            recorder.gauge(name, &[])
        };
        let gauges = Self {
            resident: described("process_resident_memory_bytes", "Resident memory size in bytes."),
            virtual_memory: described("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            open_fds: described("process_open_fds", "Number of open file descriptors."),
            max_fds: described("process_max_fds", "Maximum number of open file descriptors."),
            threads: described("process_threads", "Number of threads."),
            cpu: ["user", "system"].map(|mode| recorder.time_counter(CPU, &[("mode", mode)])),
            runtime: OnceLock::new(),
            log: telemetry.log.clone(),
            log_lines: ["written", "dropped", "suppressed"]
                .map(|outcome| recorder.counter(LOG_LINES, &[("outcome", outcome)])),
            #[cfg(feature = "otlp")]
            otlp: telemetry.otlp.clone().map(|otlp| Exported::new(recorder, otlp)),
            recorder: recorder.clone(),
            health,
        };
        if let Some(cpu) = limits.cpu {
            described("process_cpu_limit", "CPU time the control group may use per time, in cores.").set(cpu);
        }
        if let Some(memory) = limits.memory {
            described("process_memory_limit_bytes", "Memory the control group may use, in bytes.")
                .set(memory as f64);
        }
        if let Some(usage) = Usage::read() {
            let started = usage.started.duration_since(UNIX_EPOCH).unwrap_or_default();
            described("process_start_time_seconds", "Start time since 1970 in seconds.")
                .set(started.as_secs_f64());
        }
        for (name, help) in CHECKS {
            recorder.describe(name, None, help);
        }
        recorder.describe(LOG_LINES, None, "Log lines by what became of them.");
        recorder.describe(CPU, Some(Unit::Seconds), "User and system CPU time spent, in seconds.");
        gauges
    }

    /// Reads everything anew whenever somebody reads the metrics, by a scrape or for an export, as long as it is there.
    pub(crate) fn watched(self) -> Arc<Self> {
        let gauges = Arc::new(self);
        let watched = Arc::downgrade(&gauges);
        gauges.recorder.observe(move || {
            if let Some(gauges) = watched.upgrade() {
                gauges.refresh();
            }
        });
        gauges
    }

    /// The main runtime, once it exists.
    pub(crate) fn watch(&self, runtime: Handle) {
        // Set once; a second call would be a second runtime.
        let _ = self.runtime.set(Runtime::new(&self.recorder, runtime));
    }

    fn refresh(&self) {
        if let Some(usage) = Usage::read() {
            self.resident.set(usage.resident_bytes as f64);
            self.virtual_memory.set(usage.virtual_bytes as f64);
            self.open_fds.set(usage.open_fds as f64);
            self.threads.set(usage.threads as f64);
            if let Some(max) = usage.max_fds {
                self.max_fds.set(max as f64);
            }
            for (cpu, time) in self.cpu.iter().zip([usage.user_cpu, usage.system_cpu]) {
                cpu.absolute(time);
            }
        }
        let prodkit_log::Stats { written, dropped, suppressed, .. } = self.log.stats();
        for (counter, lines) in self.log_lines.iter().zip([written, dropped, suppressed]) {
            counter.absolute(lines);
        }
        #[cfg(feature = "otlp")]
        if let Some(exported) = &self.otlp {
            exported.refresh();
        }
        self.refresh_checks();
        if let Some(runtime) = self.runtime.get() {
            runtime.refresh();
        }
    }
}

impl Gauges {
    /// What each check remembers. Whether it is good is told at the moment when it changes.
    fn refresh_checks(&self) {
        let now = SystemTime::now();
        for check in self.health.readiness(Instant::now()).checks {
            let [streak, p99, changed] =
                CHECKS.map(|(name, _)| self.recorder.gauge(name, &[("check", &check.name)]));
            streak.set(f64::from(check.streak));
            p99.set(check.p99.unwrap_or_default().as_secs_f64());
            let since = check.since.and_then(|since| now.checked_sub(since));
            let since = since.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
            changed.set(since.unwrap_or_default().as_secs_f64());
        }
    }
}

#[cfg(feature = "otlp")]
impl Exported {
    fn new(recorder: &Recorder, otlp: Arc<prodkit_otlp::Otlp>) -> Self {
        const ITEMS: &str = "prodkit_otlp_items_total";
        const QUEUED: &str = "prodkit_otlp_queued_items";
        const SIGNALS: [&str; 3] = ["traces", "metrics", "logs"];
        recorder.describe(ITEMS, None, "Spans, data points and log records by what became of them.");
        recorder.describe(QUEUED, None, "Spans, data points and log records that wait or are in flight.");
        let item = |signal, outcome| recorder.counter(ITEMS, &[("signal", signal), ("outcome", outcome)]);
        Self {
            otlp,
            items: SIGNALS
                .map(|signal| ["exported", "dropped", "failed"].map(|outcome| item(signal, outcome))),
            queued: SIGNALS.map(|signal| recorder.gauge(QUEUED, &[("signal", signal)])),
        }
    }

    fn refresh(&self) {
        let prodkit_otlp::Stats { traces, metrics, logs, .. } = self.otlp.stats();
        for ((tally, items), queued) in [traces, metrics, logs].iter().zip(&self.items).zip(&self.queued) {
            for (counter, count) in items.iter().zip([tally.exported, tally.dropped, tally.failed]) {
                counter.absolute(count);
            }
            queued.set(tally.queued as f64);
        }
    }
}
