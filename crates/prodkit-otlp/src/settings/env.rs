//! The `OTEL_*` variables of the
//! [SDK](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) and
//! [exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/) specifications.

use super::{
    Batch, Compression, Exporter, Headers, Histograms, Limits, Protocol, Settings, Signal, Temporality, Tls,
};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What one variable of the environment was ignored for. Never holds the variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    variable: String,
    reason: &'static str,
}

impl Warning {
    pub(crate) fn new(variable: impl Into<String>, reason: &'static str) -> Self {
        Self { variable: variable.into(), reason }
    }

    /// The name of the variable.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.variable
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, reason } = self;
        write!(f, "{variable} is ignored: {reason}")
    }
}

/// Part of the specification and not done here, but for one value, if any, that says what is done anyway: whoever sets
/// another is told why, instead of left wondering.
const REFUSED: &[(&str, Option<&str>, &str)] = &[
    ("OTEL_CONFIG_FILE", None, "there is no declarative configuration; the settings of prodkit are the file"),
    ("OTEL_ENTITIES", None, "entities are not supported; OTEL_RESOURCE_ATTRIBUTES is"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", None, "there is no declarative configuration"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", None, "the setting admin.host says where /metrics is"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", None, "the setting admin.port says where /metrics is"),
    ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", None, "the methods of RFC 9110 and PATCH are known"),
    ("OTEL_LOG_LEVEL", None, "exporting is logged like everything else; the setting log.level has targets"),
    ("OTEL_SEMCONV_STABILITY_OPT_IN", Some("http"), "the stable conventions are what there is"),
    ("OTEL_EXPORTER_JAEGER_ENDPOINT", None, "Jaeger takes OTLP"),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", None, "the collector translates to Zipkin"),
];

/// Exports go to the collector directly: what a proxy for web traffic does with them is anybody's guess.
const PROXIES: &[&str] =
    &["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

impl Settings {
    /// Lays the environment over `base`: what a variable says wins, what none says stays.
    ///
    /// As the specification has it, an empty variable is an unset one, and a value that cannot be used is ignored with
    /// a warning. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` belong to
    /// [`Resource::detect`](crate::Resource::detect), `OTEL_METRICS_EXEMPLAR_FILTER` to whoever makes the recorder
    /// ([`prodkit_metrics::Options::exemplars`]). Naming an endpoint for logs, like `OTEL_LOGS_EXPORTER=otlp`, turns
    /// logs on.
    ///
    /// ```
    /// use prodkit_otlp::{Protocol, Settings};
    ///
    /// let (settings, warnings) = Settings::from_env(Settings::default(), |name| match name {
    ///     "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("collector:4317".into()),
    ///     "OTEL_EXPORTER_OTLP_PROTOCOL" => Some("carrier pigeon".into()),
    ///     _ => None,
    /// });
    /// assert_eq!(settings.endpoint.as_deref(), Some("collector:4317"));
    /// assert_eq!(warnings[0].variable(), "OTEL_EXPORTER_OTLP_PROTOCOL");
    /// ```
    pub fn from_env(base: Self, env: impl Fn(&str) -> Option<String>) -> (Self, Vec<Warning>) {
        let mut env = Env { get: env, warnings: Vec::new() };
        let mut settings = base;
        settings.read(&mut env);
        (settings, env.warnings)
    }

    fn read(&mut self, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        env.set(opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT, text, |value| self.endpoint = Some(value));
        env.set(opentelemetry_otlp::OTEL_EXPORTER_OTLP_PROTOCOL, protocol, |value| {
            self.protocol = Some(value);
        });
        env.set(opentelemetry_otlp::OTEL_EXPORTER_OTLP_HEADERS, headers, |value| self.headers = value);
        env.set(opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT, positive_millis, |value| {
            self.timeout = value;
        });
        env.set(opentelemetry_otlp::OTEL_EXPORTER_OTLP_COMPRESSION, compression, |value| {
            self.compression = value;
        });
        env.set("OTEL_EXPORTER_OTLP_INSECURE", boolean, |value| self.insecure = Some(value));
        self.tls.read("OTEL_EXPORTER_OTLP", env);

        self.traces.read("TRACES", env);
        self.metrics.read("METRICS", env);
        self.logs.read("LOGS", env);
        self.traces.batch.read("OTEL_BSP", env);
        self.logs.batch.read("OTEL_BLRP", env);
        env.set("OTEL_METRIC_EXPORT_INTERVAL", positive_millis, |value| self.metric_interval = value);
        env.set("OTEL_METRIC_EXPORT_TIMEOUT", positive_millis, |value| {
            self.metrics.batch.timeout = Some(value);
        });
        env.set("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality, |value| {
            self.temporality = value;
        });
        env.set("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", histograms, |value| {
            self.histograms = value;
        });
        self.limits.read(env);
        self.sampling.read(env);

        env.set("OTEL_SDK_DISABLED", boolean, |disabled| {
            if disabled {
                for signal in [&mut self.traces, &mut self.metrics, &mut self.logs] {
                    signal.enabled = false;
                }
            }
        });
        for (name, done, reason) in REFUSED {
            let check = |text: &str| match done {
                Some(done) if text.eq_ignore_ascii_case(done) => Ok(()),
                _ => Err(*reason),
            };
            env.set(name, check, |()| {});
        }
        for name in PROXIES.iter().filter(|_| self.is_on()) {
            env.set(name, |_| Err("exports go to the collector directly, without a proxy"), |()| {});
        }
    }
}

impl Limits {
    fn read(&mut self, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        env.set("OTEL_ATTRIBUTE_COUNT_LIMIT", limit, |value| {
            for count in [
                &mut self.attributes,
                &mut self.event_attributes,
                &mut self.link_attributes,
                &mut self.log_attributes,
            ] {
                *count = value;
            }
        });
        env.set("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit, |value| {
            (self.value_length, self.log_value_length) = (Some(value), Some(value));
        });
        env.set("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit, |value| self.value_length = Some(value));
        env.set("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit, |value| {
            self.log_value_length = Some(value);
        });
        for (name, count) in [
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", &mut self.attributes),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", &mut self.events),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", &mut self.links),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", &mut self.event_attributes),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", &mut self.link_attributes),
            ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", &mut self.log_attributes),
        ] {
            env.set(name, limit, |value| *count = value);
        }
    }
}

