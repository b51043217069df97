//! What is known of each server that is called.

use super::breaker::{Breaker, Circuit, Ended, Leave};
use http::{Method, StatusCode, Uri};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const DURATION: &str = "http_client_request_duration_seconds";
const ACTIVE: &str = "http_client_active_requests";
const OPEN: &str = "http_client_circuit_open";
pub(super) const RETRIES: &str = "http_client_retries_total";

/// Hosts may come from a request: those in excess share their metrics and their circuit.
const MAX_TARGETS: usize = 200;
const OVERFLOW: &str = "_OTHER";

/// All servers under one layer.
pub(super) struct Targets {
    recorder: Arc<dyn Recorder + Send + Sync>,
    breaker: Option<Breaker>,
    known: Servers<Target>,
}

/// What is known of each server, by host and port.
pub(super) struct Servers<T>(Mutex<HashMap<Arc<str>, Arc<T>>>);

impl<T> Servers<T> {
    /// Made where it is not known yet; with a name of its own, or with one for all that are too many.
    pub(super) fn of(&self, uri: &Uri, make: impl FnOnce(&Arc<str>) -> T) -> Arc<T> {
        let server = server(uri);
        let mut known = lock(&self.0);
        if let Some(server) = known.get(&*server) {
            return server.clone();
        }
        let server: Arc<str> = if known.len() < MAX_TARGETS { server.into() } else { OVERFLOW.into() };
        let made = || Arc::new(make(&server));
        known.entry(Arc::clone(&server)).or_insert_with(made).clone()
    }
}

impl<T> Default for Servers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// One server.
pub(super) struct Target {
    pub(super) server: Arc<str>,
    circuit: Option<Mutex<Circuit>>,
    active: Gauge,
    open: Gauge,
    durations: Mutex<HashMap<(&'static str, Outcome), Histogram>>,
    recorder: Arc<dyn Recorder + Send + Sync>,
}

/// How a call ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Answered(StatusCode),
    Error,
    TimedOut,
    Open,
    Dropped,
}

impl Targets {
    pub(super) fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        let what = "Time from a request to the head of its response.";
        recorder.describe_histogram(DURATION.into(), Some(Unit::Seconds), what.into());
        recorder.describe_gauge(
            ACTIVE.into(),
            Some(Unit::Count),
            "Requests that wait for their response.".into(),
        );
        recorder.describe_gauge(OPEN.into(), Some(Unit::Count), "Whether nothing is sent for now.".into());
        Self { recorder, breaker: None, known: Servers::default() }
    }

    pub(super) fn with_breaker(&self, breaker: Breaker) -> Self {
        Self { recorder: self.recorder.clone(), breaker: Some(breaker), known: Servers::default() }
    }

    pub(super) fn of(&self, uri: &Uri) -> Arc<Target> {
        self.known.of(uri, |server| Target::new(server.clone(), self.breaker, self.recorder.clone()))
    }
}

/// Host and port, by which a target is known.
pub(super) fn server(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("unknown").to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{host}:{port}")
}

impl Target {
    fn new(server: Arc<str>, breaker: Option<Breaker>, recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        let gauge = |name: &'static str| {
            recorder.register_gauge(&Key::from_parts(name, vec![label(&server)]), &METADATA)
        };
        let (active, open) = (gauge(ACTIVE), gauge(OPEN));
        if breaker.is_some() {
            open.set(0.0);
        }
        Self {
            circuit: breaker.map(|breaker| Mutex::new(Circuit::new(breaker, Instant::now()))),
            active,
            open,
            durations: Mutex::default(),
            recorder,
            server,
        }
    }

    /// Leave for one call, if it may be made.
    pub(super) fn ask(&self, now: Instant) -> Result<Option<Leave>, Duration> {
        let Some(circuit) = &self.circuit else { return Ok(None) };
        lock(circuit).ask(now).map(Some)
    }

    pub(super) fn begin(&self) {
        self.active.increment(1.0);
    }

    pub(super) fn end(&self, leave: Option<Leave>, ended: Ended, now: Instant) {
        self.active.decrement(1.0);
        if let Some((circuit, leave)) = self.circuit.as_ref().zip(leave) {
            let (was, is) = {
                let mut circuit = lock(circuit);
                let was = circuit.is_open();
                circuit.end(leave, ended, now);
                (was, circuit.is_open())
            };
            if was != is {
                self.open.set(f64::from(u8::from(is)));
                let server = &*self.server;
                if is {
                    tracing::warn!(server, "circuit opened: it fails too often");
                } else {
                    tracing::info!(server, "circuit closed: it answers again");
                }
            }
        }
    }

    pub(super) fn measure(&self, method: &Method, outcome: Outcome, took: Duration) {
        let method = known(method);
        let histogram = {
            let mut durations = lock(&self.durations);
            durations.entry((method, outcome)).or_insert_with(|| self.histogram(method, outcome)).clone()
        };
        histogram.record(took.as_secs_f64());
    }

    fn histogram(&self, method: &'static str, outcome: Outcome) -> Histogram {
        let status = match outcome {
            Outcome::Answered(status) => SharedString::from(status.as_str().to_owned()),
            Outcome::Error => "error".into(),
            Outcome::TimedOut => "timeout".into(),
            Outcome::Open => "open".into(),
            Outcome::Dropped => "dropped".into(),
        };
        let labels = vec![
            label(&self.server),
            Label::from_static_parts("method", method),
            Label::new("status", status),
        ];
        self.recorder.register_histogram(&Key::from_parts(DURATION, labels), &METADATA)
    }
}

pub(super) fn label(server: &Arc<str>) -> Label {
    Label::new("server", SharedString::from(Arc::clone(server)))
}

pub(super) const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Any other token is `_OTHER`, as OpenTelemetry has it.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

pub(super) fn retries(recorder: &dyn Recorder, outcome: &'static str) -> Counter {
    recorder.describe_counter(
        RETRIES.into(),
        Some(Unit::Count),
        "Retries, and those the budget did not allow.".into(),
    );
    let labels = vec![Label::from_static_parts("outcome", outcome)];
    recorder.register_counter(&Key::from_parts(RETRIES, labels), &METADATA)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
