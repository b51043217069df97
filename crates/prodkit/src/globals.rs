//! The one file that sets what exists once per process: subscriber, recorder, OpenTelemetry's provider and propagator, panic
//! hook, signal handlers, exit code.

use std::io;
use std::time::Duration;

use prodkit_log::Log;
use prodkit_shutdown::Signals;
use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use crate::error::StartError;
use crate::exit::Exit;
use crate::telemetry::Telemetry;

/// How long the last lines may take when the process is ended from outside of its own story.
const LAST_LINES: Duration = Duration::from_millis(50);

/// Makes this telemetry the one of the process.
///
/// Fails, with nothing half installed that matters, when the program has a subscriber or a recorder of its own already.
pub(crate) fn install(telemetry: &Telemetry, log: prodkit_log::Layer) -> Result<(), StartError> {
    let subscriber = tracing_subscriber::registry().with(ids(telemetry)).with(exporter(telemetry)).with(log);
    tracing::subscriber::set_global_default(subscriber).map_err(|error| {
        StartError::setup("the log: this program has a tracing subscriber of its own")(error.into())
    })?;
    prodkit_log::install_log_bridge()
        .map_err(|error| StartError::setup("the bridge from the log crate")(error.into()))?;
    metrics::set_global_recorder(telemetry.metrics.clone())
        .map_err(|_| StartError::Misuse("this program has a metrics recorder of its own".to_owned()))?;
    telemetry.propagators.install();
    opentelemetry(telemetry);
    telemetry.metrics.describe("prodkit_panics_total", None, "Panics, caught or not.");
    panic_hook(telemetry);
    Ok(())
}

type Traced = Layered<prodkit_trace::Layer, Registry>;

/// Ids for spans; those outside of any request are sampled as requests are.
#[cfg(feature = "otlp")]
fn ids(telemetry: &Telemetry) -> prodkit_trace::Layer {
    let ids = prodkit_trace::Layer::new();
    match telemetry.otlp.as_deref().map(prodkit_otlp::Otlp::sampler) {
        Some(sampler) => ids.sample_roots(move |trace| sampler.sample(trace, None)),
        None => ids,
    }
}

#[cfg(not(feature = "otlp"))]
fn ids(_: &Telemetry) -> prodkit_trace::Layer {
    prodkit_trace::Layer::new()
}

#[cfg(feature = "otlp")]
fn exporter(telemetry: &Telemetry) -> Option<impl Layer<Traced> + use<>> {
    telemetry.otlp.as_deref().map(prodkit_otlp::Otlp::layer)
}

#[cfg(not(feature = "otlp"))]
fn exporter(_: &Telemetry) -> Option<Box<dyn Layer<Traced> + Send + Sync>> {
    None
}

/// What libraries find that are instrumented with the `opentelemetry` API: our provider and our formats.
#[cfg(feature = "otlp")]
fn opentelemetry(telemetry: &Telemetry) {
    if let Some(otlp) = telemetry.otlp.as_deref() {
        opentelemetry::global::set_tracer_provider(otlp.tracer_provider());
    }
    let propagator = prodkit_otlp::otel::Propagator::new(telemetry.propagators);
    opentelemetry::global::set_text_map_propagator(propagator);
}

#[cfg(not(feature = "otlp"))]
fn opentelemetry(_: &Telemetry) {}

/// A panic is a line like any other, with its trace, instead of text on standard error.
fn panic_hook(telemetry: &Telemetry) {
    let log = telemetry.log.clone();
    #[cfg(feature = "otlp")]
    let records = crate::otlp::Records::of(telemetry);
    let panics = metrics::counter!("prodkit_panics_total");
    std::panic::set_hook(Box::new(move |info| {
        panics.increment(1);
        let stack = prodkit_log::panic_line(&log, info);
        #[cfg(feature = "otlp")]
        if let Some(records) = &records {
            records.panic(info, &stack);
        }
        #[cfg(not(feature = "otlp"))]
        drop(stack);
    }));
}

/// The handlers of the process's signals; they stay installed, so that a second signal is never swallowed.
pub(crate) fn signals() -> io::Result<Signals> {
    Signals::install()
}

/// Ends the process from outside of its own story: user code blocks past the deadline, or a second signal came.
pub(crate) fn end_now(exit: Exit, log: &Log) -> ! {
    log.flush(LAST_LINES);
    #[expect(
        clippy::disallowed_methods,
        reason = "the watchdog is what may end a process that does not end itself"
    )]
    std::process::exit(exit as i32)
}