impl Signal {
    fn read(&mut self, name: &str, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        let of = |option: &str| format!("OTEL_EXPORTER_OTLP_{name}_{option}");
        env.set(&of("ENDPOINT"), text, |value| {
            self.endpoint = Some(value);
            self.enabled = true;
        });
        env.set(&of("PROTOCOL"), protocol, |value| self.protocol = Some(value));
        env.set(&of("HEADERS"), headers, |value| self.headers = Some(value));
        env.set(&of("TIMEOUT"), positive_millis, |value| self.timeout = Some(value));
        env.set(&of("COMPRESSION"), compression, |value| self.compression = Some(value));
        env.set(&of("INSECURE"), boolean, |value| self.insecure = Some(value));
        self.tls.read(&format!("OTEL_EXPORTER_OTLP_{name}"), env);
        let known = |text: &str| match text.to_ascii_lowercase().as_str() {
            // there for the asking, without being sent
            "prometheus" if name == "METRICS" => Ok(None),
            text => exporter(text),
        };
        env.set(&format!("OTEL_{name}_EXPORTER"), known, |exporter| {
            self.enabled = exporter.is_some();
            self.exporter = exporter.unwrap_or_default();
        });
    }
}

impl Tls {
    fn read(&mut self, prefix: &str, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        let Self { ca, cert, key } = self;
        for (option, path) in [("CERTIFICATE", ca), ("CLIENT_CERTIFICATE", cert), ("CLIENT_KEY", key)] {
            env.set(&format!("{prefix}_{option}"), file, |value| *path = Some(value));
        }
    }
}

impl Batch {
    fn read(&mut self, prefix: &str, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        env.set(&format!("{prefix}_SCHEDULE_DELAY"), millis, |value| self.delay = value);
        env.set(&format!("{prefix}_EXPORT_TIMEOUT"), positive_millis, |value| self.timeout = Some(value));
        env.set(&format!("{prefix}_MAX_QUEUE_SIZE"), count, |value| self.queue = value);
        let queue = self.queue;
        let size = |text: &str| match count(text)? {
            size if size <= queue => Ok(size),
            _ => Err("a batch cannot be larger than the queue"),
        };
        env.set(&format!("{prefix}_MAX_EXPORT_BATCH_SIZE"), size, |value| self.size = value);
        self.size = self.size.min(self.queue);
    }
}

