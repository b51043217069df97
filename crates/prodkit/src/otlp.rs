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

#[cfg(feature = "otlp")]
pub(crate) use enabled::{server_span, start};

#[cfg(feature = "otlp")]
mod enabled {
    use std::time::Duration;

    use http::{Method, Version};
    use prodkit_http::{Exchange, Outcome};
    use prodkit_metrics::Recorder;
    use prodkit_otlp::{Attributes, Otlp, Protocol, Resource, Span, SpanKind, Status, Value};

    use super::{Environment, Settings, StartError};
    use crate::identity::Identity;
    use crate::settings::OtlpProtocol;

    /// Variables that are settings already, so that `--set` wins over them.
    const SETTINGS: &[&str] = &["OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    /// `None` where there is no endpoint.
    pub(crate) fn start(
        settings: &Settings,
        identity: &Identity,
        environment: &Environment,
        metrics: &Recorder,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Otlp>, StartError> {
        let variable = |name: &str| {
            let is_setting = SETTINGS.contains(&name);
            if is_setting { None } else { environment.get(name).map(str::to_owned) }
        };
        let (exporting, unusable) = prodkit_otlp::Settings::from_env(exporting(settings)?, variable);
        let (resource, more) = Resource::detect(|name| environment.get(name).map(str::to_owned));
        warnings.extend(unusable.iter().chain(&more).map(ToString::to_string));
        if !exporting.is_on() {
            return Ok(None);
        }
        let metrics = exporting.metrics.enabled.then(|| metrics.clone());
        let otlp = prodkit_otlp::start(exporting, described(resource, identity), metrics);
        let otlp = otlp.map_err(|error| StartError::setting("otlp", error))?;
        Ok(Some(otlp))
    }

    fn exporting(settings: &Settings) -> Result<prodkit_otlp::Settings, StartError> {
        let ours = &settings.otlp;
        let mut theirs = prodkit_otlp::Settings::default();
        theirs.endpoint.clone_from(&ours.endpoint);
        theirs.protocol = ours.protocol.map(|protocol| match protocol {
            OtlpProtocol::HttpProtobuf => Protocol::HttpProtobuf,
            OtlpProtocol::Grpc => Protocol::Grpc,
        });
        for (name, value) in &ours.headers {
            theirs.headers = theirs
                .headers
                .with(name, value)
                .map_err(|error| StartError::setting("otlp.headers", error))?;
        }
        theirs.timeout = ours.timeout;
        theirs.retry.enabled = ours.retry.enabled;
        theirs.retry.max_elapsed_time = ours.retry.max_elapsed_time;
        theirs.traces.enabled = ours.traces;
        theirs.metrics.enabled = ours.metrics;
        theirs.logs.enabled = ours.logs;
        theirs.metric_interval = ours.metric_interval;
        theirs.sampling.ratio = ours.sampling_ratio.get().0;
        Ok(theirs)
    }

    /// The name is always ours; the rest stays as it was detected, where it was.
    fn described(resource: Resource, identity: &Identity) -> Resource {
        let known = [
            ("service.version", &identity.version),
            ("service.namespace", &identity.namespace),
            ("deployment.environment.name", &identity.environment),
        ];
        let resource = resource.with("service.name", identity.name.clone());
        known.into_iter().fold(resource, |resource, (key, value)| match value {
            Some(value) => resource.or(key, value.clone()),
            None => resource,
        })
    }

    /// A finished request by the semantic conventions for HTTP server spans.
    pub(crate) fn server_span(exchange: &Exchange<'_>) -> Span {
        let method = known_method(exchange.method());
        let name = match exchange.route() {
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        };
        let start = exchange.start();
        let mut span = Span::new(exchange.context(), name, start);
        span.end = start + exchange.elapsed().max(Duration::from_nanos(1));
        span.kind = SpanKind::Server;
        span.parent = exchange.parent_span_id();
        span.parent_is_remote = span.parent.is_some();
        span.trace_state = exchange.tracestate().map(ToString::to_string).unwrap_or_default();
        span.attributes = attributes(exchange, method);
        if let Some(error) = failure(exchange) {
            span.attributes.push(("error.type".into(), Value::from(error.clone())));
            span.status = Status::error(exchange.error().map(ToString::to_string).unwrap_or_default());
        }
        span
    }

    fn attributes(exchange: &Exchange<'_>, method: &'static str) -> Attributes {
        let mut attributes: Attributes = vec![
            ("http.request.method".into(), method.into()),
            ("url.path".into(), exchange.path().to_owned().into()),
            ("url.scheme".into(), exchange.scheme().unwrap_or("http").to_owned().into()),
            ("http.response.status_code".into(), i64::from(exchange.status().as_u16()).into()),
        ];
        let mut add = |key: &'static str, value: Option<Value>| {
            attributes.extend(value.map(|value| (key.into(), value)));
        };
        add(
            "http.request.method_original",
            (method == "_OTHER").then(|| exchange.method().to_string().into()),
        );
        add("http.route", exchange.route().map(|route| route.to_owned().into()));
        add("network.protocol.version", protocol(exchange.version()).map(Into::into));
        add("client.address", exchange.peer_addr().map(|peer| peer.ip().to_string().into()));
        add("user_agent.original", exchange.user_agent().map(|agent| agent.to_owned().into()));
        attributes
    }

    /// `error.type`: set when the server is to blame, or no whole answer went out.
    fn failure(exchange: &Exchange<'_>) -> Option<String> {
        match exchange.outcome() {
            Outcome::Panicked => Some("panic".to_owned()),
            Outcome::Disconnected => Some("client_disconnected".to_owned()),
            _ if exchange.status().is_server_error() => Some(exchange.status().as_u16().to_string()),
            _ => None,
        }
    }

    /// The methods of RFC 9110 and RFC 5789; any other is `_OTHER`, or a client could make names without end.
    fn known_method(method: &Method) -> &'static str {
        const KNOWN: &[&str] =
            &["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
        KNOWN.iter().find(|known| **known == method.as_str()).copied().unwrap_or("_OTHER")
    }

    const fn protocol(version: Version) -> Option<&'static str> {
        match version {
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            _ => None,
        }
    }
}
