//! The process environment, read once at start. What is not UTF-8 or not well-known is left alone: Kubernetes fills the
//! environment with service links, and none of them is ever an error here.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(crate) fn read() -> Self {
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; an empty one counts as not set, as the OpenTelemetry specification has it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
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
        Self(variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
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
}
