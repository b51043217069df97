//! What is written. The short bodies are constants: a probe must not fail for want of memory.

use crate::{CheckReport, Probe, Report, Settings, Status, Verdict};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn plain(probe: Probe, verdict: Verdict) -> Bytes {
    Bytes::from_static(match (probe, verdict) {
        (Probe::Liveness, Verdict::Fail) => br#"{"status":"dead","type":"liveness"}"#,
        (Probe::Liveness, _) => br#"{"status":"alive","type":"liveness"}"#,
        (Probe::Readiness, Verdict::Degraded) => br#"{"status":"degraded","type":"readiness"}"#,
        (Probe::Readiness, Verdict::Fail) => br#"{"status":"not_ready","type":"readiness"}"#,
        (Probe::Readiness, Verdict::Pass) => br#"{"status":"ready","type":"readiness"}"#,
        (Probe::Startup, Verdict::Fail) => br#"{"status":"initializing","type":"startup"}"#,
        (Probe::Startup, _) => br#"{"status":"ok","type":"startup"}"#,
    })
}

pub(crate) fn short_health_json(verdict: Verdict) -> Bytes {
    Bytes::from_static(match verdict {
        Verdict::Degraded => br#"{"status":"warn"}"#,
        Verdict::Fail => br#"{"status":"fail"}"#,
        Verdict::Pass => br#"{"status":"pass"}"#,
    })
}

pub(crate) fn error(text: &str) -> Bytes {
    json(&BTreeMap::from([("error", text)]))
}

pub(crate) fn verbose(report: &Report) -> Bytes {
    json(report)
}

pub(crate) fn group(name: &str, report: &Report, verbose: bool) -> Bytes {
    if verbose {
        json(report)
    } else {
        json(&BTreeMap::from([("status", report.status), ("type", report.probe.name()), ("group", name)]))
    }
}

pub(crate) fn check(check: &CheckReport, verbose: bool) -> Bytes {
    if verbose {
        json(check)
    } else {
        json(&BTreeMap::from([("status", check.status.name()), ("type", "check")]))
    }
}

/// `application/health+json`, draft-inadarei-api-health-check-06, section 3.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthJson<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_id: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    output: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, [Component<'a>; 1]>,
}

/// Section 4 of the same draft.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    component_id: &'a str,
    component_type: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_value: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Arc<str>>,
}

impl<'a> Component<'a> {
    fn new(check: &'a CheckReport) -> Self {
        let took = check.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        let status = match check.status {
            Status::Healthy => "pass",
            Status::Degraded | Status::Unknown => "warn",
            Status::Failing | Status::Stale => "fail",
        };
        Self {
            component_id: &check.name,
            component_type: "component",
            status,
            observed_value: took,
            observed_unit: took.map(|_| "ms"),
            output: check.reason.as_ref().filter(|_| status != "pass"),
        }
    }

    /// `componentName:measurementName`, or the name alone where nothing is measured (section 4).
    fn key(&self) -> String {
        match self.observed_value {
            Some(_) => format!("{}:responseTime", self.component_id),
            None => self.component_id.to_owned(),
        }
    }
}

pub(crate) fn health_json(report: &Report, settings: &Settings) -> Bytes {
    let components = report.checks.iter().map(Component::new);
    json(&HealthJson {
        status: match report.verdict {
            Verdict::Degraded => "warn",
            Verdict::Fail => "fail",
            Verdict::Pass => "pass",
        },
        version: settings.version.as_deref(),
        service_id: settings.service.as_deref(),
        output: report.reasons.join("; "),
        notes: &report.warnings,
        checks: components.map(|component| (component.key(), [component])).collect(),
    })
}

/// Strings and numbers only: it cannot fail. If it ever does, an empty body says less but nothing wrong.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
