use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prodkit_trace::TraceId;
use tracing_core::Level;

use crate::clock;
use crate::draft::{Draft, Origin, Shape};
use crate::fields::SpanFields;
use crate::limit::Limit;
use crate::sites::{Names, Sites};
use crate::switch::Switch;
use crate::writer::{self, Writer};
use crate::{Filter, Layer, Lines, Options};

/// What the layer, the handles and the writer's thread share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shape: Arc<Shape>,
    pub(crate) switch: Arc<Switch>,
    pub(crate) writer: Writer,
    pub(crate) sites: Sites,
    pub(crate) names: Names,
    pub(crate) limit: Option<Limit>,
    pub(crate) constants: SpanFields,
    /// Whether events of `ERROR` have their stack; `None` where the environment says it.
    pub(crate) stacktrace: Option<bool>,
}

/// Starts the one thread that writes to `out`, named `prodkit-log`, and returns the layer that feeds it and the handle
/// that rules it.
///
/// Nothing global is set: add the layer to a subscriber and install that. The thread ends by [`Log::shutdown`], or once
/// the layer and all handles are dropped, after writing what was left.
///
/// `out` may block for as long as it likes: whoever logs never waits for it. What it refuses is lost, counted, and told
/// on standard error at most once a minute. It is flushed after each batch. For the process's standard output give
/// [`stdout`], which notices a closed one.
///
/// # Errors
///
/// The thread could not be started.
pub fn start(options: Options, out: impl Write + Send + 'static) -> io::Result<(Layer, Log)> {
    let shape = Arc::new(options.shape());
    let Options { filter, max_line, buffer_bytes, rate, stacktrace, fields, .. } = options;
    let switch = Arc::new(Switch::new(filter));
    let duties = Duties { switch: Arc::clone(&switch), shape: Arc::clone(&shape) };
    let capacity = buffer_bytes.max(2 * max_line);
    let writer = Writer::spawn(out, io::stderr(), capacity, duties)?;
    let limit = rate.map(|(lines, per)| Limit::new(lines, per));
    let constants = SpanFields::new(&shape, |draft| {
        for (name, value) in &fields {
            if draft.open(name, "") {
                draft.put_str(value);
            }
        }
    });
    let core = Arc::new(Core {
        shape,
        switch,
        writer,
        sites: Sites::new(),
        names: Names::new(),
        limit,
        constants,
        stacktrace,
    });
    Ok((Layer { core: Arc::clone(&core) }, Log { core }))
}

/// Standard output as [`start`] wants it: unbuffered, since the writer writes whole batches, and with all its errors,
/// some of which [`std::io::stdout`] hides. (A process that is started with it closed has the null device instead: Rust's
/// runtime sees to that.)
///
/// # Errors
///
/// It was closed since, or the process has no file descriptor left.
pub fn stdout() -> io::Result<impl Write + Send + 'static> {
    use std::os::fd::AsFd as _;
    io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

/// What the writer's thread does besides writing.
struct Duties {
    switch: Arc<Switch>,
    shape: Arc<Shape>,
}

impl writer::Duties for Duties {
    fn tick(&mut self, now: Instant) -> Option<Instant> {
        self.switch.expire(now)
    }

    fn lost(&mut self, lines: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(note(&self.shape, "log lines dropped", lines).finish());
    }
}

/// A line about the log itself.
fn note<'s>(shape: &'s Shape, message: &str, lines: u64) -> Draft<'s> {
    let mut draft = Draft::new(shape);
    draft.head(Level::WARN, clock::now());
    draft.origin(&Origin { caller: Some(("prodkit-log", None)), target: None });
    draft.message(|draft| draft.plain(message));
    if draft.open("lines", "") {
        draft.put_u64(lines);
    }
    draft
}

/// The handle on a running log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) core: Arc<Core>,
}

