//! A request under observation, to the head of its response.

use super::answer::problem;
use super::body::ObservedBody;
use super::exchange::{Outcome, Record};
use super::pool::Held;
use crate::BoxError;
use crate::body::ReadTimeout;
use crate::current::{Listening, Lost, Until};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::LengthLimitError;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// The future of [`Observed`](super::Observed).
///
/// Dropping it before its end is how a client that disconnects cancels the service.
#[must_use = "futures do nothing unless polled"]
pub struct ObservedFuture<F> {
    // before the record: the service's work ends before its request does
    state: State<F>,
    // only what has to wait gets one
    timer: Option<Pin<Box<Sleep>>>,
    record: Option<Held>,
}

enum State<F> {
    /// In one place from the beginning: on its way to where it is polled, it would be copied half a dozen times, with
    /// the whole request in it.
    Running(Pin<Box<F>>),
    Refused(Box<Refusal>),
    Done,
}

impl<F> ObservedFuture<F> {
    pub(super) fn running(record: Held, future: Pin<Box<F>>) -> Self {
        Self { state: State::Running(future), timer: None, record: Some(record) }
    }

    pub(super) fn refused(record: Held, refusal: Refusal) -> Self {
        Self { state: State::Refused(Box::new(refusal)), timer: None, record: Some(record) }
    }
}

impl<F, B, E> Future for ObservedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: http_body::Body,
{
    type Output = Result<Response<ObservedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // polled after its end, it has nothing more to say
        let Some(record) = &mut this.record else { return Poll::Pending };
        let refusal = match &mut this.state {
            State::Done => return Poll::Pending,
            State::Refused(_) => None,
            State::Running(future) => {
                let listening = Listening::start();
                let polled = {
                    let _scope = record.enter();
                    let _client = record.enter_client();
                    let deadline =
                        record.timeout().map(|timeout| crate::connection::after(record.start, timeout));
                    let _until = Until::enter(deadline);
                    caught(|| future.as_mut().poll(cx))
                };
                let told = listening.end();
                let waiting = told.as_ref().is_some_and(|told| told.waiting);
                record.note(told);
                match polled {
                    Ok(Poll::Ready(Ok(response)))
                        if record.lost.is_some_and(|_| record.is_of_body(&response)) =>
                    {
                        Some(match record.lost {
                            Some(Lost::Large) => Refusal::too_large(),
                            _ => Refusal::timed_out(true),
                        })
                    }
                    Ok(Poll::Ready(Ok(response))) => {
                        this.state = State::Done;
                        return Poll::Ready(Ok(answered(&mut this.record, response)));
                    }
                    Ok(Poll::Ready(Err(error))) => Some(Refusal::failed(error.into())),
                    Err(panicked) => Some(Refusal::panicked(panicked)),
                    Ok(Poll::Pending) => {
                        let Some(timeout) = record.timeout() else { return Poll::Pending };
                        let timer = this.timer.get_or_insert_with(|| {
                            Box::pin(sleep_until(crate::connection::after(record.start, timeout)))
                        });
                        if timer.as_mut().poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                        // the time of a call is what its client gave it, whoever kept whom waiting
                        Some(Refusal::timed_out(waiting && record.call.is_none()))
                    }
                }
            }
        };
        let refusal = match std::mem::replace(&mut this.state, State::Done) {
            State::Refused(refusal) => Some(*refusal),
            running => {
                // the service's future is dropped here: within its trace, and with whatever it does then
                let _scope = record.enter();
                let _ = caught(|| drop(running));
                refusal
            }
        };
        let (Some(refusal), Some(mut record)) = (refusal, this.record.take()) else { return Poll::Pending };
        let mut response = match &mut record.call {
            None => problem(refusal.status, &record),
            Some(call) => {
                let answer = super::grpc::answer(&refusal);
                call.meets(answer.headers());
                answer
            }
        };
        record.error = refusal.error;
        let empty = response.body().is_empty();
        settle(&mut record, &mut response, empty, refusal.outcome);
        Poll::Ready(Ok(response.map(|bytes| ObservedBody::own(bytes, record, refusal.outcome))))
    }
}

fn answered<B: http_body::Body>(
    record: &mut Option<Held>,
    mut response: Response<B>,
) -> Response<ObservedBody<B>> {
    // as a rule the head says what the body does, and that is asked at less
    let length = response.body().size_hint().exact().or_else(|| declared(response.headers()));
    let empty = length == Some(0) || response.body().is_end_stream();
    let record = record.take().map(|mut record| {
        if record.call.is_some() {
            record.answers_call(&response);
        }
        settle(&mut record, &mut response, empty, Outcome::Completed);
        record
    });
    response.map(|body| ObservedBody::new(body, record, length))
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    /// The hash of a name costs more than a look at this many others.
    const FEW: usize = 8;
    let length = if headers.len() <= FEW {
        headers.iter().find_map(|(name, value)| (*name == CONTENT_LENGTH).then_some(value))
    } else {
        headers.get(CONTENT_LENGTH)
    };
    length?.to_str().ok()?.parse().ok()
}

/// The head is there. Where no body follows, that was it.
fn settle<B>(record: &mut Record, response: &mut Response<B>, empty: bool, outcome: Outcome) {
    let status = response.status();
    record.status = Some(status);
    record.answered(outcome);
    let headers = response.headers_mut();
    let trace = super::request_id::of_trace(record.context.trace_id());
    let id = match &record.request_id {
        Some(id) => {
            headers.insert(super::request_id::TRACE, trace);
            id.clone()
        }
        None => trace,
    };
    headers.insert(super::request_id::HEADER, id);
    let no_body = empty
        || record.method == Method::HEAD
        || (record.method == Method::CONNECT && status.is_success())
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if no_body {
        record.finish(outcome);
    }
}

/// Why the layer answers instead of the service.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) outcome: Outcome,
    error: Option<BoxError>,
}

impl Refusal {
    pub(super) fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, outcome: Outcome::BodyRefused, error: None }
    }

    pub(super) fn shed() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, outcome: Outcome::Shed, error: None }
    }

    pub(super) fn panicked(panicked: Panicked) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, outcome: Outcome::Panicked, error: Some(panicked.into()) }
    }

    fn timed_out(waiting_for_body: bool) -> Self {
        if waiting_for_body {
            Self { status: StatusCode::REQUEST_TIMEOUT, outcome: Outcome::BodyRefused, error: None }
        } else {
            Self { status: StatusCode::SERVICE_UNAVAILABLE, outcome: Outcome::TimedOut, error: None }
        }
    }

    fn failed(error: BoxError) -> Self {
        /// Errors wrap errors, but not for ever.
        const DEPTH: usize = 16;
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
        for _ in 0..DEPTH {
            let Some(error) = cause else { break };
            if error.is::<LengthLimitError>() {
                return Self::too_large();
            }
            if error.is::<ReadTimeout>() {
                return Self::timed_out(true);
            }
            cause = error.source();
        }
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, outcome: Outcome::Failed, error: Some(error) }
    }
}

/// What a panic said.
#[derive(Debug)]
pub(super) struct Panicked(Box<str>);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl Error for Panicked {}

/// Runs the service's code. What it leaves behind when it panics is dropped, and never called again.
pub(super) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panicked(message(&*payload).into()))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    const MAX: usize = 1024;
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("a value that is not text", String::as_str),
    };
    super::exchange::bounded(text, MAX)
}
