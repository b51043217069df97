//! How the end went: one line, metrics, the termination message, and the exit code.

use std::future::Future;
use std::time::Duration;

use prodkit_http::Drained;
use prodkit_metrics::Recorder;
use prodkit_shutdown::Cause;
use prodkit_tasks::{Ended, Exit as TaskExit};
use tokio::time::Instant;

use crate::exit::Exit;
use crate::telemetry::Telemetry;

/// What is told of a shutdown, as it goes on.
#[derive(Debug)]
pub(crate) struct Report {
    cause: Cause,
    begun: Instant,
    delay: Duration,
    drain: Duration,
    tasks: Duration,
    flush: Duration,
    abandoned: Vec<&'static str>,
    failed: Vec<&'static str>,
    requests_cut: usize,
    connections_cut: usize,
    telemetry: Option<String>,
    /// Why it did not start.
    pub(crate) failure: Option<String>,
    /// What the process was there for, if it was one thing.
    job: Option<&'static str>,
}

impl Report {
    pub(crate) fn begin(cause: Cause, begun: Instant, job: Option<&'static str>) -> Self {
        Self {
            cause,
            begun,
            delay: Duration::ZERO,
            drain: Duration::ZERO,
            tasks: Duration::ZERO,
            flush: Duration::ZERO,
            abandoned: Vec::new(),
            failed: Vec::new(),
            requests_cut: 0,
            connections_cut: 0,
            telemetry: None,
            failure: None,
            job,
        }
    }

    pub(crate) async fn delay(&mut self, phase: impl Future<Output = ()>) {
        timed(&mut self.delay, phase).await;
    }

    pub(crate) async fn drain(&mut self, phase: impl Future<Output = Option<Drained>>) {
        if let Some(drained) = timed(&mut self.drain, phase).await {
            self.requests_cut = drained.requests_cut;
            self.connections_cut = drained.connections_cut;
        }
    }

    pub(crate) async fn tasks(&mut self, phase: impl Future<Output = Vec<Ended>>) {
        for ended in timed(&mut self.tasks, phase).await {
            match ended.exit {
                TaskExit::Abandoned => self.abandoned.push(ended.name),
                exit if !exit.is_clean() => self.failed.push(ended.name),
                _ => {}
            }
        }
    }

    #[cfg(feature = "otlp")]
    pub(crate) async fn flush(&mut self, telemetry: &Telemetry, deadline: Instant) {
        let Some(otlp) = &telemetry.otlp else { return };
        let report = otlp.shutdown(deadline.saturating_duration_since(Instant::now())).await;
        self.flush = report.took;
        self.telemetry = Some(report.to_string());
    }

    #[cfg(not(feature = "otlp"))]
    pub(crate) async fn flush(&mut self, _: &Telemetry, _: Instant) {}

    /// What is left to say about an end that began well.
    pub(crate) fn exit(&self) -> Exit {
        if !self.abandoned.is_empty() || self.requests_cut > 0 {
            Exit::Incomplete
        } else if self.job.is_some_and(|job| self.failed.contains(&job)) {
            Exit::App
        } else if matches!(self.cause, Cause::TaskFailed { .. }) {
            Exit::Task
        } else {
            Exit::Clean
        }
    }

    /// As metrics, in time for the last export of them; that itself can only be in the line.
    pub(crate) fn record(&self, metrics: &Recorder) {
        let Self { delay, drain, tasks, .. } = self;
        metrics.describe("prodkit_shutdown_phase_seconds", None, "How long each phase of the shutdown took.");
        metrics.describe("prodkit_shutdown_cut", None, "What the shutdown did not wait for, by what it was.");
        for (phase, took) in [("delay", delay), ("drain", drain), ("tasks", tasks)] {
            metrics.gauge("prodkit_shutdown_phase_seconds", &[("phase", phase)]).set(took.as_secs_f64());
        }
        let cut = [
            ("requests", self.requests_cut),
            ("connections", self.connections_cut),
            ("tasks", self.abandoned.len()),
        ];
        for (what, count) in cut {
            metrics.gauge("prodkit_shutdown_cut", &[("what", what)]).set(count as f64);
        }
    }

    /// One line in the log, and in Kubernetes another for `kubectl describe pod`.
    pub(crate) fn write(&self, exit: Exit, telemetry: &Telemetry) {
        let Self { cause, begun, delay, drain, tasks, flush, .. } = self;
        let took = begun.elapsed();
        let (abandoned, failed) = (self.abandoned.join(","), self.failed.join(","));
        let lines_dropped = telemetry.log.stats().dropped;
        tracing::info!(
            %cause,
            exit_code = exit as i32,
            took_ms = millis(took),
            delay_ms = millis(*delay),
            drain_ms = millis(*drain),
            tasks_ms = millis(*tasks),
            flush_ms = millis(*flush),
            abandoned = named(&abandoned),
            failed = named(&failed),
            requests_cut = self.requests_cut,
            connections_cut = self.connections_cut,
            telemetry = self.telemetry,
            lines_dropped,
            "stopped"
        );
        telemetry.last_words.write(&self.words(exit, took));
    }

    /// `exit 3 (SIGTERM) after 25.0s: delay 5.0s, drain 18.0s, tasks 0.0s, flush 2.0s; abandoned: relay; requests cut: 1`.
    fn words(&self, exit: Exit, took: Duration) -> String {
        let Self { cause, delay, drain, tasks, flush, .. } = self;
        if let Some(failure) = &self.failure {
            return format!("exit {}: failed to start: {failure}", exit as i32);
        }
        let mut words = format!(
            "exit {} ({cause}) after {:.1}s: delay {:.1}s, drain {:.1}s, tasks {:.1}s, flush {:.1}s",
            exit as i32,
            took.as_secs_f64(),
            delay.as_secs_f64(),
            drain.as_secs_f64(),
            tasks.as_secs_f64(),
            flush.as_secs_f64(),
        );
        for (what, names) in [("abandoned", &self.abandoned), ("failed", &self.failed)] {
            if !names.is_empty() {
                words.push_str(&format!("; {what}: {}", names.join(", ")));
            }
        }
        for (what, count) in [("requests", self.requests_cut), ("connections", self.connections_cut)] {
            if count > 0 {
                words.push_str(&format!("; {what} cut: {count}"));
            }
        }
        words
    }
}

/// Nothing, where there is nobody to name.
fn named(names: &str) -> Option<&str> {
    Some(names).filter(|names| !names.is_empty())
}

async fn timed<T>(took: &mut Duration, phase: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = phase.await;
    *took = begun.elapsed();
    result
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