/// What became of the lines so far: those offered are `written + dropped + queued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lines the output took.
    pub written: u64,
    /// Lines lost: the buffer was full, the output failed, or the log was shut down.
    pub dropped: u64,
    /// Lines that wait for the output.
    pub queued: u64,
    /// Lines held back by [`Options::rate_limit`]; they were never offered.
    pub suppressed: u64,
    /// Bytes the output took.
    pub bytes: u64,
    /// Batches the output failed to take whole.
    pub errors: u64,
}

/// A filter that holds for a while instead of the one that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Override {
    /// The filter.
    pub filter: Filter,
    /// When it ends.
    pub until: Instant,
}

impl Log {
    /// Preformatted lines, under the target of this crate; see [`Lines::target`].
    #[must_use]
    pub fn lines(&self) -> Lines {
        Lines::new(Arc::clone(&self.core))
    }

    /// Whether the value of a field of this name is written as `***` ([`Options::redact`]): for whoever sends elsewhere what
    /// is logged.
    #[must_use]
    pub fn redacts(&self, name: &str) -> bool {
        self.core.shape.redacted.holds(name)
    }

    /// The filter that holds now, an override included.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.core.switch.expire(Instant::now());
        Filter::clone(&self.core.switch.effective())
    }

    /// The filter that holds when nothing overrides it.
    #[must_use]
    pub fn configured(&self) -> Filter {
        self.core.switch.base()
    }

    /// Sets the filter. If one is overriding it, it holds once that ends. When this returns, all threads follow it.
    pub fn set_filter(&self, filter: Filter) {
        self.core.switch.set(filter);
    }

    /// Lets `filter` hold for this long (at most a year), instead of the one that is or will be set; the writer's
    /// thread reverts it. Another override replaces it. While the output blocks that thread, the override ends when
    /// [`filter`](Self::filter) is next asked for, or when the output takes lines again.
    pub fn override_filter(&self, filter: Filter, ttl: Duration) {
        let year = Duration::from_secs(365 * 86_400);
        self.core.switch.override_until(filter, Instant::now() + ttl.min(year));
        self.core.writer.wake();
    }

    /// Ends the override, if there is one.
    pub fn end_override(&self) {
        self.core.switch.end_override();
    }

    /// The override, if there is one.
    #[must_use]
    pub fn overridden(&self) -> Option<Override> {
        self.core.switch.expire(Instant::now());
        self.core.switch.overridden().map(|(filter, until)| Override { filter, until })
    }

    /// Writes the events of this trace up to `DEBUG`, whatever the filter says, until [`lower`](Self::lower). For a few
    /// traces at a time: while there are any, events that the filter disables are asked about one by one.
    pub fn raise(&self, trace: TraceId) {
        self.core.switch.raise(trace);
    }

    /// Ends what [`raise`](Self::raise) began.
    pub fn lower(&self, trace: TraceId) {
        self.core.switch.lower(trace);
    }

    /// What became of the lines so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (counts, queued) = self.core.writer.counts();
        let suppressed = self.core.limit.as_ref().map_or(0, Limit::suppressed);
        let writer::Counts { written, dropped, bytes, errors } = counts;
        Stats { written, dropped, queued, suppressed, bytes, errors }
    }

    /// Waits, at most `within`, until every line offered before is written or lost for good. True if it came to that.
    ///
    /// Safe anywhere, a panic hook included; on the writer's own thread it returns false at once.
    pub fn flush(&self, within: Duration) -> bool {
        self.core.writer.flush(within)
    }

    /// Flushes, then ends the thread, in at most `within`. True if it ended and nothing that was queued is left behind;
    /// else what is queued by then is dropped and counted, and a thread that its output still blocks is left to itself.
    ///
    /// Lines offered afterwards are dropped and counted. Calling it again is harmless.
    pub fn shutdown(&self, within: Duration) -> bool {
        let Core { shape, writer, limit, .. } = &*self.core;
        let untold = limit.as_ref().map_or(0, Limit::untold);
        if untold > 0 {
            writer.push(note(shape, "log lines suppressed by the rate limit", untold).finish());
        }
        writer.shutdown(within)
    }
}
