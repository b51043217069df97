//! OTLP from the settings, and a finished request as a span.

use crate::environment::Environment;
use crate::error::StartError;
use crate::settings::Settings;

#[cfg(not(feature = "otlp"))]
pub(crate) fn refuse(
    settings: &Settings,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<(), StartError> {
    // A file or a flag asks for it on purpose; a variable may be there for every pod of a namespace.
    if environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
        warnings.push(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this binary is built without prodkit's feature `otlp`"
                .into(),
        );
        return Ok(());
    }
    match settings.otlp.endpoint {
        None => Ok(()),
        Some(_) => {
            Err(StartError::setting("otlp.endpoint", "this binary is built without prodkit's feature `otlp`"))
        }
    }
}

#[cfg(not(feature = "otlp"))]
pub(crate) fn check(settings: &Settings, environment: &Environment) -> Result<(), StartError> {
    refuse(settings, environment, &mut Vec::new())
}

/// What a doctor would say: each finding as text, and whether it is good.
#[cfg(not(feature = "otlp"))]
pub(crate) fn examine(
    settings: &Settings,
    _: &crate::identity::Identity,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, bool)>, StartError> {
    refuse(settings, environment, warnings).map(|()| Vec::new())
}

#[cfg(feature = "otlp")]
mod names;
#[cfg(feature = "otlp")]
mod record;
#[cfg(feature = "otlp")]
mod span;
#[cfg(all(feature = "otlp", feature = "__tls"))]
mod trust;

#[cfg(feature = "otlp")]
pub(crate) use enabled::{Keep, check, examine, ratio_moves, recorded, start};
#[cfg(feature = "otlp")]
pub(crate) use record::Records;
#[cfg(feature = "otlp")]
pub(crate) use span::server_span;

#[cfg(feature = "otlp")]
mod enabled {
    use std::time::Duration;

    use prodkit_http::{Exchange, Outcome};
    use prodkit_metrics::Recorder;
    use prodkit_otlp::{Compression, Headers, Histograms, Otlp, Protocol, Resource, Temporality};
    use prodkit_secrets::Secret;

    use super::{Environment, Settings, StartError};
    use crate::certificates::Certificates;
    use crate::identity::Identity;
    use crate::settings::{OtlpCompression, OtlpHistograms, OtlpProtocol, OtlpTemporality};