impl crate::Sampling {
    fn read(&mut self, env: &mut Env<impl Fn(&str) -> Option<String>>) {
        let argument = env.value("OTEL_TRACES_SAMPLER_ARG", |text| match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err("it is not a number from 0 to 1"),
        });
        let sampler = |text: &str| {
            let text = text.to_ascii_lowercase();
            let (parent_based, root) =
                text.strip_prefix("parentbased_").map_or((false, &*text), |root| (true, root));
            let ratio = match root {
                "always_on" => 1.0,
                "always_off" => 0.0,
                "traceidratio" => argument.unwrap_or(1.0),
                "jaeger_remote" | "xray" => return Err("samplers that ask a server are not supported"),
                _ => return Err("it is not a sampler known here"),
            };
            Ok(Self { ratio, parent_based })
        };
        env.set("OTEL_TRACES_SAMPLER", sampler, |value| *self = value);
    }
}

struct Env<F> {
    get: F,
    warnings: Vec<Warning>,
}

impl<F: Fn(&str) -> Option<String>> Env<F> {
    /// The variable's value; `None` when it is unset, empty or, with a warning, unusable.
    fn value<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, &'static str>) -> Option<T> {
        let text = (self.get)(name)?;
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        parse(text).map_err(|reason| self.warnings.push(Warning::new(name, reason))).ok()
    }

    fn set<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
        set: impl FnOnce(T),
    ) {
        if let Some(value) = self.value(name, parse) {
            set(value);
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for all parsers")]
fn text(text: &str) -> Result<String, &'static str> {
    Ok(text.to_owned())
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        "http/json" => Ok(Protocol::HttpJson),
        _ => Err("it is none of grpc, http/protobuf and http/json"),
    }
}

fn headers(text: &str) -> Result<Headers, &'static str> {
    Headers::parse(text).map_err(|_| "it is not a list of key=value pairs with percent-encoded values")
}

/// `None` is none.
fn exporter(text: &str) -> Result<Option<Exporter>, &'static str> {
    match text {
        "otlp" => Ok(Some(Exporter::Otlp)),
        "console" | "otlp/stdout" => Ok(Some(Exporter::Console)),
        "none" => Ok(None),
        list if list.contains(',') => Err("a signal has one exporter"),
        _ => Err("the exporters known here are otlp, console and none, and prometheus for metrics"),
    }
}

fn compression(text: &str) -> Result<Compression, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "gzip" => Ok(Compression::Gzip),
        "none" => Ok(Compression::None),
        _ => Err("it is neither gzip nor none"),
    }
}

#[cfg(feature = "__tls")]
#[expect(clippy::unnecessary_wraps, reason = "one shape for all parsers")]
fn file(text: &str) -> Result<PathBuf, &'static str> {
    Ok(text.into())
}

#[cfg(not(feature = "__tls"))]
fn file(_: &str) -> Result<PathBuf, &'static str> {
    Err("this binary is built without the feature `tls` of prodkit-otlp (`tls` of prodkit)")
}

/// `lowmemory` is cumulative for what is observed rather than counted; here everything is counted.
fn temporality(text: &str) -> Result<Temporality, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "cumulative" => Ok(Temporality::Cumulative),
        "delta" | "lowmemory" => Ok(Temporality::Delta),
        _ => Err("it is none of cumulative, delta and lowmemory"),
    }
}

fn histograms(text: &str) -> Result<Histograms, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "explicit_bucket_histogram" => Ok(Histograms::Explicit),
        "base2_exponential_bucket_histogram" => Ok(Histograms::Exponential),
        _ => Err("it is neither explicit_bucket_histogram nor base2_exponential_bucket_histogram"),
    }
}

/// The specification's boolean: everything but `true` is false, and worth a warning unless it says so.
fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it is neither true nor false"),
    }
}

fn millis(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_millis).map_err(|_| "it is not a number of milliseconds")
}

fn positive_millis(text: &str) -> Result<Duration, &'static str> {
    millis(text).and_then(|time| if time.is_zero() { Err("it must be more than 0") } else { Ok(time) })
}

/// As many as that, or none at all.
fn limit(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "it is not a count")
}

fn count(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(0) => Err("it must be more than 0"),
        Ok(count) => Ok(count),
        Err(_) => Err("it is not a count"),
    }
}

#[cfg(test)]
mod tests;
