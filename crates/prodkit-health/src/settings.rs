use crate::{Importance, Timing};
use std::collections::BTreeMap;
use std::time::Duration;

/// What holds for every check, and what the process is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What a [`Check`](crate::Check) does not say itself.
    pub timing: Timing,
    /// Whether a [shared](crate::Importance::Shared) check that is not good makes the process not ready instead of
    /// degraded. Default: no.
    pub shared_is_critical: bool,
    /// What is said of single checks and reporters by their names, over what the code says. Default: nothing.
    /// [`Health::unknown_settings`](crate::Health::unknown_settings) are those that no check has.
    pub checks: BTreeMap<String, CheckSettings>,
    /// The service's name, for `application/health+json`. Default: left out.
    pub service: Option<String>,
    /// The service's version, for `application/health+json`. Default: left out.
    pub version: Option<String>,
}

/// What is said of one check, over what the code says of it. What is left out stays. A reporter has an importance only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckSettings {
    /// What it means to readiness.
    pub importance: Option<Importance>,
    /// [`Timing::period`].
    pub period: Option<Duration>,
    /// [`Timing::timeout`].
    pub timeout: Option<Duration>,
    /// [`Timing::unhealthy_after`].
    pub unhealthy_after: Option<u32>,
    /// [`Timing::healthy_after`].
    pub healthy_after: Option<u32>,
}
