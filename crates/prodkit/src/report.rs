//! How the end went: one line, in Kubernetes the termination message too, and the exit code.

use std::future::Future;
use std::time::Duration;

use prodkit_http::Drained;
use prodkit_shutdown::Cause;
use prodkit_tasks::{Ended, Exit as TaskExit};
use tokio::time::Instant;

use crate::environment::Environment;
use crate::exit::Exit;
use crate::telemetry::Telemetry;

/// Where the kubelet looks for last words (`terminationMessagePath`), of which it keeps 4,096 bytes.
const TERMINATION_MESSAGE: &str = "/dev/termination-log";

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
}

impl Report {
    pub(crate) fn begin(cause: Cause, begun: Instant) -> Self {
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
        } else if matches!(self.cause, Cause::TaskFailed { .. }) {
            Exit::Task
        } else {
            Exit::Clean
        }
    }

    /// One line in the log; in Kubernetes the same for `kubectl describe pod`, where the file can be written.
    pub(crate) fn write(&self, exit: Exit, telemetry: &Telemetry, environment: &Environment) {
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
        if environment.in_kubernetes() && exit != Exit::Clean {
            let message = format!(
                "exit {}: {cause}; abandoned: [{abandoned}]; failed: [{failed}]; requests cut: {}",
                exit as i32, self.requests_cut
            );
            // A read-only root file system without the mount, or no such file: the log line has it all.
            let _ = std::fs::write(TERMINATION_MESSAGE, message);
        }
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
