//! One line while it is written: into a buffer the thread keeps, never beyond the limit, no key twice.

mod digits;
mod keys;
mod values;

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use prodkit_trace::TraceContext;
use tracing_core::{Level, Metadata};

pub(crate) use digits::three_digits;
pub(crate) use keys::{Key, Planned, Redacted};

use crate::clock;
use crate::escape::escape;

/// What all lines of one log have in common.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) style: Style,
    /// The most bytes of a line, its newline included.
    pub(crate) max_line: usize,
    pub(crate) redacted: Redacted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Console,
    Json,
}

/// Below this, level, time, caller, target and ids might not leave room for a message.
pub(crate) const LEAST_LINE: usize = 1024;

/// What always fits: the quotes and brackets that close a value, `,"truncated":true}` and the newline.
const TAIL: usize = 24;
/// What a message leaves free: the ids (94) and a suppressed count (34).
const AFTER_MESSAGE: usize = 128;
/// The most bytes, escaped, of the caller and of the target.
const MOST_NAME: usize = 128;
/// The longest number, or an empty string.
const LEAST_VALUE: usize = 48;
/// A buffer grown larger than this is not kept for the thread's next line.
const MOST_KEPT: usize = 64 * 1024;

thread_local! {
    // Taken out while in use: a value's `Debug` may write a line of its own, which then gets fresh buffers.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    // Apart, since a line whose fields are known beforehand needs none.
    static SPARE_KEYS: Cell<Vec<Key>> = const { Cell::new(Vec::new()) };
}

/// A line of the level of most up to its time, and where that goes.
const INFO: [u8; 47] = *b"{\"level\":\"INFO\",\"ts\":\"....-..-..T..:..:......Z\"";
const STAMP: Range<usize> = 22..46;
/// The ids of a line, and where they go.
const IDS: [u8; 94] =
    *b",\"trace_id\":\"................................\",\"span_id\":\"................\",\"trace_flags\":\"..\"";

pub(crate) struct Draft<'s> {
    shape: &'s Shape,
    buf: Vec<u8>,
    keys: Vec<Key>,
    /// A bit per hashed name among the keys.
    seen: u64,
    /// Where values must end.
    limit: usize,
    /// Whether what is written stands between quotes.
    quoted: bool,
    truncated: bool,
}

/// Where a line comes from.
pub(crate) struct Origin<'a> {
    /// A path and a line; or, with no line, the caller as it shall be shown.
    pub(crate) caller: Option<(&'a str, Option<u32>)>,
    pub(crate) target: Option<&'a str>,
}

/// Text that stands in many lines. Most of them are short: a copy of known length takes half of what another takes.
#[derive(Debug)]
pub(crate) struct Known {
    text: Box<[u8]>,
    /// The text and zeros behind it, if there is room for all of it.
    padded: [u8; SHORT],
}

const SHORT: usize = 32;

