//! The process environment, read once at start. What is not UTF-8 or not well-known is left alone: Kubernetes fills the
//! environment with service links, and none of them is ever an error here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::load::PREFIX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// The paths that flags set, which no variable has a say in.
    flags: BTreeSet<String>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The same, below flags of the form `path=value`.
    pub(crate) fn below(mut self, flags: &[String]) -> Self {
        self.flags.extend(flags.iter().filter_map(|flag| Some(flag.split_once('=')?.0.trim().to_owned())));
        self
    }

    /// Whether a flag or the variable with the generic prefix sets this path or something beneath it: then a variable of
    /// its own that says the same, such as `OTEL_EXPORTER_OTLP_TIMEOUT`, is outranked.
    pub(crate) fn outranks(&self, path: &str) -> bool {
        let starts = |text: &str, with: &str, then: &str| {
            text.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with(then))
        };
        let variable = format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"));
        self.flags.iter().any(|flag| starts(flag, path, "."))
            || self.variables.keys().any(|name| starts(name, &variable, "__"))
    }

    /// The value of a variable; an empty one counts as not set, as the OpenTelemetry specification has it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// As [`get`](Self::get), and also where it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Every pod has this variable, whatever its manifest says.
    pub(crate) fn in_kubernetes(&self) -> bool {
        self.get("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// The pod's `terminationGracePeriodSeconds`, which no field of the downward API carries: the manifest writes it
    /// twice. `Err` is what stands there instead of a number.
    pub(crate) fn termination_grace_period(&self) -> Result<Option<Duration>, &str> {
        let Some(text) = self.get("TERMINATION_GRACE_PERIOD_SECONDS") else { return Ok(None) };
        text.trim().parse().map(|seconds| Some(Duration::from_secs(seconds))).map_err(|_| text)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { variables: without_service_links(variables), flags: BTreeSet::new() }
    }
}

/// Leaves out what Kubernetes tells every container about each service beside it: of one named `x` that is
/// `X_PORT=tcp://10.0.0.1:80`, `X_PORT_80_TCP…` and `X_SERVICE_…`. One named `app--x` would set keys of ours, and Docker's
/// links without an alias set `PORT`.
fn without_service_links(mut variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_link =
        |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let links = variables.iter().filter(|(_, value)| is_link(value));
    let named = links.filter_map(|(name, _)| name.strip_suffix("_PORT"));
    // no service is called `app--server-`, so that APP__SERVER__PORT stays the mistake it is
    let services: Vec<String> = named.filter(|name| !name.ends_with('_')).map(str::to_owned).collect();
    variables.retain(|name, value| {
        let told =
            |rest: &str| rest == "_PORT" || rest.starts_with("_PORT_") || rest.starts_with("_SERVICE_");
        let of_a_service =
            services.iter().any(|service| name.strip_prefix(service.as_str()).is_some_and(told));
        !(of_a_service || name == "PORT" && is_link(value))
    });
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = Environment::from_iter([("A", ""), ("B", "b"), ("KUBERNETES_SERVICE_HOST", "")]);
        assert_eq!(
            (environment.get("A"), environment.get("B"), environment.get("C")),
            (None, Some("b"), None)
        );
        assert!(!environment.in_kubernetes());
    }

    #[test]
    fn the_grace_period_is_whole_seconds() {
        let period = |text| {
            let environment = Environment::from_iter([("TERMINATION_GRACE_PERIOD_SECONDS", text)]);
            environment.termination_grace_period().map_err(str::to_owned)
        };
        assert_eq!(period("60"), Ok(Some(Duration::from_secs(60))));
        assert_eq!(period(""), Ok(None));
        assert_eq!(period("60s"), Err("60s".to_owned()));
        assert_eq!(period("-1"), Err("-1".to_owned()));
    }

    #[test]
    fn service_links_are_left_out() {
        let link = "tcp://10.0.0.1:80";
        let told =
            [("PORT", link), ("PORT_80_TCP", link), ("PORT_80_TCP_PORT", "80"), ("SERVICE_HOST", "10.0.0.1")];
        for service in ["APP", "APP__X", "OTEL_COLLECTOR"] {
            let variables = told.map(|(what, value)| (format!("{service}_{what}"), value));
            assert_eq!(Environment::from_iter(variables).iter().count(), 0, "{service}");
        }
        assert_eq!(Environment::from_iter([("PORT", link)]).get("PORT"), None);
        let ours = [("PORT", "8080"), ("APP__SERVER__PORT", link), ("X_PORT", "1"), ("X_SERVICE_HOST", "x")];
        assert_eq!(Environment::from_iter(ours).iter().count(), ours.len());
    }

    #[test]
    fn flags_and_the_prefix_outrank() {
        let environment = Environment::from_iter([("APP__OTLP__TIMEOUT", "1s"), ("OTLP__LOGS", "true")])
            .below(&["otlp.headers.a=b".to_owned(), "otlp.protocol=grpc".to_owned(), "nonsense".to_owned()]);
        for path in ["otlp.timeout", "otlp.headers", "otlp.headers.a", "otlp.protocol", "otlp"] {
            assert!(environment.outranks(path), "{path}");
        }
        for path in ["otlp.logs", "otlp.head", "otlp.headers.b", "nonsense"] {
            assert!(!environment.outranks(path), "{path}");
        }
    }
}
