//! `health.*`

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::checked;

/// When a check counts, and when the process counts as stuck.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Health {
    /// Without progress of the main runtime for so long, liveness fails. At least 100ms. Default: 30s.
    #[serde(deserialize_with = "checked::stall")]
    pub(crate) stall: Duration,
    /// From one run of a check to the next, give or take a tenth. Default: 10s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) period: Duration,
    /// How long one run of a check may take before it counts as failed. Default: 2s.
    #[serde(deserialize_with = "checked::limit")]
    pub(crate) timeout: Duration,
    /// Failures in a row that turn a good check bad. Default: 3.
    pub(crate) unhealthy_after: u32,
    /// Successes in a row that turn a bad check good. Default: 1.
    pub(crate) healthy_after: u32,
    /// Whether a bad check of a dependency that all replicas share makes each of them not ready, instead of degraded.
    /// Default: false, because it would take them all out at once.
    pub(crate) shared_is_critical: bool,
    /// What is said of single checks by their names, over what the code says. A name that no check has is an error.
    /// Default: nothing.
    pub(crate) checks: BTreeMap<String, Check>,
    /// Checks that are asked for together, by the name of the group: `/health/group/<name>` on the admin port. A name that
    /// no check has is an error. Default: none but those of the code.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 1,
            shared_is_critical: false,
            checks: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }
}

/// One check. What is not set is as the code says, or else as for all checks.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(default)]
pub(crate) struct Check {
    /// What a bad result means: not ready, or only degraded.
    #[cfg_attr(feature = "schema", schemars(example = &"optional"))]
    pub(crate) importance: Option<Importance>,
    /// From one run to the next.
    #[serde(deserialize_with = "checked::maybe_limit")]
    #[cfg_attr(feature = "schema", schemars(example = &"10s"))]
    pub(crate) period: Option<Duration>,
    /// How long one run may take.
    #[serde(deserialize_with = "checked::maybe_limit")]
    #[cfg_attr(feature = "schema", schemars(example = &"2s"))]
    pub(crate) timeout: Option<Duration>,
    /// Failures in a row that turn it bad.
    #[cfg_attr(feature = "schema", schemars(example = &3))]
    pub(crate) unhealthy_after: Option<u32>,
    /// Successes in a row that turn it good again.
    #[cfg_attr(feature = "schema", schemars(example = &1))]
    pub(crate) healthy_after: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Importance {
    Critical,
    Optional,
    Shared,
}

impl Health {
    /// For all checks, and for each that is named.
    pub(crate) fn rules(&self) -> prodkit_health::Settings {
        let mut rules = prodkit_health::Settings::default();
        rules.timing.period = self.period;
        rules.timing.timeout = self.timeout;
        rules.timing.unhealthy_after = self.unhealthy_after;
        rules.timing.healthy_after = self.healthy_after;
        rules.shared_is_critical = self.shared_is_critical;
        rules.checks.extend(self.checks.iter().map(|(name, check)| (name.clone(), check.rules())));
        rules
    }
}

impl Check {
    fn rules(&self) -> prodkit_health::CheckSettings {
        let mut rules = prodkit_health::CheckSettings::default();
        rules.importance = self.importance.map(|importance| match importance {
            Importance::Critical => prodkit_health::Importance::Critical,
            Importance::Optional => prodkit_health::Importance::Optional,
            Importance::Shared => prodkit_health::Importance::Shared,
        });
        rules.period = self.period;
        rules.timeout = self.timeout;
        rules.unhealthy_after = self.unhealthy_after;
        rules.healthy_after = self.healthy_after;
        rules
    }
}
