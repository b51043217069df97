use crate::{Health, Probe};
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Instant;
use tower_service::Service;

mod body;
mod query;

use query::Query;

/// The three probes over HTTP: a tower service that answers from memory, at once.
///
/// | path | alias | yes | no |
/// |---|---|---|---|
/// | `/health/startup` | `/startupz` | 200 `ok` | 503 `initializing` |
/// | `/health/live` | `/livez` | 200 `alive` | 503 `dead` |
/// | `/health/ready` | `/readyz` | 200 `ready` or `degraded` | 503 `not_ready` |
///
/// `GET` and `HEAD` only; anything else is 405. The body is `{"status":"ready","type":"readiness"}`, or
/// `application/health+json` (draft-inadarei-api-health-check-06) for who accepts that by name. Never cached.
///
/// [`Probes::detailed`] knows more: `?verbose` shows everything the answer is made of, `?exclude=name` (repeatable)
/// leaves checks out of readiness, `/health/ready/<check>` asks for a single check, and `/health/group/<group>` whether its
/// checks let the process be ready. A name that no check has changes
/// no answer and is a warning in the verbose body, as in kube-apiserver, so that a probe may name a check that only
/// some versions of a service have.
#[derive(Clone, Debug)]
pub struct Probes {
    health: Health,
    clock: fn() -> Instant,
    detailed: bool,
}

const ONE_CHECK: &str = "/health/ready/";
const ONE_GROUP: &str = "/health/group/";

impl Probes {
    /// For the port that everybody reaches: three answers, no query, no detail. A dependency's name is detail too.
    ///
    /// `clock` tells the moment of a request: `Instant::now` in production, a paused one in tests.
    pub fn public(health: Health, clock: fn() -> Instant) -> Self {
        Self { health, clock, detailed: false }
    }

    /// For the operators' port: with `?verbose`, `?exclude` and single checks, and with the reasons.
    pub fn detailed(health: Health, clock: fn() -> Instant) -> Self {
        Self { health, clock, detailed: true }
    }

    /// Whether this service answers requests for `path`; all others get 404. `path` is without the query.
    pub fn matches(&self, path: &str) -> bool {
        self.target(path).is_some()
    }

    /// Answers one request.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let Some(target) = self.target(request.uri().path()) else {
            return respond(StatusCode::NOT_FOUND, JSON, body::error("not found"), request.method());
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = respond(
                StatusCode::METHOD_NOT_ALLOWED,
                JSON,
                body::error("only GET and HEAD are allowed"),
                request.method(),
            );
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let query = match self.detailed.then(|| Query::parse(request.uri().query().unwrap_or_default())) {
            None => Query::default(),
            Some(Ok(query)) => query,
            Some(Err(text)) => {
                return respond(StatusCode::BAD_REQUEST, JSON, body::error(text), request.method());
            }
        };
        let health_json = accepts_health_json(request.headers());
        let now = (self.clock)();
        let (ok, text) = match target {
            Target::Probe(probe) => self.probe(probe, &query, health_json, now),
            Target::Group(name) => match self.health.group_report(name, now) {
                Some(report) => (report.is_ok(), body::group(name, &report, query.verbose)),
                None => {
                    return respond(
                        StatusCode::NOT_FOUND,
                        JSON,
                        body::error("no group has this name"),
                        request.method(),
                    );
                }
            },
            Target::Check(name) => match self.health.check_report(name, now) {
                Some(check) => (check.status.is_good(), body::check(&check, query.verbose)),
                None => {
                    return respond(
                        StatusCode::NOT_FOUND,
                        JSON,
                        body::error("no check has this name"),
                        request.method(),
                    );
                }
            },
        };
        let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let format = if health_json && matches!(target, Target::Probe(_)) { HEALTH_JSON } else { JSON };
        respond(status, format, text, request.method())
    }

    fn probe(&self, probe: Probe, query: &Query<'_>, health_json: bool, now: Instant) -> (bool, Bytes) {
        let without = if probe == Probe::Readiness { &query.exclude[..] } else { &[] };
        if self.detailed && (health_json || query.verbose) {
            let report = self.health.report(probe, without, now);
            let text = if health_json {
                body::health_json(&report, self.health.settings())
            } else {
                body::verbose(&report)
            };
            return (report.is_ok(), text);
        }
        let verdict = self.health.verdict_without(probe, without, now);
        (
            verdict.is_ok(),
            if health_json { body::short_health_json(verdict) } else { body::plain(probe, verdict) },
        )
    }

    fn target<'a>(&self, path: &'a str) -> Option<Target<'a>> {
        match path {
            "/health/live" | "/livez" => Some(Target::Probe(Probe::Liveness)),
            "/health/ready" | "/readyz" => Some(Target::Probe(Probe::Readiness)),
            "/health/startup" | "/startupz" => Some(Target::Probe(Probe::Startup)),
            path if self.detailed => {
                let check = path.strip_prefix(ONE_CHECK).map(Target::Check);
                check.or_else(|| path.strip_prefix(ONE_GROUP).map(Target::Group))
            }
            _ => None,
        }
    }
}

impl<B> Service<Request<B>> for Probes {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

#[derive(Clone, Copy)]
enum Target<'a> {
    Check(&'a str),
    Group(&'a str),
    Probe(Probe),
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HEALTH_JSON: HeaderValue = HeaderValue::from_static("application/health+json");

fn respond(status: StatusCode, format: HeaderValue, body: Bytes, method: &Method) -> Response<Full<Bytes>> {
    let length = HeaderValue::from(body.len());
    // The answer to HEAD is that of GET without its body (RFC 9110, section 9.3.2).
    let body = if method == Method::HEAD { Bytes::new() } else { body };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether `application/health+json` is asked for by name. Wildcards ask for no special format.
fn accepts_health_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/health+json"));
        let refused = |part: &str| {
            part.split_once('=').is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
            })
        };
        named && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests;
