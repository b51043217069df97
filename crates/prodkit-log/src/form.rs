use std::sync::Arc;
use std::time::Duration;

use prodkit_trace::TraceContext;
use tracing_core::Level;

use crate::Lines;
use crate::clock;
use crate::draft::{Draft, Head, Known, Origin};
use crate::log::Core;

/// Lines that are all alike: one message, and the same fields in the same order. What they have in common is written
/// once, so one costs a third of a [`Line`](crate::Line).
///
/// ```
/// use prodkit_log::{Level, Options, start};
/// use std::time::Duration;
///
/// let (_layer, log) = start(Options::default(), std::io::sink())?;
/// let lines = log.lines().target("http");
/// let access = lines.form("request", &["route", "status", "duration_ms", "error.message"]);
/// let mut line = access.line(Level::INFO, prodkit_trace::current());
/// // no error: what comes last may be left out
/// line.str("/orders/{id}").u64(200).millis(Duration::from_micros(1_500));
/// line.finish();
/// # assert!(log.shutdown(Duration::from_secs(9)));
/// # assert_eq!(log.stats().written, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Form {
    lines: Lines,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    /// All that most lines begin with, up to the first value that is still to come.
    head: Option<Head>,
    /// What stands between the time and the ids.
    origin: Box<[u8]>,
    /// The first fields with their values, by [`Form::with`], and how many they are.
    given: Box<[u8]>,
    count: usize,
    /// Not all of them are there: that was too long for any line.
    cut: bool,
    fields: Arc<[Beginning]>,
    /// The fields of every line.
    constants: Arc<[u8]>,
}

/// What stands before a field's value.
#[derive(Debug)]
struct Beginning {
    text: Known,
    /// `text` is all of it: redacted, or a name that was there before.
    whole: bool,
}

impl Form {
    pub(crate) fn new(lines: &Lines, msg: &str, names: &[&str]) -> Self {
        let core = lines.core();
        let mut draft = Draft::new(&core.shape);
        draft.origin(&Origin { caller: None, target: lines.its_target() });
        draft.message(|draft| draft.plain(msg));
        let origin = draft.fields().0.into();
        drop(draft);

        // one line with all of them, so that each sees what stands before it
        let mut draft = Draft::new(&core.shape);
        let mut written = 0;
        let mut next = |draft: &Draft<'_>| {
            let text: Box<[u8]> = draft.fields().0[written..].into();
            written += text.len();
            text
        };
        let fields = names.iter().map(|name| {
            let open = draft.open(name, "");
            Beginning { text: Known::new(next(&draft)), whole: !open }
        });
        let fields = fields.collect();
        core.constants.append_to(&mut draft);
        let constants = next(&draft).into();
        drop(draft);
        let plan =
            Plan { head: None, origin, given: Box::default(), count: 0, cut: false, fields, constants };
        Self { lines: lines.clone(), plan: Arc::new(plan.with_head(core)) }
    }

    /// These lines with the values of their first fields, which are texts: written once for all of them. A line that has
    /// no room for them goes without, and says that it is truncated.
    ///
    /// ```
    /// # let (_layer, log) = prodkit_log::start(prodkit_log::Options::default(), std::io::sink())?;
    /// # use prodkit_log::Level;
    /// let access = log.lines().form("request", &["method", "route", "status"]);
    /// let orders = access.with(&["GET", "/orders/{id}"]);
    /// let mut line = orders.line(Level::INFO, None);
    /// line.u64(200);
    /// line.finish();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Self {
        let plan = &self.plan;
        let core = self.lines.core();
        let mut filled = self.empty(true);
        filled.draft.add_known(&plan.given);
        for value in values {
            filled.str(value);
        }
        let (given, _, cut) = filled.draft.fields();
        let plan = Plan {
            head: None,
            origin: plan.origin.clone(),
            given: given.into(),
            count: plan.fields.len().min(plan.count + values.len()),
            cut: plan.cut || cut,
            fields: plan.fields.clone(),
            constants: plan.constants.clone(),
        };
        Self { lines: self.lines.clone(), plan: Arc::new(plan.with_head(core)) }
    }

    /// Whether lines of this level are written now.
    #[must_use]
    pub fn enabled(&self, level: Level) -> bool {
        self.lines.enabled(level)
    }

    /// Begins a line. `trace` is usually [`prodkit_trace::current()`]. If the filter disables it, the line comes to
    /// nothing.
    #[must_use = "a line is written by `finish`"]
    pub fn line(&self, level: Level, trace: Option<TraceContext>) -> Filled<'_> {
        // filled where it lies: a draft is large enough for its moves to be felt
        let mut filled = self.empty(self.lines.enabled(level));
        if filled.enabled {
            let plan = &*self.plan;
            match (&plan.head, trace) {
                (Some(head), Some(trace)) if level == Level::INFO => {
                    filled.draft.known_head(head, clock::now(), trace);
                }
                _ => plan.begin(&mut filled.draft, level, trace),
            }
        }
        filled
    }

    #[inline]
    fn empty(&self, enabled: bool) -> Filled<'_> {
        let Self { lines, plan } = self;
        let core = lines.core();
        Filled {
            core,
            draft: Draft::new(&core.shape),
            rest: plan.fields.get(plan.count..).unwrap_or_default().iter(),
            constants: &plan.constants,
            enabled,
        }
    }
}

