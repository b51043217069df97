//! Trying again, where that is harmless and affordable.

use super::Error;
use super::budget::Budget;
use super::targets::{lock, retries};
use crate::connection::after;
use crate::{BoxError, current};
use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use metrics::{Counter, Recorder};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

/// The layer that tries again: around [`Outbound`](super::Outbound), so that each try is a call of its own.
///
/// | what | when |
/// |---|---|
/// | the request | its method is idempotent (RFC 9110, section 9.2.2), and its body can be cloned: one that is consumed as it is sent cannot, by its type |
/// | the outcome | no response, or 429, 502, 503 or 504. Not an open circuit, and not a call whose time was over |
/// | the budget | a tenth of all calls, and ten a second: in an outage a target sees a tenth more, not three times as much |
/// | how often | twice, after a random time up to 50 ms and 100 ms, or after `Retry-After` in seconds, 5 at most |
/// | the deadline | what is left of the time of the request being served is longer than the pause |
///
/// `http_client_retries_total{outcome}` counts what was `tried` again and what the budget `refused`.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct Retry {
    shared: Arc<Shared>,
    most: u32,
    pause: Duration,
}

struct Shared {
    budget: Mutex<Budget>,
    dice: RandomState,
    rolled: AtomicU64,
    tried: Counter,
    refused: Counter,
}

/// A server may ask for more patience than a caller has.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Retry {
    /// Counts with `recorder`. All clones share one budget.
    pub fn new(recorder: &dyn Recorder) -> Self {
        let shared = Shared {
            budget: Mutex::new(Budget::new(0.1, 10, Instant::now())),
            dice: RandomState::new(),
            rolled: AtomicU64::new(0),
            tried: retries(recorder, "tried"),
            refused: retries(recorder, "refused"),
        };
        Self { shared: Arc::new(shared), most: 2, pause: Duration::from_millis(50) }
    }

    /// How often one request is tried again. Default: twice.
    pub fn most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// The longest pause before the first retry; it doubles with each. Default: 50 ms.
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// A random part of the pause before retry number `tried`, counted from 0 ("full jitter").
    fn jitter(&self, tried: u32) -> Duration {
        let longest = self.pause.saturating_mul(1 << tried.min(10)).min(LONGEST_PAUSE);
        // a keyed hash of a number never used twice is random enough for this
        let number = self.shared.rolled.fetch_add(1, Relaxed);
        longest / (1 << 16) * u32::from(self.shared.dice.hash_one(number) as u16)
    }
}

impl<S> tower_layer::Layer<S> for Retry {
    type Service = Retrying<S>;

    fn layer(&self, inner: S) -> Retrying<S> {
        Retrying { inner, retry: self.clone() }
    }
}

/// A service with [`Retry`] around it.
#[derive(Clone)]
pub struct Retrying<S> {
    inner: S,
    retry: Retry,
}

/// The future of [`Retrying`].
pub type Retried<R> = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

impl<S, B, R> Service<Request<B>> for Retrying<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Retried<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Retried<R> {
        lock(&self.retry.shared.budget).called();
        // the clone that is ready goes with the request
        let fresh = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, fresh);
        let retry = self.retry.clone();
        // asked here, where the request being served is known
        let deadline = current::deadline();
        let repeatable = is_idempotent(request.method());
        Box::pin(async move {
            let mut next = Some(request);
            let mut tried = 0;
            loop {
                let Some(request) = next.take() else { return Err("there is no request to send".into()) };
                if repeatable && tried < retry.most {
                    next = Some(request.clone());
                }
                let result = service.call(request).await.map_err(Into::into);
                let Some(pause) = next.is_some().then(|| pause(&result)).flatten() else { return result };
                let pause = pause.unwrap_or_else(|| retry.jitter(tried));
                let until = after(Instant::now(), pause);
                if deadline.is_some_and(|deadline| until >= deadline) {
                    return result;
                }
                if !lock(&retry.shared.budget).take(Instant::now()) {
                    retry.shared.refused.increment(1);
                    return result;
                }
                drop(result);
                retry.shared.tried.increment(1);
                tried += 1;
                sleep_until(until).await;
                std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            }
        })
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// Whether it may be tried again, and after how long where the server said so.
fn pause<R>(result: &Result<Response<R>, BoxError>) -> Option<Option<Duration>> {
    match result {
        // neither would end differently
        Err(error) => (!error.is::<Error>()).then_some(None),
        Ok(response) => {
            let again = matches!(
                response.status(),
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            if !again {
                return None;
            }
            let Some(asked) = response.headers().get(RETRY_AFTER) else { return Some(None) };
            let seconds = asked.to_str().ok()?.trim().parse().ok()?;
            let asked = Duration::from_secs(seconds);
            (asked <= LONGEST_PAUSE).then_some(Some(asked))
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("most", &self.most).field("pause", &self.pause).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Retrying<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying").field("retry", &self.retry).finish_non_exhaustive()
    }
}
