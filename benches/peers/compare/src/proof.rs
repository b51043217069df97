//! That the work was done: a peer that skips some of it is fast for no reason.

use crate::lines::Lines;
use crate::load::Answers;
use crate::peer::Peer;

/// What was seen of one run, from its first request to the end of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Requests sent: all whose answers were read, and those that may have been cut off.
    pub(crate) answered: u64,
    pub(crate) cut_off: u64,
    pub(crate) counted: Option<u64>,
    /// `None` where nobody read the log.
    pub(crate) lines: Option<Lines>,
    pub(crate) spans: u64,
    pub(crate) ratio: f64,
    pub(crate) answers: Answers,
}

impl Peer {
    /// Says what is missing.
    pub(crate) fn prove(&self, seen: &Seen) -> Result<(), String> {
        let duties = self.duties;
        let Seen { answered, cut_off, counted, lines, spans, ratio, answers } = *seen;
        let requests = counted.unwrap_or(answered);
        if duties.counted && !(answered..=answered + cut_off).contains(&requests) {
            return Err(format!(
                "{answered} to {} requests, but the counter says {requests}",
                answered + cut_off
            ));
        }
        if let (Some(_), Some(Lines { requests: lines, traced })) = (duties.line, lines) {
            if lines != requests {
                return Err(format!("{requests} requests, but {lines} lines"));
            }
            if duties.traced && traced != lines {
                return Err(format!("{lines} lines, but {traced} with a trace id"));
            }
        }
        let share = spans as f64 / requests.max(1) as f64;
        if duties.sampled && (share - ratio).abs() > 0.01 {
            return Err(format!(
                "{:.1} % of the requests have spans, not {:.0} %",
                share * 100.0,
                ratio * 100.0
            ));
        }
        if duties.identified && answers.with_id != answers.all {
            return Err(format!("{} answers, but {} with a request id", answers.all, answers.with_id));
        }
        Ok(())
    }
}