impl Known {
    pub(crate) fn new(text: Box<[u8]>) -> Self {
        let mut padded = [0; SHORT];
        if let Some(place) = padded.get_mut(..text.len()) {
            place.copy_from_slice(&text);
        }
        Self { text, padded }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// All that lines of one form begin with, where they are of the level of most and have a trace: copied as a whole, with what
/// differs from line to line put in its place.
#[derive(Debug)]
pub(crate) struct Head {
    text: Box<[u8]>,
    /// Where the ids begin.
    ids: usize,
}

impl Head {
    /// `None` where lines are not JSON, or there is no room for it and a value.
    pub(crate) fn new(shape: &Shape, origin: &[u8], given: &[u8]) -> Option<Self> {
        if shape.style != Style::Json {
            return None;
        }
        let mut draft = Draft::new(shape);
        draft.head(Level::INFO, Duration::ZERO);
        draft.known_origin(origin);
        let ids = draft.buf.len();
        draft.raw(&IDS);
        draft.add_known(given).then(|| Self { text: draft.buf.as_slice().into(), ids })
    }
}

impl<'a> Origin<'a> {
    pub(crate) fn of(metadata: &'a Metadata<'_>) -> Self {
        Self {
            caller: metadata.file().map(|file| (file, Some(metadata.line().unwrap_or(0)))),
            target: Some(metadata.target()).filter(|target| metadata.module_path() != Some(target)),
        }
    }
}

impl<'s> Draft<'s> {
    pub(crate) fn new(shape: &'s Shape) -> Self {
        let buf = SPARE.try_with(Cell::take).unwrap_or_default();
        let limit = shape.max_line - TAIL;
        Self { shape, buf, keys: Vec::new(), seen: 0, limit, quoted: true, truncated: false }
    }

    /// One more field: where it stands, and its mark.
    #[inline]
    fn keep(&mut self, key: Key, mark: u64) {
        if self.keys.capacity() == 0 {
            self.keys = SPARE_KEYS.try_with(Cell::take).unwrap_or_default();
        }
        self.keys.push(key);
        self.seen |= mark;
    }

    pub(crate) fn head(&mut self, level: Level, at: Duration) {
        match self.shape.style {
            Style::Json => {
                // most lines are of one level, so that is one copy of known length instead of five
                if level == Level::INFO {
                    let mut head = INFO;
                    head[STAMP].copy_from_slice(&clock::stamp(at));
                    self.raw(&head);
                } else {
                    self.raw(b"{\"level\":\"");
                    self.raw(name(level).as_bytes());
                    self.raw(b"\",\"ts\":\"");
                    self.raw(&clock::stamp(at));
                    self.raw(b"\"");
                }
            }
            Style::Console => {
                self.raw(&clock::stamp(at));
                self.raw(b" ");
                self.raw(name(level).as_bytes());
                self.raw(if name(level).len() == 4 { b"  " } else { b" " });
            }
        }
    }

    /// As [`head`](Self::head), [`known_origin`](Self::known_origin) and [`ids`](Self::ids), and what was given, in one copy.
    pub(crate) fn known_head(&mut self, Head { text, ids }: &Head, at: Duration, context: TraceContext) {
        self.raw(text);
        if let Some(place) = self.buf.get_mut(STAMP) {
            place.copy_from_slice(&clock::stamp(at));
        }
        if let Some(place) = self.buf.get_mut(*ids..).and_then(<[u8]>::first_chunk_mut) {
            put_ids(place, context);
        }
    }

    pub(crate) fn origin(&mut self, origin: &Origin<'_>) {
        let json = self.shape.style == Style::Json;
        if let Some(caller) = origin.caller {
            self.raw(if json { b",\"caller\":\"" } else { b"" });
            self.caller(caller);
            self.raw(if json { b"\"" } else { b" " });
        }
        if let Some(target) = origin.target {
            self.raw(if json { b",\"target\":\"" } else { b"[" });
            self.short(target);
            self.raw(if json { b"\"" } else { b"] " });
        }
    }

    /// Adds what was written in a line before, as a whole or not at all. False if there is no room for it and a value.
    #[inline]
    pub(crate) fn add_known(&mut self, text: &[u8]) -> bool {
        if self.buf.len() + text.len() + LEAST_VALUE > self.limit {
            self.truncated |= !text.is_empty();
            return false;
        }
        self.raw(text);
        true
    }

    /// As [`add_known`](Self::add_known).
    #[inline]
    pub(crate) fn add_short(&mut self, Known { text, padded }: &Known) -> bool {
        let end = self.buf.len() + text.len();
        if text.len() > SHORT || end + LEAST_VALUE > self.limit {
            return self.add_known(text);
        }
        self.raw(padded);
        self.buf.truncate(end);
        true
    }

    /// A short text and a number below 1000 behind it, in one copy. False, and nothing is added, if that is not what they
    /// are, there is no room, or there is to be no number (`whole`).
    #[inline]
    pub(crate) fn add_small(&mut self, Known { text, padded }: &Known, whole: bool, value: u64) -> bool {
        let (length, start) = (text.len(), self.buf.len());
        let Some((digits, count)) = digits::small(value) else { return false };
        if whole || length > SHORT || start + length + LEAST_VALUE > self.limit {
            return false;
        }
        let mut both = [0; SHORT + 3];
        both[..SHORT].copy_from_slice(padded);
        both[length..length + 3].copy_from_slice(digits);
        self.raw(&both);
        self.buf.truncate(start + length + usize::from(*count));
        true
    }

    /// What [`origin`](Self::origin) wrote before.
    pub(crate) fn known_origin(&mut self, origin: &[u8]) {
        self.raw(origin);
    }

    /// The message, as `write` writes it; what does not fit is cut off, never what follows it.
    pub(crate) fn message(&mut self, write: impl FnOnce(&mut Self)) {
        if self.shape.style == Style::Json {
            self.raw(b",\"msg\":\"");
        }
        let limit = self.limit;
        self.limit = limit - AFTER_MESSAGE;
        self.quoted = self.shape.style == Style::Json;
        write(self);
        self.limit = limit;
        self.quoted = true;
        if self.shape.style == Style::Json {
            self.raw(b"\"");
        }
    }

    pub(crate) fn ids(&mut self, context: Option<TraceContext>) {
        let Some(context) = context else { return };
        match self.shape.style {
            Style::Json => {
                // one copy of known length instead of seven
                let mut ids = IDS;
                put_ids(&mut ids, context);
                self.raw(&ids);
            }
            Style::Console => {
                let (trace, span, flags) =
                    (context.trace_id().hex(), context.span_id().hex(), context.flags().hex());
                let parts: [&[u8]; 6] =
                    [b" trace_id=", &trace, b" span_id=", &span, b" trace_flags=", &flags];
                parts.into_iter().for_each(|part| self.raw(part));
            }
        }
    }

    /// How many lines of this call site were held back since its last line.
    pub(crate) fn suppressed(&mut self, lines: u64) {
        if lines > 0 {
            self.raw(match self.shape.style {
                Style::Json => b",\"suppressed\":",
                Style::Console => b" suppressed=",
            });
            self.raw(itoa::Buffer::new().format(lines).as_bytes());
        }
    }

    /// The whole line, with its newline.
    pub(crate) fn finish(&mut self) -> &[u8] {
        match (self.shape.style, self.truncated) {
            (Style::Json, false) => self.raw(b"}\n"),
            (Style::Json, true) => self.raw(b",\"truncated\":true}\n"),
            (Style::Console, false) => self.raw(b"\n"),
            (Style::Console, true) => self.raw(b" truncated=true\n"),
        }
        &self.buf
    }

    /// The fields alone and where each stands, for a span to keep.
    pub(crate) fn fields(&self) -> (&[u8], &[Key], bool) {
        (&self.buf, &self.keys, self.truncated)
    }

    pub(crate) fn mark_truncated(&mut self) {
        self.truncated = true;
    }

    /// Appends escaped text up to the limit; false if it was cut.
    fn text(&mut self, text: &str) -> bool {
        let whole = escape(&mut self.buf, text, self.limit, self.quoted);
        self.truncated |= !whole;
        whole
    }

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    fn short(&mut self, text: &str) {
        let limit = self.buf.len() + MOST_NAME;
        escape(&mut self.buf, text, limit, true);
    }

    fn caller(&mut self, (path, line): (&str, Option<u32>)) {
        let Some(line) = line else { return self.short(path) };
        self.short(last_two(path));
        self.raw(b":");
        self.raw(itoa::Buffer::new().format(line).as_bytes());
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let Self { buf, keys, .. } = self;
        // while the thread's locals are destroyed there is nothing left to keep them for
        if buf.capacity() <= MOST_KEPT {
            buf.clear();
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(buf)));
        }
        if keys.capacity() > 0 {
            keys.clear();
            let _ = SPARE_KEYS.try_with(|spare| spare.set(std::mem::take(keys)));
        }
    }
}

#[inline]
fn put_ids(ids: &mut [u8; IDS.len()], context: TraceContext) {
    ids[13..45].copy_from_slice(&context.trace_id().hex());
    ids[58..74].copy_from_slice(&context.span_id().hex());
    ids[91..93].copy_from_slice(&context.flags().hex());
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// `dir/file.rs`: the last two segments, as other production loggers show it.
fn last_two(path: &str) -> &str {
    let mut separators = path.bytes().enumerate().rev().filter(|(_, byte)| matches!(byte, b'/' | b'\\'));
    separators.nth(1).map_or(path, |(at, _)| &path[at + 1..])
}
