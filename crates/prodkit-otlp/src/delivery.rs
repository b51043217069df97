//! Delivering one request for good: attempts, pauses, and what the answer says.

use crate::books::Settled;
use crate::end::End;
use crate::outage::{Line, Outage};
use crate::signal::Kind;
use crate::transport::{Attempt, Transport, Why};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prodkit_trace::SpanId;
use prost::Message;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The pause before the second attempt; it doubles from then on.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A message of a collector is shown up to here.
const MAX_MESSAGE: usize = 200;

/// Delivers the requests of one signal.
pub(crate) struct Delivery {
    pub(crate) kind: Kind,
    /// Where to, for people.
    pub(crate) to: String,
    pub(crate) transport: Transport,
    /// How long after the first attempt another may begin; `None` where there is only one.
    pub(crate) retry: Option<Duration>,
    /// All attempts for one request together.
    pub(crate) patience: Duration,
    /// No time for long pauses once this has been asked for.
    pub(crate) end: Arc<End>,
    pub(crate) outage: Arc<Mutex<Outage>>,
    pub(crate) losses: Arc<dyn Fn() -> Losses + Send + Sync>,
}

/// What all signals have lost since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
}

impl Delivery {
    /// Delivers a request of `n` items; says what became of them. Dropping the future gives up.
    pub(crate) async fn deliver(&self, body: Vec<u8>, n: u64) -> Settled {
        let body = self.transport.prepare(body);
        let begun = Instant::now();
        let deadline = begun + self.patience;
        let again_until = self.retry.map(|retry| deadline.min(begun + retry));
        let mut pauses = Pauses::default();
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let attempt = tokio::time::timeout(remaining, self.transport.send(body.clone())).await;
            let (why, pause) = match attempt {
                Ok(Attempt::Accepted(answer)) => return self.accepted(&answer, n),
                Ok(Attempt::Refused(why)) => (why, None),
                Ok(Attempt::Again { why, after }) => (why, self.pause(&mut pauses, why, after, again_until)),
                Err(_) => (Why::Timeout, None),
            };
            let Some(pause) = pause else {
                self.failed(why, n);
                return Settled { exported: 0, failed: n };
            };
            self.failed(why, 0);
            let ending = self.end.is_asked();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.end.asked(), if !ending => {}
            }
        }
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn pause(
        &self,
        pauses: &mut Pauses,
        why: Why,
        after: Option<Duration>,
        until: Option<Instant>,
    ) -> Option<Duration> {
        let (until, end) = (until?, self.end.deadline());
        // a collector that is not there does not hold up the end of the process
        if why.is_no_connection() && end.is_some() {
            return None;
        }
        let left = end.map_or(until, |end| end.min(until)).saturating_duration_since(Instant::now());
        let own = pauses.next(SpanId::random().to_u64());
        let asked = own.max(after.unwrap_or_default());
        if asked < left {
            return Some(asked);
        }
        // asked to wait for longer than the process lives: one more attempt is all there will be
        let last = end.is_some() && own < left && !std::mem::replace(&mut pauses.last, true);
        last.then_some(own)
    }

    fn accepted(&self, answer: &[u8], n: u64) -> Settled {
        let (rejected, message) = partial_success(answer, n);
        let (losses, now) = ((self.losses)(), Instant::now());
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = [
            outage.succeeded(self.kind, losses.dropped + losses.failed, now),
            outage.dropped(losses.dropped, now),
            outage.rejected(rejected, now),
        ];
        drop(outage);
        lines.into_iter().flatten().for_each(|line| self.say(line, &message));
        Settled { exported: n - rejected, failed: rejected }
    }

    /// Notes a failed attempt that lost `n` items.
    fn failed(&self, why: Why, n: u64) {
        let losses = (self.losses)();
        let lost = losses.dropped + losses.failed;
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let line = outage.failed(self.kind, n, lost, Instant::now());
        drop(outage);
        if let Some(line) = line {
            self.say(line, &why.to_string());
        }
    }

    /// Runs on the telemetry thread, where telemetry is suppressed: the line is logged and not exported.
    fn say(&self, line: Line, detail: &str) {
        let (signal, collector) = (self.kind.name(), &*self.to);
        match line {
            Line::Began { lost } => tracing::warn!(
                signal,
                collector,
                lost,
                reason = detail,
                "telemetry is not delivered; one more line when it is again"
            ),
            Line::Ended { lasted, lost } => {
                tracing::info!(
                    collector,
                    lost,
                    seconds = lasted.as_secs_f64(),
                    "telemetry is delivered again"
                );
            }
            Line::Rejected { count } => {
                tracing::warn!(
                    signal,
                    collector,
                    lost = count,
                    reason = detail,
                    "the collector rejected telemetry"
                );
            }
            Line::Overflowed { count } => tracing::warn!(
                collector,
                lost = count,
                "telemetry is dropped: more of it comes than is delivered"
            ),
        }
    }
}

