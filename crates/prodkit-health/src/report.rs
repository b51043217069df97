use crate::{Importance, Lifecycle, Status};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One of the three questions an orchestrator asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Probe {
    /// Is it in a state that only a restart can cure?
    Liveness,
    /// May it be sent requests?
    Readiness,
    /// Has it come up?
    Startup,
}

impl Probe {
    /// The word used in bodies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The answer to a [`Probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Yes, with something missing. Only readiness knows it.
    Degraded,
    /// No.
    Fail,
    /// Yes.
    Pass,
}

impl Verdict {
    /// Whether the answer is yes.
    pub fn is_ok(self) -> bool {
        !matches!(self, Self::Fail)
    }

    /// The word used in the body of this probe.
    pub fn word(self, probe: Probe) -> &'static str {
        match (probe, self) {
            (Probe::Liveness, Self::Fail) => "dead",
            (Probe::Liveness, _) => "alive",
            (Probe::Readiness, Self::Degraded) => "degraded",
            (Probe::Readiness, Self::Fail) => "not_ready",
            (Probe::Readiness, Self::Pass) => "ready",
            (Probe::Startup, Self::Fail) => "initializing",
            (Probe::Startup, _) => "ok",
        }
    }
}

/// The answer to a probe, with all that led to it. For operators: it names dependencies and quotes their errors.
///
/// As JSON it is the verbose body.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The answer in one word.
    pub status: &'static str,
    /// Which question.
    #[serde(rename = "type")]
    pub probe: Probe,
    /// The answer.
    #[serde(skip)]
    pub verdict: Verdict,
    /// Where the process is in its life.
    pub lifecycle: Lifecycle,
    /// Why the answer is no, or degraded. Each is a sentence without its period.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What the start still waits for. Startup only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
    /// Every check and reporter, in order of registration. Readiness only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckReport>,
    /// What was asked for and could not be done, such as leaving out a check that does not exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether the answer is yes.
    pub fn is_ok(&self) -> bool {
        self.verdict.is_ok()
    }
}

/// Something the start still waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pending {
    /// Its name.
    pub name: Arc<str>,
    /// Why, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// For how long.
    #[serde(rename = "for_ms", serialize_with = "millis")]
    pub age: Duration,
}

/// One check or reporter at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Its name.
    pub name: Arc<str>,
    /// What is known.
    pub status: Status,
    /// What it means to readiness.
    pub importance: Importance,
    /// Whether the question left it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub excluded: bool,
    /// Why it is not, or might soon not be, good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// How many results in a row were equal.
    pub streak: u32,
    /// How long its last run took. Never for a reporter.
    #[serde(rename = "took_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// What 99 of 100 of its last 128 runs kept to. Never for a reporter.
    #[serde(rename = "p99_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub p99: Option<Duration>,
    /// How long ago its last result came.
    #[serde(rename = "age_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// What its status was before it moved to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Status>,
    /// For how long it has had this status.
    #[serde(rename = "since_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    pub since: Option<Duration>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Where the process is in its life.
    pub lifecycle: Lifecycle,
    /// The answer to the startup probe.
    pub startup: Report,
    /// The answer to the liveness probe.
    pub liveness: Report,
    /// The answer to the readiness probe.
    pub readiness: Report,
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn maybe_millis<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => millis(duration, serializer),
        None => serializer.serialize_none(),
    }
}
