//! The output and its failures: full disks, closed pipes, pipes that are full and do not block, writers that panic.

use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Shared;

/// How long to wait before asking an output again that would block.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the same trouble is worth a line on standard error.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) struct Failure {
    pub(super) error: io::Error,
    /// How many bytes of the batch were taken before.
    pub(super) taken: usize,
}

pub(super) struct Output<W> {
    out: W,
    /// The output has the beginning of a line whose rest it refused.
    torn: bool,
    /// It panicked, and is not called again: a panic may leave it in any state, and be logged, and so go on for ever.
    dead: bool,
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, torn: false, dead: false }
    }

    /// Writes all of it, or says how far it got.
    pub(super) fn write(&mut self, batch: &[u8], shared: &Shared) -> Result<(), Failure> {
        let mut taken = 0;
        let result = if self.dead {
            Err(io::Error::other("the output panicked earlier"))
        } else {
            catch_unwind(AssertUnwindSafe(|| self.all(batch, &mut taken, shared))).unwrap_or_else(|_| {
                self.dead = true;
                Err(io::Error::other("the output panicked"))
            })
        };
        result.map_err(|error| {
            self.torn |= taken > 0 && !batch[..taken].ends_with(b"\n");
            Failure { error, taken }
        })
    }

    fn all(&mut self, batch: &[u8], taken: &mut usize, shared: &Shared) -> io::Result<()> {
        if self.torn {
            // so that the next line stands alone
            retry(shared, || self.out.write(b"\n"))?;
            self.torn = false;
        }
        while *taken < batch.len() {
            *taken += retry(shared, || self.out.write(&batch[*taken..]))?;
        }
        retry(shared, || self.out.flush().map(|()| 1)).map(drop)
    }
}

/// Asks again where that helps, until nobody waits for the answer any longer.
fn retry(shared: &Shared, mut ask: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match ask() {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let state = shared.lock();
                if state.abandoned {
                    return Err(error);
                }
                drop(shared.work.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner));
            }
            answer => return answer,
        }
    }
}

/// Where the trouble with the output is told, seldom.
pub(super) struct Complaints<W> {
    out: W,
    last: Option<Instant>,
}

impl<W: Write> Complaints<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, last: None }
    }

    pub(super) fn hear(&mut self, error: &io::Error, dropped: u64, now: Instant) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < SILENCE) {
            return;
        }
        self.last = Some(now);
        // one write, so that it stays one line; if this fails too there is nobody left to tell
        let line = format!("prodkit-log: cannot write log lines: {error}; {dropped} dropped so far\n");
        let _ = catch_unwind(AssertUnwindSafe(|| self.out.write_all(line.as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_seldom() {
        let mut complaints = Complaints::new(Vec::new());
        let start = Instant::now();
        for second in [0, 1, 59, 60, 61, 119, 120] {
            complaints.hear(&io::Error::other("full"), second, start + Duration::from_secs(second));
        }
        let text = String::from_utf8(complaints.out).expect("text");
        let expected = [0, 60, 120]
            .map(|dropped| format!("prodkit-log: cannot write log lines: full; {dropped} dropped so far\n"))
            .concat();
        assert_eq!(text, expected);
    }
}
