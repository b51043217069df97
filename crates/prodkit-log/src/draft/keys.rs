//! The names of fields: reserved ones, repeated ones, and those whose value is not for the log.

use super::{Draft, LEAST_VALUE, Style};
use crate::escape::escape;

/// Where a field stands in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The field, with what separates it from the one before.
    pub(crate) field: usize,
    /// Its name, escaped, without quotes.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Key {
    pub(crate) fn name<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        &buf[self.start..self.end]
    }

    pub(crate) fn moved(&self, from: usize, to: usize) -> Self {
        let place = |at: usize| at - from + to;
        Self { field: place(self.field), start: place(self.start), end: place(self.end) }
    }
}

/// More fields than this are left out as if they did not fit: looking for repeated names is quadratic.
pub(crate) const MOST_FIELDS: usize = 256;

/// What the line itself uses. A field of such a name is kept as `fields.<name>`.
fn reserved(name: &str) -> bool {
    matches!(
        name,
        "level"
            | "ts"
            | "caller"
            | "target"
            | "msg"
            | "trace_id"
            | "span_id"
            | "trace_flags"
            | "suppressed"
            | "truncated"
    )
}

impl Draft<'_> {
    /// Begins the field `name` + `suffix`. False if there is nothing more to do for it: its name was used before (the
    /// first wins), there is no room, or its value is redacted.
    pub(super) fn open(&mut self, name: &str, suffix: &str) -> bool {
        let field = self.buf.len();
        if self.keys.len() == MOST_FIELDS || field >= self.limit {
            self.mark_truncated();
            return false;
        }
        let json = self.shape.style == Style::Json;
        self.raw(if json { b",\"" } else { b" " });
        let start = self.buf.len();
        if suffix.is_empty() && reserved(name) {
            self.raw(b"fields.");
        }
        let whole =
            escape(&mut self.buf, name, self.limit, true) && escape(&mut self.buf, suffix, self.limit, true);
        let key = Key { field, start, end: self.buf.len() };
        if whole && self.holds(key.name(&self.buf)) {
            self.buf.truncate(field);
            return false;
        }
        if !whole || key.end + LEAST_VALUE > self.limit {
            self.mark_truncated();
            self.buf.truncate(field);
            return false;
        }
        self.raw(if json { b"\":" } else { b"=" });
        self.keys.push(key);
        if self.shape.redacted.holds(name) {
            self.raw(if json { b"\"***\"" } else { b"***" });
            return false;
        }
        true
    }

    /// Adds fields written earlier, by a span; those already in the line win.
    pub(crate) fn splice(&mut self, buf: &[u8], keys: &[Key]) {
        let ends = keys.iter().skip(1).map(|next| next.field).chain([buf.len()]);
        for (key, end) in keys.iter().zip(ends) {
            if self.holds(key.name(buf)) {
                continue;
            }
            let at = self.buf.len();
            if self.keys.len() == MOST_FIELDS || at + (end - key.field) > self.limit {
                self.mark_truncated();
                continue;
            }
            self.raw(&buf[key.field..end]);
            self.keys.push(key.moved(key.field, at));
        }
    }

    fn holds(&self, name: &[u8]) -> bool {
        self.keys.iter().any(|key| key.name(&self.buf) == name)
    }
}

/// The names whose values are written as `***`.
#[derive(Debug)]
pub(crate) struct Redacted {
    /// Lower case.
    names: Vec<Box<str>>,
    /// Bit `n` is set if a name of `n` bytes is among them, the last bit for all longer ones: most fields end here.
    lengths: u64,
}

impl Redacted {
    pub(crate) fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names: Vec<Box<str>> =
            names.into_iter().map(|name| name.as_ref().to_ascii_lowercase().into()).collect();
        let lengths = names.iter().fold(0, |lengths, name| lengths | bit(name.len()));
        Self { names, lengths }
    }

    /// Whether `name`, or its part after any dot, is one of the names, in any case.
    fn holds(&self, name: &str) -> bool {
        let Self { names, lengths } = self;
        if *lengths == 0 {
            return false;
        }
        let starts = name.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).any(|start| {
            let part = &name[start..];
            lengths & bit(part.len()) != 0 && names.iter().any(|known| known.eq_ignore_ascii_case(part))
        })
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}
