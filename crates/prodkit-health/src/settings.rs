use crate::Timing;

/// What holds for every check, and what the process is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What a [`Check`](crate::Check) does not say itself.
    pub timing: Timing,
    /// Whether a [shared](crate::Importance::Shared) check that is not good makes the process not ready instead of
    /// degraded. Default: no.
    pub shared_is_critical: bool,
    /// The service's name, for `application/health+json`. Default: left out.
    pub service: Option<String>,
    /// The service's version, for `application/health+json`. Default: left out.
    pub version: Option<String>,
}
