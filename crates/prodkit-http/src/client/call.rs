//! One call.

use super::breaker::{Ended, Leave};
use super::targets::{Outcome, Target};
use super::{Error, Outbound, after};
use crate::{BoxError, current};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

/// A service with [`Outbound`] around it.
#[derive(Clone)]
pub struct Calling<S> {
    inner: S,
    outbound: Outbound,
}

impl<S> Calling<S> {
    pub(super) fn new(inner: S, outbound: Outbound) -> Self {
        Self { inner, outbound }
    }
}

impl<S> fmt::Debug for Calling<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Calling<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Call<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Call<S::Future> {
        let now = Instant::now();
        let target = self.outbound.targets.of(request.uri());
        let leave = match target.ask(now) {
            Ok(leave) => leave,
            Err(wait) => {
                target.measure(request.method(), Outcome::Open, Duration::ZERO);
                let error = Error::Open { server: target.server.clone(), wait };
                return Call {
                    state: State::Refused { error: Some(error.into()) },
                    timer: None,
                    underway: None,
                };
            }
        };
        let own = self.outbound.timeout.map(|timeout| after(now, timeout));
        let deadline = [own, current::deadline()].into_iter().flatten().min();
        let given = deadline.map(|deadline| deadline.saturating_duration_since(now));
        prepare(request.headers_mut(), given);
        target.begin();
        let underway =
            Underway { target, leave, method: request.method().clone(), begun: now, given, ended: None };
        Call {
            state: State::Running { future: self.inner.call(request) },
            timer: deadline.map(sleep_until),
            underway: Some(underway),
        }
    }
}

/// Writes the trace into the headers, and for gRPC what time is left.
fn prepare(headers: &mut HeaderMap, given: Option<Duration>) {
    prodkit_trace::inject(|name, value| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    });
    if let Some(given) = given
        && headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
    {
        headers.insert("grpc-timeout", grpc_timeout(given));
    }
}

/// At most eight digits and a unit ("gRPC over HTTP2", Timeout).
fn grpc_timeout(given: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let (micros, millis, seconds) = (given.as_micros(), given.as_millis(), u128::from(given.as_secs()));
    let text = match () {
        () if micros <= MOST => format!("{micros}u"),
        () if millis <= MOST => format!("{millis}m"),
        () => format!("{}S", seconds.min(MOST)),
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("1S"))
}

pin_project! {
    /// The future of [`Calling`]. Dropping it ends the call.
    #[must_use = "futures do nothing unless polled"]
    pub struct Call<F> {
        #[pin]
        state: State<F>,
        #[pin]
        timer: Option<Sleep>,
        underway: Option<Underway>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Running { #[pin] future: F },
        Refused { error: Option<BoxError> },
    }
}

/// A call on its way; told to the target when it ends, however it does.
struct Underway {
    target: Arc<Target>,
    leave: Option<Leave>,
    method: Method,
    begun: Instant,
    given: Option<Duration>,
    ended: Option<(Ended, Outcome)>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let now = Instant::now();
        let (ended, outcome) = self.ended.unwrap_or((Ended::Dropped, Outcome::Dropped));
        self.target.end(self.leave, ended, now);
        self.target.measure(&self.method, outcome, now.saturating_duration_since(self.begun));
    }
}

impl<F, R, E> Future for Call<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = match this.state.project() {
            StateProjection::Refused { error } => {
                // polled after its end, it has nothing more to say
                return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
            }
            StateProjection::Running { future } => future,
        };
        if this.underway.is_none() {
            return Poll::Pending;
        }
        let (result, ended) = match future.poll(cx) {
            Poll::Ready(Ok(response)) => {
                let ended = if failed(&response) { Ended::Failed } else { Ended::Answered };
                let outcome = Outcome::Answered(response.status());
                (Ok(response), (ended, outcome))
            }
            Poll::Ready(Err(error)) => (Err(error.into()), (Ended::Failed, Outcome::Error)),
            Poll::Pending => {
                let Some(timer) = this.timer.as_pin_mut() else { return Poll::Pending };
                ready!(timer.poll(cx));
                let Some(Underway { target, given, .. }) = &this.underway else { return Poll::Pending };
                let server = target.server.clone();
                let error = Error::TimedOut { server, after: given.unwrap_or_default() };
                (Err(error.into()), (Ended::Failed, Outcome::TimedOut))
            }
        };
        if let Some(underway) = this.underway {
            underway.ended = Some(ended);
        }
        *this.underway = None;
        Poll::Ready(result)
    }
}

fn failed<R>(response: &Response<R>) -> bool {
    // a gRPC answer without a message has its status among the headers
    let code = response.headers().get("grpc-status").map(HeaderValue::as_bytes);
    response.status().is_server_error() || matches!(code, Some(b"4" | b"13" | b"14"))
}

impl<F> fmt::Debug for Call<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_grpc_has_eight_digits_at_most() {
        for (given, expected) in [
            (Duration::ZERO, "0u"),
            (Duration::from_micros(1), "1u"),
            (Duration::from_micros(99_999_999), "99999999u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_millis(99_999_999), "99999999m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(grpc_timeout(given), expected);
        }
    }
}