    /// Variables that are settings already.
    const SETTINGS: &[&str] = &["OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    /// Variables, and the settings that say the same: a flag wins over the variable, and the variable over a file.
    const SAME: &[(&str, &str)] = &[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "otlp.protocol"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "otlp.compression"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp.tls.ca"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp.tls.cert"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp.tls.key"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "otlp.timeout"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "otlp.metric_interval"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "otlp.temporality"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "otlp.histograms"),
        ("OTEL_TRACES_SAMPLER", "otlp.sampling_ratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "otlp.sampling_ratio"),
        ("OTEL_TRACES_EXPORTER", "otlp.traces"),
        ("OTEL_METRICS_EXPORTER", "otlp.metrics"),
        ("OTEL_LOGS_EXPORTER", "otlp.logs"),
    ];

    /// What is exported has to be recorded: under which names, and in which buckets.
    pub(crate) fn recorded(
        options: prodkit_metrics::Options,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<prodkit_metrics::Options, StartError> {
        let (exporting, _) = with_variables(exporting(settings)?, settings, environment)?;
        let metrics = exporting.is_on() && exporting.metrics.enabled;
        let exponential = metrics && exporting.histograms == Histograms::Exponential;
        let options = options.exponential(exponential || settings.metrics.native_histograms);
        Ok(super::names::conventional(options, settings.server.tls.cert.is_some()))
    }

    /// `None` where there is no endpoint.
    pub(crate) fn start(
        settings: &Settings,
        identity: &Identity,
        environment: &Environment,
        metrics: &Recorder,
        certificates: &mut Certificates,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Otlp>, StartError> {
        let (exporting, unusable) = with_variables(exporting(settings)?, settings, environment)?;
        let (resource, more) = Resource::detect(|name| environment.get(name).map(str::to_owned));
        warnings.extend(unusable.iter().chain(&more).map(ToString::to_string));
        if !exporting.is_on() {
            return Ok(None);
        }
        let metrics = exporting.metrics.enabled.then(|| metrics.clone());
        let resource = described(resource, identity, environment);
        #[cfg(feature = "__tls")]
        let otlp = {
            let mut trust = super::trust::Trust::new(&exporting, environment, certificates);
            prodkit_otlp::start_with(exporting, resource, metrics, |files| trust.credentials(files))?
        };
        #[cfg(not(feature = "__tls"))]
        let otlp = {
            let _ = certificates;
            prodkit_otlp::start(exporting, resource, metrics)?
        };
        Ok(Some(otlp))
    }

    impl From<prodkit_otlp::Error> for StartError {
        fn from(error: prodkit_otlp::Error) -> Self {
            Self::setting("otlp", error)
        }
    }

    /// Whether the sampling ratio is the setting's, which moves, or that of a variable, which does not.
    pub(crate) fn ratio_moves(environment: &Environment) -> bool {
        environment.get("OTEL_TRACES_SAMPLER").is_none() || environment.outranks("otlp.sampling_ratio")
    }

    /// What [`start`] would refuse.
    pub(crate) fn check(settings: &Settings, environment: &Environment) -> Result<(), StartError> {
        let (exporting, _) = with_variables(exporting(settings)?, settings, environment)?;
        if !exporting.is_on() {
            return Ok(());
        }
        Ok(exporting.check()?)
    }

    /// What a doctor says of the collector of each signal: as text, and whether it is good.
    pub(crate) fn examine(
        settings: &Settings,
        identity: &Identity,
        environment: &Environment,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<(String, bool)>, StartError> {
        let (exporting, unusable) = with_variables(exporting(settings)?, settings, environment)?;
        let (resource, more) = Resource::detect(|name| environment.get(name).map(str::to_owned));
        warnings.extend(unusable.iter().chain(&more).map(ToString::to_string));
        let resource = described(resource, identity, environment);
        let findings = prodkit_otlp::examine(exporting, &resource)?;
        Ok(findings.into_iter().map(|finding| (finding.to_string(), finding.is_good)).collect())
    }

    fn exporting(settings: &Settings) -> Result<prodkit_otlp::Settings, StartError> {
        let ours = &settings.otlp;
        let mut theirs = prodkit_otlp::Settings::default();
        theirs.endpoint.clone_from(&ours.endpoint);
        theirs.protocol = ours.protocol.map(|protocol| match protocol {
            OtlpProtocol::HttpProtobuf => Protocol::HttpProtobuf,
            OtlpProtocol::HttpJson => Protocol::HttpJson,
            OtlpProtocol::Grpc => Protocol::Grpc,
        });
        theirs.headers = with_headers(theirs.headers, &ours.headers)?;
        theirs.timeout = ours.timeout;
        theirs.compression = match ours.compression {
            OtlpCompression::Gzip => Compression::Gzip,
            OtlpCompression::None => Compression::None,
        };
        theirs.tls.ca.clone_from(&ours.tls.ca);
        theirs.tls.cert.clone_from(&ours.tls.cert);
        theirs.tls.key.clone_from(&ours.tls.key);
        theirs.retry.enabled = ours.retry.enabled;
        theirs.retry.max_elapsed_time = ours.retry.max_elapsed_time;
        theirs.traces.enabled = ours.traces;
        theirs.metrics.enabled = ours.metrics;
        theirs.logs.enabled = ours.logs;
        theirs.metric_interval = ours.metric_interval;
        theirs.temporality = match ours.temporality {
            OtlpTemporality::Cumulative => Temporality::Cumulative,
            OtlpTemporality::Delta => Temporality::Delta,
        };
        theirs.histograms = match ours.histograms {
            OtlpHistograms::Explicit => Histograms::Explicit,
            OtlpHistograms::Exponential => Histograms::Exponential,
        };
        theirs.sampling.ratio = ours.sampling_ratio.get().0;
        Ok(theirs)
    }

    /// Lays the variables of the specification over what files say, and under what flags say.
    fn with_variables(
        exporting: prodkit_otlp::Settings,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<(prodkit_otlp::Settings, Vec<prodkit_otlp::Warning>), StartError> {
        let outranked = |name: &str| {
            SETTINGS.contains(&name)
                || SAME.iter().any(|(variable, path)| *variable == name && environment.outranks(path))
        };
        let variable = |name: &str| {
            if outranked(name) { None } else { environment.get(name).map(str::to_owned) }
        };
        let (mut exporting, unusable) = prodkit_otlp::Settings::from_env(exporting, variable);
        // an endpoint for one signal turns that signal on
        let ours = &settings.otlp;
        for (signal, path, on) in [
            (&mut exporting.traces, "otlp.traces", ours.traces),
            (&mut exporting.metrics, "otlp.metrics", ours.metrics),
            (&mut exporting.logs, "otlp.logs", ours.logs),
        ] {
            signal.enabled &= on || !environment.outranks(path);
        }
        let flagged = |(name, _): &(&String, &Secret)| environment.outranks(&format!("otlp.headers.{name}"));
        exporting.headers = with_headers(exporting.headers, ours.headers.iter().filter(flagged))?;
        Ok((exporting, unusable))
    }

    fn with_headers<'a>(
        headers: Headers,
        more: impl IntoIterator<Item = (&'a String, &'a Secret)>,
    ) -> Result<Headers, StartError> {
        more.into_iter().try_fold(headers, |headers, (name, value)| {
            let value = value.get();
            // Where it is missed, the start is over before this; where only the configuration is checked, it is elsewhere.
            if value.is_missing() {
                return Ok(headers);
            }
            let text = value.expose_text().map_err(|error| StartError::setting("otlp.headers", error))?;
            headers.with(name, text).map_err(|error| StartError::setting("otlp.headers", error))
        })
    }

    /// The name is always ours; the rest stays as it was detected, where it was and no flag says otherwise.
    fn described(resource: Resource, identity: &Identity, environment: &Environment) -> Resource {
        let known = [
            ("service.version", "service.version", &identity.version),
            ("service.namespace", "service.namespace", &identity.namespace),
            ("deployment.environment.name", "service.environment", &identity.environment),
        ];
        let resource = resource.with("service.name", identity.name.clone());
        known.into_iter().fold(resource, |resource, (key, path, value)| match value {
            Some(value) if environment.outranks(path) => resource.with(key, value.clone()),
            Some(value) => resource.or(key, value.clone()),
            None => resource,
        })
    }

    /// What is kept though its trace is not sampled.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Keep {
        errors: bool,
        slower_than: Duration,
    }

    impl Keep {
        pub(crate) fn new(settings: &Settings) -> Self {
            Self { errors: settings.otlp.keep_errors, slower_than: settings.otlp.keep_slower_than }
        }

        /// Why this one is, if it is. A client that went away is neither.
        pub(crate) fn reason(self, exchange: &Exchange<'_>) -> Option<&'static str> {
            match exchange.outcome() {
                Outcome::Disconnected => None,
                Outcome::Failed | Outcome::Panicked if self.errors => Some("error"),
                _ if self.errors && exchange.status().is_server_error() => Some("error"),
                _ => (exchange.elapsed() >= self.slower_than).then_some("slow"),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::cli::Sources;
        use crate::load;

        /// What comes of these flags and variables over `otlp.timeout: 1s`.
        fn read(flags: &[&str], variables: &[(&str, &str)]) -> (prodkit_otlp::Settings, Vec<String>) {
            let flags = ["otlp.retry.enabled=false"].iter().chain(flags).map(|flag| (*flag).to_owned());
            let sources = Sources { set: flags.collect(), ..Sources::default() };
            let environment = Environment::from_iter(variables.iter().copied()).below(&sources.set);
            let load::Read { loaded, .. } = load::both::<crate::NoConfig>(&sources, &environment).unwrap();
            let from_file = exporting(&loaded.settings).unwrap();
            let (settings, warnings) = with_variables(from_file, &loaded.settings, &environment).unwrap();
            (settings, warnings.iter().map(|warning| warning.variable().to_owned()).collect())
        }

        #[test]
        fn a_flag_wins_over_the_variable_that_says_the_same() {
            let seconds = Duration::from_secs;
            let variables = [
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "2000"),
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.2"),
                ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://localhost:1"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "a=variable,b=variable"),
            ];
            let (said, _) = read(&[], &variables);
            assert_eq!((said.timeout, said.metric_interval), (seconds(2), seconds(2)));
            assert_eq!((said.protocol, said.logs.enabled), (Some(Protocol::HttpProtobuf), true));
            assert!((said.sampling.ratio - 0.2).abs() < f64::EPSILON);

            let flags = [
                "otlp.protocol=grpc",
                "otlp.timeout=3s",
                "otlp.metric_interval=3s",
                "otlp.sampling_ratio=0.3",
                "otlp.logs=false",
                "otlp.headers.a=flag",
            ];
            let (said, _) = read(&flags, &variables);
            assert_eq!((said.timeout, said.metric_interval), (seconds(3), seconds(3)));
            assert_eq!((said.protocol, said.logs.enabled), (Some(Protocol::Grpc), false));
            assert!((said.sampling.ratio - 0.3).abs() < f64::EPSILON);
            let headers = Headers::parse("a=flag,b=variable").unwrap();
            assert_eq!(said.headers, headers, "the variable's own stay");

            let (said, _) =
                read(&[], &[("APP__OTLP__TIMEOUT", "4s"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")]);
            assert_eq!(said.timeout, seconds(4), "as does the variable with the generic prefix");
        }

        #[test]
        fn a_ratio_from_the_environment_is_not_moved_by_a_file() {
            let sampler = ("OTEL_TRACES_SAMPLER", "always_on");
            assert!(ratio_moves(&Environment::default()));
            assert!(!ratio_moves(&Environment::from_iter([sampler])));
            let flag = ["otlp.sampling_ratio=0.5".to_owned()];
            assert!(ratio_moves(&Environment::from_iter([sampler]).below(&flag)));
        }

        #[test]
        fn a_variable_that_cannot_be_used_is_a_warning_by_name() {
            for variable in
                ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_TRACES_SAMPLER"]
            {
                let (said, warnings) = read(&[], &[(variable, "nonsense")]);
                assert_eq!((said.timeout, warnings), (Duration::from_secs(10), vec![variable.to_owned()]));
            }
        }
    }
}
