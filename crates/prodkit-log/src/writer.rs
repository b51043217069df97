//! From the threads that log to the one thread that writes: a bounded buffer that never waits for the output.

mod output;
mod thread;

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

pub(crate) use thread::Duties;

/// Both buffers begin with this, and shrink back to it after a burst.
const KEPT: usize = 64 * 1024;

/// The handle. When it is dropped the thread writes what is left and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to do for the thread.
    work: Condvar,
    /// The thread did something.
    done: Condvar,
    /// The most bytes pending and in flight.
    capacity: usize,
    thread: OnceLock<ThreadId>,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    pending_lines: u64,
    in_flight_bytes: usize,
    in_flight_lines: u64,
    /// All lines ever queued, and how many of them have left the queue: a line dropped before it was queued is in
    /// neither, so that a flush waits for exactly those offered before it.
    queued: u64,
    left: u64,
    counts: Counts,
    /// Lines lost that the output has not been told of.
    untold: u64,
    rest: Rest,
    /// [`Duties::tick`] has something new to say.
    tick: bool,
    /// Somebody waits for the output: no batching.
    hurry: bool,
    closed: bool,
    /// Nobody waits any longer: what is left is lost.
    abandoned: bool,
    /// After closing, the lines lost at last are told of; after that the thread ends.
    last_words: bool,
    ended: bool,
}

/// Lines offered are those written, dropped, or still queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) written: u64,
    pub(crate) dropped: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
}

/// What the thread is doing, so that only a thread that sleeps is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    Awake,
    /// Collecting a batch for a moment.
    Nap,
    /// Until woken.
    Sleep,
}

impl Writer {
    pub(crate) fn spawn(
        out: impl Write + Send + 'static,
        complaints: impl Write + Send + 'static,
        capacity: usize,
        duties: impl Duties,
    ) -> io::Result<Self> {
        let state = State { pending: Vec::with_capacity(KEPT.min(capacity)), ..State::default() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            done: Condvar::new(),
            capacity,
            thread: OnceLock::new(),
        });
        let thread = thread::spawn(Arc::clone(&shared), out, complaints, duties)?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Offers one line: queued if there is room, else dropped and counted. Never waits for the output.
    pub(crate) fn push(&self, line: &[u8]) {
        let Shared { work, capacity, .. } = &*self.shared;
        let mut state = self.shared.lock();
        let waiting = state.pending.len() + state.in_flight_bytes;
        if state.closed || waiting + line.len() > *capacity {
            state.lose(1);
            return;
        }
        state.pending.extend_from_slice(line);
        state.pending_lines += 1;
        state.queued += 1;
        let wake = match state.rest {
            Rest::Awake => false,
            Rest::Nap => state.pending.len() >= capacity / 2,
            Rest::Sleep => true,
        };
        if wake {
            state.rest = Rest::Awake;
            drop(state);
            work.notify_one();
        }
    }

    /// Waits until everything offered so far is written or lost. False if that took longer, or if this is the writer's
    /// own thread, for which nobody else would write.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let Some(until) = self.deadline(within) else { return false };
        let mut state = self.shared.lock();
        let goal = state.queued;
        if state.left < goal {
            state.hurry = true;
            self.shared.work.notify_one();
        }
        while state.left < goal {
            match self.shared.wait(state, until) {
                (next, true) => state = next,
                (_, false) => return false,
            }
        }
        true
    }

    /// Flushes and ends the thread. After `within` what is still queued is dropped, and the thread is left to itself.
    pub(crate) fn shutdown(&self, within: Duration) -> bool {
        let Some(until) = self.deadline(within) else {
            drop(self.shared.close());
            return false;
        };
        let mut state = self.shared.close();
        while !state.ended {
            let (next, in_time) = self.shared.wait(state, until);
            state = next;
            if !in_time {
                state.abandon();
                self.shared.work.notify_one();
                return false;
            }
        }
        let whole = !state.abandoned;
        drop(state);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // it has said that it ended, so this is immediate; whether its last act was a panic does not matter any more
        whole && thread.is_none_or(|thread| thread.join().is_ok())
    }

    /// Has the thread ask [`Duties::tick`] again.
    pub(crate) fn wake(&self) {
        self.shared.lock().tick = true;
        self.shared.work.notify_one();
    }

    /// The counts, and how many lines are queued.
    pub(crate) fn counts(&self) -> (Counts, u64) {
        let state = self.shared.lock();
        (state.counts, state.queued - state.left)
    }

    fn deadline(&self, within: Duration) -> Option<Instant> {
        let own = self.shared.thread.get() == Some(&std::thread::current().id());
        // a time too far to be written down is a year
        let year = Duration::from_secs(365 * 86_400);
        (!own).then(|| Instant::now() + within.min(year))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.shared.close());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        state
    }

    /// Waits for the thread to do something; false if the time is over.
    fn wait<'s>(&'s self, state: MutexGuard<'s, State>, until: Instant) -> (MutexGuard<'s, State>, bool) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (state, false);
        }
        let (state, _) = self.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        (state, true)
    }
}

impl State {
    fn lose(&mut self, lines: u64) {
        self.counts.dropped += lines;
        self.untold += lines;
    }

    fn abandon(&mut self) {
        self.abandoned = true;
        self.pending.clear();
        let lines = std::mem::take(&mut self.pending_lines);
        self.left += lines;
        self.lose(lines);
    }
}
