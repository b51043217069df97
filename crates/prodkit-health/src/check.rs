use crate::CheckSettings;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What a check means to readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Importance {
    /// Without it the process cannot serve: not ready while it is not good.
    Critical,
    /// Without it the process serves less: ready, but degraded.
    Optional,
    /// Every replica depends on it, so that taking all of them out at once would turn its outage into a larger one:
    /// ready, but degraded, unless [`Settings::shared_is_critical`](crate::Settings::shared_is_critical).
    Shared,
}

impl Importance {
    /// The importance in one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Optional => "optional",
            Self::Shared => "shared",
        }
    }
}

impl fmt::Display for Importance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is known about a check at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It works, with a restriction. Only a [`Reporter`](crate::Reporter) says so.
    Degraded,
    /// It does not work.
    Failing,
    /// It works.
    Healthy,
    /// It has not been heard of for too long, or nothing is left that could report on it.
    Stale,
    /// It has not been heard of yet.
    Unknown,
}

impl Status {
    /// The status in one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Healthy => "healthy",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }

    /// Whether one can rely on it: `Healthy` or `Degraded`.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When a check runs, and how its results are weighed. Zeros are taken as the smallest value that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// From one run to the next. Default 10 s; at least 1 ms, at most a day.
    pub period: Duration,
    /// How much a single wait may differ from the period, in percent: replicas must not ask in step. Default 10, at
    /// most 100.
    pub jitter: u32,
    /// After how long a run that has not ended counts as failed; it is for the runner to keep. Default 2 s.
    pub timeout: Duration,
    /// How many failures in a row make a healthy check failing. Default 3.
    pub unhealthy_after: u32,
    /// How many successes in a row make it healthy again. Default 1.
    pub healthy_after: u32,
    /// After how many periods without any result it is stale. Default 3.
    pub stale_after: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(10),
            jitter: 10,
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 1,
            stale_after: 3,
        }
    }
}

impl Timing {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// Without a result for this long a check is stale: `stale_after` periods, but never less than one slow run.
    pub fn staleness(&self) -> Duration {
        let period = self.bounded_period();
        let slow_run = period.saturating_add(self.spread()).saturating_add(self.timeout.min(Self::LONGEST));
        period.saturating_mul(self.stale_after.clamp(1, 1000)).max(slow_run)
    }

    /// The wait until the next run; `random` is any evenly drawn number.
    pub fn wait(&self, random: u64) -> Duration {
        let (period, spread) = (self.bounded_period(), self.spread());
        let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
        period - spread + spread.mul_f64(2.0 * share)
    }

    fn bounded_period(&self) -> Duration {
        self.period.clamp(Self::SHORTEST, Self::LONGEST)
    }

    fn spread(&self) -> Duration {
        self.bounded_period() * self.jitter.min(100) / 100
    }
}

/// What a check is, and where it differs from the [defaults](crate::Settings::timing).
///
/// ```
/// # use prodkit_health::Check;
/// # use std::time::Duration;
/// let check = Check::optional().every(Duration::from_secs(30)).unhealthy_after(1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Check {
    pub(crate) importance: Importance,
    period: Option<Duration>,
    timeout: Option<Duration>,
    unhealthy_after: Option<u32>,
    healthy_after: Option<u32>,
    stale_after: Option<u32>,
}

impl Check {
    /// A check of this importance, with the default timing.
    pub fn new(importance: Importance) -> Self {
        Self {
            importance,
            period: None,
            timeout: None,
            unhealthy_after: None,
            healthy_after: None,
            stale_after: None,
        }
    }

    /// [`Importance::Critical`].
    pub fn critical() -> Self {
        Self::new(Importance::Critical)
    }

    /// [`Importance::Optional`].
    pub fn optional() -> Self {
        Self::new(Importance::Optional)
    }

    /// [`Importance::Shared`].
    pub fn shared() -> Self {
        Self::new(Importance::Shared)
    }

    /// [`Timing::period`].
    pub fn every(self, period: Duration) -> Self {
        Self { period: Some(period), ..self }
    }

    /// [`Timing::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// [`Timing::unhealthy_after`].
    pub fn unhealthy_after(self, failures: u32) -> Self {
        Self { unhealthy_after: Some(failures), ..self }
    }

    /// [`Timing::healthy_after`].
    pub fn healthy_after(self, successes: u32) -> Self {
        Self { healthy_after: Some(successes), ..self }
    }

    /// [`Timing::stale_after`].
    pub fn stale_after(self, periods: u32) -> Self {
        Self { stale_after: Some(periods), ..self }
    }

    /// With what the settings say.
    pub(crate) fn below(self, said: &CheckSettings) -> Self {
        Self {
            importance: said.importance.unwrap_or(self.importance),
            period: said.period.or(self.period),
            timeout: said.timeout.or(self.timeout),
            unhealthy_after: said.unhealthy_after.or(self.unhealthy_after),
            healthy_after: said.healthy_after.or(self.healthy_after),
            stale_after: self.stale_after,
        }
    }

    pub(crate) fn timing(&self, defaults: &Timing) -> Timing {
        Timing {
            period: self.period.unwrap_or(defaults.period),
            jitter: defaults.jitter,
            timeout: self.timeout.unwrap_or(defaults.timeout),
            unhealthy_after: self.unhealthy_after.unwrap_or(defaults.unhealthy_after),
            healthy_after: self.healthy_after.unwrap_or(defaults.healthy_after),
            stale_after: self.stale_after.unwrap_or(defaults.stale_after),
        }
    }
}

impl Default for Check {
    /// [`Check::critical`].
    fn default() -> Self {
        Self::critical()
    }
}