/// How many of `n` items an answer rejects, and what it says about that.
///
/// The three response messages are the same on the wire: a `partial_success` in field 1, in which field 1 is the count
/// and field 2 the message. What cannot be read came with a status of success, and is taken for one.
pub(crate) fn partial_success(answer: &[u8], n: u64) -> (u64, String) {
    let Ok(ExportTraceServiceResponse { partial_success: Some(partial) }) = Message::decode(answer) else {
        return (0, String::new());
    };
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0).min(n);
    (rejected, partial.error_message.chars().filter(|char| !char.is_control()).take(MAX_MESSAGE).collect())
}

/// Exponential pauses with jitter.
#[derive(Debug, Default)]
struct Pauses {
    attempts: u32,
    /// The last attempt has been granted.
    last: bool,
}

impl Pauses {
    /// Between half of the pause and all of it, by random bits.
    fn next(&mut self, random: u64) -> Duration {
        let full = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(20)).min(LONGEST_PAUSE);
        self.attempts += 1;
        full.mul_f64(0.5 + 0.5 * (random >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceResponse,
    };
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    fn answer(rejected_spans: i64, error_message: &str) -> Vec<u8> {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans, error_message: error_message.into() });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    #[test]
    fn what_an_answer_rejects() {
        for (bytes, expected) in [
            (Vec::new(), 0),
            (answer(0, "careful"), 0),
            (answer(3, "x"), 3),
            (answer(11, "x"), 10),
            (answer(-1, "x"), 0),
            (answer(i64::MAX, ""), 10),
            (b"{\"partialSuccess\":{}}".to_vec(), 0),
            (vec![0xff; 100], 0),
        ] {
            assert_eq!(partial_success(&bytes, 10).0, expected, "{bytes:?}");
        }
        let logs = ExportLogsPartialSuccess { rejected_log_records: 4, error_message: String::new() };
        let logs = ExportLogsServiceResponse { partial_success: Some(logs) }.encode_to_vec();
        assert_eq!(partial_success(&logs, 10).0, 4);
    }

    #[test]
    fn an_answer_cut_off_anywhere_is_harmless() {
        let whole = answer(7, "seven of them");
        for end in 0..whole.len() {
            assert_eq!(partial_success(&whole[..end], 10).0, 0, "{end}");
        }
    }

    #[test]
    fn a_message_is_short_and_printable() {
        let message = partial_success(&answer(1, &format!("a\n\u{1b}[31m{}", "é".repeat(1000))), 10).1;
        assert!(message.starts_with("a[31mé") && message.chars().count() == MAX_MESSAGE, "{message}");
    }

    #[test]
    fn pauses_double_within_their_bounds() {
        let (mut low, mut high) = (Pauses::default(), Pauses::default());
        for n in 0..100 {
            let full = FIRST_PAUSE.saturating_mul(1 << n.min(10)).min(LONGEST_PAUSE);
            assert_eq!(low.next(0), full / 2);
            let most = high.next(u64::MAX);
            assert!(most <= full && most > full.mul_f64(0.99), "{most:?}");
        }
    }
}
