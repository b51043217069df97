//! Log, metrics, OTLP, and who else is told how it goes, out of the settings; values only, nothing global.

use std::io::IsTerminal as _;
use std::time::Duration;

use prodkit_log::Log;
use prodkit_metrics::{Buckets, ExemplarFilter, Recorder, Select};

use crate::certificates::Certificates;
use crate::debug::DebugTraces;
use crate::environment::Environment;
use crate::error::StartError;
use crate::identity::Identity;
use crate::last_words::LastWords;
use crate::settings::{self, Exemplars, LogFormat, LogLevel, Settings};
use crate::systemd::Supervisor;

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_millis(500);

pub(crate) struct Telemetry {
    pub(crate) log: Log,
    pub(crate) metrics: Recorder,
    #[cfg(feature = "otlp")]
    pub(crate) otlp: Option<std::sync::Arc<prodkit_otlp::Otlp>>,
    /// Whether the sampling ratio follows the settings.
    #[cfg(feature = "otlp")]
    pub(crate) ratio_moves: bool,
    /// Traces that are looked at closely.
    pub(crate) debug: DebugTraces,
    /// The formats in which traces come and go.
    pub(crate) propagators: prodkit_trace::Propagators,
    pub(crate) last_words: LastWords,
    pub(crate) supervisor: Supervisor,
    /// What there was to say before there was a log.
    pub(crate) warnings: Vec<String>,
}

impl Telemetry {
    /// Starts the log writer and, where an endpoint is set, the OTLP runtime. Never waits for a network.
    pub(crate) fn start(
        settings: &Settings,
        identity: &Identity,
        environment: &Environment,
        buckets: &[(&'static str, &[f64])],
        certificates: &mut Certificates,
    ) -> Result<(Self, prodkit_log::Layer), StartError> {
        let (layer, log) = start_log(settings)?;
        let mut warnings = Vec::new();
        let metrics = recorder(settings, environment, buckets, &mut warnings)?;
        #[cfg(feature = "otlp")]
        let otlp =
            crate::otlp::start(settings, identity, environment, &metrics, certificates, &mut warnings)?;
        #[cfg(feature = "otlp")]
        let otlp = otlp.map(|otlp| {
            let log = log.clone();
            std::sync::Arc::new(otlp.redact(move |name| log.redacts(name)))
        });
        #[cfg(not(feature = "otlp"))]
        {
            let _ = certificates;
            crate::otlp::refuse(settings, environment, &mut warnings)?;
        }
        let propagators = crate::propagation::propagators(environment, &mut warnings);
        let supervisor = Supervisor::find(environment, &mut warnings);
        let telemetry = Self {
            debug: DebugTraces::new(settings.log.debug_key.clone(), log.clone()),
            propagators,
            log,
            metrics,
            #[cfg(feature = "otlp")]
            otlp,
            #[cfg(feature = "otlp")]
            ratio_moves: crate::otlp::ratio_moves(environment),
            last_words: LastWords::new(settings.shutdown.termination_message_path.as_deref(), environment),
            supervisor,
            warnings,
        };
        telemetry.describe(identity);
        Ok((telemetry, layer))
    }

    /// Writes what is still to be written; nothing can be logged afterwards.
    pub(crate) fn close(&self) {
        self.log.shutdown(LAST_LINES);
    }

    /// Whether metrics go to a collector, besides being there for the asking.
    pub(crate) fn pushes_metrics(&self) -> bool {
        #[cfg(feature = "otlp")]
        return self.otlp.as_deref().is_some_and(prodkit_otlp::Otlp::exports_metrics);
        #[cfg(not(feature = "otlp"))]
        false
    }

    fn describe(&self, identity: &Identity) {
        self.metrics.describe("prodkit_build_info", None, "The build that is running; always 1.");
        let labels: Vec<_> = identity.build_labels();
        self.metrics.gauge("prodkit_build_info", &labels).set(1.0);
    }
}

fn start_log(settings: &Settings) -> Result<(prodkit_log::Layer, Log), StartError> {
    let format = match settings.log.format {
        LogFormat::Auto => prodkit_log::Format::Auto.resolve(std::io::stdout().is_terminal()),
        LogFormat::Json => prodkit_log::Format::Json,
        LogFormat::Console => prodkit_log::Format::Console,
    };
    let LogLevel(filter) = settings.log.level.get().clone();
    let mut options = prodkit_log::Options::default()
        .format(format)
        .filter(filter)
        .max_line(settings.log.max_line.as_usize())
        .buffer_bytes(settings.log.buffer.as_usize())
        .redact_too(&settings.log.redact);
    if let Some(lines) = settings.log.rate_limit {
        options = options.rate_limit(lines.get(), Duration::from_secs(1));
    }
    if let Some(on) = settings.log.stacktrace {
        options = options.stacktrace(on);
    }
    let log = prodkit_log::stdout().and_then(|stdout| prodkit_log::start(options, stdout));
    log.map_err(|error| StartError::setup("the log")(error.into()))
}

fn recorder(
    settings: &Settings,
    environment: &Environment,
    buckets: &[(&'static str, &[f64])],
    warnings: &mut Vec<String>,
) -> Result<Recorder, StartError> {
    let settings::Metrics { max_series, native_histograms, expire_idle, .. } = settings.metrics;
    let mut options = prodkit_metrics::Options::new()
        .max_series(max_series.get())
        .exponential(native_histograms)
        // the guide's histogram is by method and route, and the client libraries' counter is one; exporters need more
        .shown_without("http_request_duration_seconds", "status")
        .shown_without("process_cpu_seconds_total", "mode")
        .exemplars(exemplars(settings, environment, warnings));
    #[cfg(feature = "otlp")]
    {
        options = crate::otlp::recorded(options, settings, environment)?;
    }
    if let Some(after) = expire_idle {
        options = options.expire_idle(after);
    }
    for (name, bounds) in buckets {
        let buckets = Buckets::new(bounds)
            .map_err(|error| StartError::Misuse(format!("the buckets of {name}: {error}")))?;
        options = options.buckets_for(Select::name(*name), buckets);
    }
    Ok(Recorder::new(options))
}

/// What is remembered, by the variable of the specification and the setting that says the same.
fn exemplars(settings: &Settings, environment: &Environment, warnings: &mut Vec<String>) -> ExemplarFilter {
    const VARIABLE: &str = "OTEL_METRICS_EXEMPLAR_FILTER";
    let said = environment.get(VARIABLE).filter(|_| !environment.outranks("metrics.exemplars"));
    match said.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Some("trace_based") => return ExemplarFilter::TraceBased,
        Some("always_on") => return ExemplarFilter::AlwaysOn,
        Some("always_off") => return ExemplarFilter::AlwaysOff,
        Some("") | None => {}
        Some(_) => warnings
            .push(format!("{VARIABLE} is ignored: it is none of trace_based, always_on and always_off")),
    }
    match settings.metrics.exemplars {
        Exemplars::TraceBased => ExemplarFilter::TraceBased,
        Exemplars::AlwaysOn => ExemplarFilter::AlwaysOn,
        Exemplars::AlwaysOff => ExemplarFilter::AlwaysOff,
    }
}
