//! Two metrics of each route, looked up once.

use crate::refused::{Refusals, Refused};
use http::{Method, StatusCode};
use metrics::{Counter, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit};
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";

/// The one series of requests without a route: paths are chosen by whoever sends them.
const UNMATCHED: &str = "unmatched";

/// Routes are templates, but a service may set what it likes: those in excess share a series.
const MAX_ROUTES: usize = 2000;
const OVERFLOW: &str = "_OTHER";

/// Methods that are labels (RFC 9110, RFC 5789, QUERY); any other token is `_OTHER`, as OpenTelemetry has it.
const METHODS: [&str; 11] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY", "_OTHER"];

type DynRecorder = dyn Recorder + Send + Sync;

/// The metrics of all routes under one layer.
pub(super) struct Metrics {
    recorder: Arc<DynRecorder>,
    routes: RwLock<HashMap<Arc<str>, Arc<RouteMetrics>>>,
    unmatched: RouteMetrics,
    overflow: Arc<RouteMetrics>,
    refusals: Refusals,
}

impl Metrics {
    pub(super) fn new(recorder: Arc<DynRecorder>) -> Self {
        recorder.describe_counter(REQUESTS.into(), Some(Unit::Count), "Requests, by status.".into());
        let what = "Time from a request's head to the last byte of its response.";
        recorder.describe_histogram(DURATION.into(), Some(Unit::Seconds), what.into());
        Self {
            recorder,
            refusals: Refusals::default(),
            routes: RwLock::default(),
            unmatched: RouteMetrics::new(UNMATCHED),
            overflow: Arc::new(RouteMetrics::new(OVERFLOW)),
        }
    }

    pub(super) fn recorder(&self) -> &DynRecorder {
        &*self.recorder
    }

    /// Counts a request that the service does not get to see, besides counting it as any other.
    #[cold]
    pub(super) fn refuse(&self, refused: Refused) {
        self.refusals.measure(&*self.recorder);
        self.refusals.count(refused);
    }

    pub(super) fn unmatched(&self) -> &RouteMetrics {
        &self.unmatched
    }

    /// Looked up only where it is not the one that was `first`.
    pub(super) fn route_or(&self, first: &OnceLock<Arc<RouteMetrics>>, route: &str) -> Arc<RouteMetrics> {
        let first = first.get_or_init(|| self.route(route));
        if first.name() == route { first.clone() } else { self.route(route) }
    }

    /// A route that was there before.
    pub(super) fn known(&self, route: &str) -> Option<Arc<RouteMetrics>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route).cloned()
    }

    fn route(&self, route: &str) -> Arc<RouteMetrics> {
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return known.clone();
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if routes.len() >= MAX_ROUTES && !routes.contains_key(route) {
            return self.overflow.clone();
        }
        let new = || Arc::new(RouteMetrics::new(route));
        routes.entry(route.into()).or_insert_with(new).clone()
    }
}

/// The metrics of one route.
pub(crate) struct RouteMetrics {
    name: Arc<str>,
    methods: [OnceLock<MethodMetrics>; METHODS.len()],
}

struct MethodMetrics {
    /// By status, in the order in which they first came: the first is nearly always the one.
    statuses: [OnceLock<(StatusCode, StatusMetrics)>; 6],
    more: Mutex<HashMap<StatusCode, StatusMetrics>>,
    known: Known,
}

struct StatusMetrics {
    requests: Counter,
    duration: Histogram,
}

impl StatusMetrics {
    #[inline]
    fn add(&self, took: Duration) {
        self.requests.increment(1);
        self.duration.record(took.as_secs_f64());
    }
}

/// What the observer knows of all exchanges of a route and a method.
pub(super) type Known = OnceLock<Box<dyn Any + Send + Sync>>;

impl RouteMetrics {
    fn new(name: &str) -> Self {
        Self { name: name.into(), methods: [const { OnceLock::new() }; METHODS.len()] }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `None` for methods that share a label, and before the first was counted.
    pub(super) fn known(&self, method: &Method) -> Option<&Known> {
        let index = index_of(method);
        let metrics = self.methods[..METHODS.len() - 1].get(index)?.get()?;
        Some(&metrics.known)
    }

    pub(super) fn count(&self, recorder: &DynRecorder, method: &Method, status: StatusCode, took: Duration) {
        let index = index_of(method);
        let method = METHODS[index];
        let metrics = self.methods[index].get_or_init(|| MethodMetrics {
            statuses: [const { OnceLock::new() }; 6],
            more: Mutex::default(),
            known: Known::new(),
        });
        let register = || StatusMetrics {
            requests: recorder.register_counter(&key(REQUESTS, &self.name, method, status), &METADATA),
            duration: recorder.register_histogram(&key(DURATION, &self.name, method, status), &METADATA),
        };
        for slot in &metrics.statuses {
            let (known, metrics) = slot.get_or_init(|| (status, register()));
            if *known == status {
                return metrics.add(took);
            }
        }
        let mut more = metrics.more.lock().unwrap_or_else(PoisonError::into_inner);
        more.entry(status).or_insert_with(register).add(took);
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

fn key(name: &'static str, route: &Arc<str>, method: &'static str, status: StatusCode) -> Key {
    let labels = vec![
        Label::from_static_parts("method", method),
        Label::new("endpoint", SharedString::from_shared(route.clone())),
        Label::new("status", status.as_str().to_owned()),
    ];
    Key::from_parts(name, labels)
}

fn index_of(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::HEAD => 4,
        Method::PATCH => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        ref other if other.as_str() == "QUERY" => 9,
        _ => METHODS.len() - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_own_label() {
        for (index, name) in METHODS.iter().enumerate() {
            let method = Method::from_bytes(name.as_bytes()).expect("a token");
            assert_eq!(index_of(&method), index, "{name}");
        }
        for other in ["get", "PROPFIND", "X"] {
            assert_eq!(METHODS[index_of(&Method::from_bytes(other.as_bytes()).expect("a token"))], "_OTHER");
        }
    }

    #[test]
    fn routes_in_excess_share_one_series() {
        let metrics = Metrics::new(Arc::new(metrics::NoopRecorder));
        for route in 0..MAX_ROUTES {
            assert_eq!(metrics.route(&format!("/{route}")).name(), format!("/{route}"));
        }
        assert_eq!(metrics.route("/one-more").name(), OVERFLOW);
        assert_eq!(metrics.route("/0").name(), "/0");
    }
}
