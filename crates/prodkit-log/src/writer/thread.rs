//! The thread: waits, takes what there is, writes it, accounts for it.

use std::io::{self, Write};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::output::{Complaints, Failure, Output};
use super::{KEPT, Rest, Shared, State};

/// For how long lines are collected after a batch: while lines come faster than this, a line costs no wake-up and a
/// batch of them one write.
const NAP: Duration = Duration::from_millis(1);

/// What the thread does besides.
pub(crate) trait Duties: Send + 'static {
    /// Asked whenever the thread wakes; answers when it wants to be asked again at the latest.
    fn tick(&mut self, now: Instant) -> Option<Instant>;

    /// Appends the line that says how many lines were lost.
    fn lost(&mut self, lines: u64, out: &mut Vec<u8>);
}

pub(super) fn spawn(
    shared: Arc<Shared>,
    out: impl Write + Send + 'static,
    complaints: impl Write + Send + 'static,
    mut duties: impl Duties,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name("prodkit-log".into()).spawn(move || {
        let _ = shared.thread.set(thread::current().id());
        let mut batch = Vec::with_capacity(KEPT.min(shared.capacity));
        let mut complaints = Complaints::new(complaints);
        let mut output = Output::new(out);
        while let Some(told) = next(&shared, &mut batch, &mut duties) {
            let lines_end = batch.len();
            if told > 0 {
                duties.lost(told, &mut batch);
            }
            let result = output.write(&batch, &shared);
            settle(&shared, &batch[..lines_end], told, result.as_ref().err());
            if let Err(failure) = result {
                complaints.hear(&failure.error, shared.lock().counts.dropped, Instant::now());
            }
            shrink(&mut batch);
            nap(&shared);
        }
        drop(output);
        shared.lock().ended = true;
        shared.done.notify_all();
    })
}

/// Waits for lines and moves them into `batch`; says how many lost ones the batch has to tell of. `None` at the end.
fn next(shared: &Shared, batch: &mut Vec<u8>, duties: &mut impl Duties) -> Option<u64> {
    loop {
        // without the lock: it may ask every call site about its filter
        let wanted = duties.tick(Instant::now());
        let mut state = shared.lock();
        // once: lines may be offered, and dropped, for as long as the process likes
        let last_words = state.closed && state.untold > 0 && !state.abandoned && !state.last_words;
        if !state.pending.is_empty() || last_words {
            state.last_words |= state.pending.is_empty();
            state.in_flight_bytes = state.pending.len();
            state.in_flight_lines = std::mem::take(&mut state.pending_lines);
            std::mem::swap(&mut state.pending, batch);
            return Some(std::mem::take(&mut state.untold));
        }
        if state.closed {
            return None;
        }
        if std::mem::take(&mut state.tick) {
            continue;
        }
        sleep(shared, state, wanted);
    }
}

fn sleep(shared: &Shared, mut state: MutexGuard<'_, State>, until: Option<Instant>) {
    state.hurry = false;
    state.rest = Rest::Sleep;
    let mut state = match until {
        Some(until) => {
            let left = until.saturating_duration_since(Instant::now());
            shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
        }
        None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
    };
    state.rest = Rest::Awake;
}

fn nap(shared: &Shared) {
    let mut state = shared.lock();
    if !state.hurry && !state.closed && state.pending.len() < shared.capacity / 2 {
        state.rest = Rest::Nap;
        state = shared.work.wait_timeout(state, NAP).unwrap_or_else(PoisonError::into_inner).0;
        state.rest = Rest::Awake;
    }
}

/// What the writing of a batch came to. Lines that the output did not take whole are lost.
fn settle(shared: &Shared, lines: &[u8], told: u64, failure: Option<&Failure>) {
    let mut state = shared.lock();
    let in_flight = std::mem::take(&mut state.in_flight_lines);
    state.in_flight_bytes = 0;
    state.left += in_flight;
    match failure {
        None => {
            state.counts.written += in_flight;
            state.counts.bytes += lines.len() as u64;
        }
        Some(failure) => {
            let taken = &lines[..failure.taken.min(lines.len())];
            let whole = (taken.iter().filter(|byte| **byte == b'\n').count() as u64).min(in_flight);
            state.counts.errors += 1;
            state.counts.written += whole;
            state.counts.bytes += taken.len() as u64;
            state.lose(in_flight - whole);
            if failure.taken <= lines.len() {
                // nor did anybody hear of the lines lost before
                state.untold += told;
            }
            state.abandoned |= state.last_words;
        }
    }
    drop(state);
    shared.done.notify_all();
}

/// Empties the buffer, and gives back the memory of a burst once lines come slowly again.
fn shrink(batch: &mut Vec<u8>) {
    let used = batch.len();
    batch.clear();
    if used < batch.capacity() / 8 {
        batch.shrink_to(KEPT.max(used * 2));
    }
}
