use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prodkit_trace::TraceContext;
use tracing_core::{Level, LevelFilter};

use crate::Form;
use crate::clock;
use crate::draft::{Draft, Origin};
use crate::log::Core;

/// Lines whose fields are known beforehand, such as those of an access log: the same look, limits, filter and writer as
/// events, at a part of the cost, and no allocation.
///
/// ```
/// use prodkit_log::{Level, Options, start};
///
/// let (_layer, log) = start(Options::default(), std::io::sink())?;
/// let access = log.lines().target("http.access");
/// access
///     .line(Level::INFO, "request completed", Some("http/observe.rs"), prodkit_trace::current())
///     .str("http.route", "/orders/{id}")
///     .u64("http.response.status_code", 200)
///     .finish();
/// # assert!(log.shutdown(std::time::Duration::from_secs(9)));
/// # assert_eq!(log.stats().written, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines {
    core: Arc<Core>,
    target: Option<&'static str>,
    /// The filter's generation and its level for the target, remembered: 61 and 3 bits.
    known: AtomicU64,
}

/// What the filter is asked about where no target was given.
const TARGET: &str = "prodkit_log";

impl Lines {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, target: None, known: AtomicU64::new(u64::MAX) }
    }

    /// The same under a target: it stands in each line, and the filter has its level for it.
    #[must_use]
    pub fn target(self, target: &'static str) -> Self {
        Self { core: self.core, target: Some(target), known: AtomicU64::new(u64::MAX) }
    }

    /// Lines that all have this message and, in this order, fields of these names. Names are treated as those of a
    /// [`Line`] are; a field of [`Options::field`](crate::Options::field) that is called like one of them gives way.
    #[must_use]
    pub fn form(&self, msg: &str, names: &[&str]) -> Form {
        Form::new(self, msg, names)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn its_target(&self) -> Option<&'static str> {
        self.target
    }

    /// Whether lines of this level are written now.
    #[must_use]
    pub fn enabled(&self, level: Level) -> bool {
        let Self { core, target, known } = self;
        let generation = core.switch.generation() << 3;
        let remembered = known.load(Relaxed);
        let verbosity = if remembered & !7 == generation {
            remembered & 7
        } else {
            let level = core.switch.with(|filter| filter.level(target.unwrap_or(TARGET)));
            let verbosity = level.into_level().map_or(0, verbosity);
            known.store(generation | verbosity, Relaxed);
            verbosity
        };
        self::verbosity(level) <= verbosity
    }

    /// Begins a line. `caller` is shown as it is given; `trace` is usually [`prodkit_trace::current()`]. If the filter
    /// disables it, the line comes to nothing.
    #[must_use = "a line is written by `finish`"]
    pub fn line(
        &self,
        level: Level,
        msg: &str,
        caller: Option<&str>,
        trace: Option<TraceContext>,
    ) -> Line<'_> {
        if !self.enabled(level) {
            return Line { core: &self.core, draft: None };
        }
        let mut draft = Draft::new(&self.core.shape);
        let caller = caller.map(|caller| (caller, None));
        draft.head(level, clock::now());
        draft.origin(&Origin { caller, target: self.target });
        draft.message(|draft| draft.plain(msg));
        draft.ids(trace);
        Line { core: &self.core, draft: Some(draft) }
    }
}

impl Clone for Lines {
    fn clone(&self) -> Self {
        let Self { core, target, known } = self;
        Self { core: Arc::clone(core), target: *target, known: AtomicU64::new(known.load(Relaxed)) }
    }
}

fn verbosity(level: Level) -> u64 {
    match LevelFilter::from_level(level) {
        LevelFilter::ERROR => 1,
        LevelFilter::WARN => 2,
        LevelFilter::INFO => 3,
        LevelFilter::DEBUG => 4,
        _ => 5,
    }
}

/// One line while fields are added to it. Of several fields of one name the first is kept; a name that the line uses
/// itself (`level`, `msg`, …) becomes `fields.<name>`. Names are `'static` because what is written for one is remembered.
///
/// Dropped without [`finish`](Self::finish), it is not written.
#[must_use = "a line is written by `finish`"]
pub struct Line<'l> {
    core: &'l Core,
    draft: Option<Draft<'l>>,
}

impl Line<'_> {
    /// Adds a text.
    pub fn str(self, name: &'static str, value: &str) -> Self {
        self.field(name, |draft| draft.put_str(value))
    }

    /// Adds a number that is not negative.
    pub fn u64(self, name: &'static str, value: u64) -> Self {
        self.field(name, |draft| draft.put_u64(value))
    }

    /// Adds a whole number.
    pub fn i64(self, name: &'static str, value: i64) -> Self {
        self.field(name, |draft| draft.put_i64(value))
    }

    /// Adds a number; one that is not finite becomes the text `NaN`, `Infinity` or `-Infinity`.
    pub fn f64(self, name: &'static str, value: f64) -> Self {
        self.field(name, |draft| draft.put_f64(value))
    }

    /// Adds a truth value.
    pub fn bool(self, name: &'static str, value: bool) -> Self {
        self.field(name, |draft| draft.put_bool(value))
    }

    #[inline]
    fn field(mut self, name: &'static str, write: impl FnOnce(&mut Draft<'_>)) -> Self {
        let Some(draft) = &mut self.draft else { return self };
        let open = match self.core.names.of(&self.core.shape, name) {
            Some(planned) => draft.open_planned(planned),
            None => draft.open(name, ""),
        };
        if open {
            write(draft);
        }
        self
    }

    /// Hands the line to the writer.
    pub fn finish(self) {
        let Self { core, draft } = self;
        if let Some(mut draft) = draft {
            core.constants.append_to(&mut draft);
            core.writer.push(draft.finish());
        }
    }
}

impl std::fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("enabled", &self.draft.is_some()).finish_non_exhaustive()
    }
}