impl Plan {
    fn with_head(mut self, core: &Core) -> Self {
        if !self.cut {
            self.head = Head::new(&core.shape, &self.origin, &self.given);
        }
        self
    }

    /// What a line begins with, part by part.
    #[cold]
    fn begin(&self, draft: &mut Draft<'_>, level: Level, trace: Option<TraceContext>) {
        draft.head(level, clock::now());
        draft.known_origin(&self.origin);
        draft.ids(trace);
        draft.add_known(&self.given);
        if self.cut {
            draft.mark_truncated();
        }
    }
}

/// A line of a [`Form`] while it is filled in: each value is that of the form's next field. Fields beyond the last value
/// are left out, and so are values beyond the last field.
///
/// Dropped without [`finish`](Self::finish), it is not written.
#[must_use = "a line is written by `finish`"]
pub struct Filled<'f> {
    core: &'f Core,
    draft: Draft<'f>,
    rest: std::slice::Iter<'f, Beginning>,
    constants: &'f [u8],
    enabled: bool,
}

impl<'f> Filled<'f> {
    /// A text.
    #[inline]
    pub fn str(&mut self, value: &str) -> &mut Self {
        if let Some(draft) = self.next() {
            draft.put_str(value);
        }
        self
    }

    /// A text, or nothing of this field.
    #[inline]
    pub fn maybe_str(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.str(value),
            None => {
                self.rest.next();
                self
            }
        }
    }

    /// A number that is not negative.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        if self.enabled
            && let Some(Beginning { text, whole }) = self.rest.next()
            && !self.draft.add_small(text, *whole, value)
            && self.draft.add_known(text.as_bytes())
            && !whole
        {
            self.draft.put_u64(value);
        }
        self
    }

    /// A time in milliseconds, with three decimals.
    pub fn millis(&mut self, value: Duration) -> &mut Self {
        if let Some(draft) = self.next() {
            draft.put_millis(value);
        }
        self
    }

    /// Where the next field's value goes, if it has one.
    #[inline]
    fn next(&mut self) -> Option<&mut Draft<'f>> {
        if !self.enabled {
            return None;
        }
        let Beginning { text, whole } = self.rest.next()?;
        (self.draft.add_short(text) && !whole).then_some(&mut self.draft)
    }

    /// Hands the line to the writer.
    pub fn finish(mut self) {
        if self.enabled {
            self.draft.add_known(self.constants);
            self.core.writer.push(self.draft.finish());
        }
    }
}

impl std::fmt::Debug for Filled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filled").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}
