//! When to stop asking somebody who does not answer: a state machine without clock or socket.

use std::time::Duration;
use tokio::time::Instant;

/// A slice of the window.
const SLICES: usize = 10;

/// When a circuit opens, and how it closes again.
///
/// It opens when, in the last `window`, at least `calls` calls ended and this share of them failed. Then nothing is called
/// for `pause`; after it one call is let through: if that is answered the circuit closes, if not it stays open for twice as
/// long, up to `longest`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Breaker {
    /// How far back calls count. Default: 10 s.
    pub window: Duration,
    /// So many at least, before their outcome says anything. Default: 20.
    pub calls: u32,
    /// The share of failures that opens, 0 to 1. Default: 0.5.
    pub ratio: f64,
    /// How long it stays open first. Default: 1 s.
    pub pause: Duration,
    /// How long it stays open at most. Default: 30 s.
    pub longest: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls: 20,
            ratio: 0.5,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// The circuit of one target.
#[derive(Debug)]
pub(super) struct Circuit {
    rules: Breaker,
    state: State,
    /// Calls and failures by slice of the window.
    slices: [(u32, u32); SLICES],
    /// The number of the newest slice, counted from `epoch`.
    newest: u64,
    epoch: Instant,
    /// Changes with the state: a call that began before says nothing about what is now.
    era: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One call is on its way to find out.
    Trying {
        pause: Duration,
    },
}

/// Leave to make one call; given back with what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leave(u64);

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Answered,
    Failed,
    /// Its caller lost interest: neither one nor the other.
    Dropped,
}

impl Circuit {
    pub(super) fn new(rules: Breaker, now: Instant) -> Self {
        Self { rules, state: State::Closed, slices: [(0, 0); SLICES], newest: 0, epoch: now, era: 0 }
    }

    /// Leave to call, or how long to wait before asking again.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Leave, Duration> {
        match self.state {
            State::Closed => Ok(Leave(self.era)),
            State::Open { until, .. } if now < until => Err(until - now),
            State::Open { pause, .. } => {
                self.turn(State::Trying { pause });
                Ok(Leave(self.era))
            }
            State::Trying { pause } => Err(pause),
        }
    }

    pub(super) fn end(&mut self, Leave(era): Leave, ended: Ended, now: Instant) {
        if era != self.era {
            return;
        }
        match (self.state, ended) {
            (State::Closed, Ended::Dropped) | (State::Open { .. }, _) => {}
            (State::Closed, ended) => {
                self.count(ended == Ended::Failed, now);
                let (calls, failures) = self.sum(now);
                if calls >= self.rules.calls.max(1)
                    && f64::from(failures) >= self.rules.ratio * f64::from(calls)
                {
                    self.open(self.rules.pause, now);
                }
            }
            (State::Trying { .. }, Ended::Answered) => {
                self.slices = [(0, 0); SLICES];
                self.turn(State::Closed);
            }
            (State::Trying { pause }, Ended::Failed) => self.open((pause * 2).min(self.rules.longest), now),
            // somebody else may find out
            (State::Trying { pause }, Ended::Dropped) => self.turn(State::Open { until: now, pause }),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    fn open(&mut self, pause: Duration, now: Instant) {
        self.turn(State::Open { until: super::after(now, pause), pause });
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }

    fn slice(&self, now: Instant) -> u64 {
        let length = (self.rules.window / SLICES as u32).max(Duration::from_millis(1));
        let slices = now.saturating_duration_since(self.epoch).as_nanos() / length.as_nanos();
        u64::try_from(slices).unwrap_or(u64::MAX)
    }

    /// Forgets what has left the window.
    fn advance(&mut self, now: Instant) {
        let slice = self.slice(now);
        let gone = slice.saturating_sub(self.newest).min(SLICES as u64);
        for number in self.newest + 1..=self.newest + gone {
            self.slices[(number % SLICES as u64) as usize] = (0, 0);
        }
        if gone == SLICES as u64 {
            self.slices = [(0, 0); SLICES];
        }
        self.newest = self.newest.max(slice);
    }

    fn count(&mut self, failed: bool, now: Instant) {
        self.advance(now);
        let (calls, failures) = &mut self.slices[(self.newest % SLICES as u64) as usize];
        *calls = calls.saturating_add(1);
        *failures = failures.saturating_add(u32::from(failed));
    }

    fn sum(&mut self, now: Instant) -> (u32, u32) {
        self.advance(now);
        self.slices.iter().fold((0, 0), |(calls, failures), (more, failed)| {
            (u32::saturating_add(calls, *more), u32::saturating_add(failures, *failed))
        })
    }
}

#[cfg(test)]
mod tests;
