//! The names of fields: reserved ones, repeated ones, and those whose value is not for the log.

use super::{Draft, LEAST_VALUE, Shape, Style};
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

/// The beginning of a field, written once for all lines.
#[derive(Debug)]
pub(crate) struct Planned {
    text: Box<[u8]>,
    key: Key,
    redacted: bool,
    mark: u64,
}

impl Planned {
    /// `None` for a name that does not fit.
    pub(crate) fn new(shape: &Shape, name: &str) -> Option<Self> {
        let mut draft = Draft::new(shape);
        let redacted = !draft.open(name, "");
        let key = *draft.keys.first()?;
        Some(Self { mark: mark(key.name(&draft.buf)), text: draft.buf.as_slice().into(), key, redacted })
    }
}

impl Draft<'_> {
    /// As [`open`](Self::open).
    #[inline]
    pub(crate) fn open_planned(&mut self, planned: &Planned) -> bool {
        let Planned { text, key, redacted, mark } = planned;
        let at = self.buf.len();
        if self.seen & mark != 0 && self.holds(key.name(text)) {
            return false;
        }
        if self.keys.len() == MOST_FIELDS || at + text.len() + LEAST_VALUE > self.limit {
            self.mark_truncated();
            return false;
        }
        self.raw(text);
        self.keep(key.moved(0, at), *mark);
        !redacted
    }

    /// Begins the field `name` + `suffix`. False if there is nothing more to do for it: its name was used before (the
    /// first wins), there is no room, or its value is redacted.
    pub(crate) fn open(&mut self, name: &str, suffix: &str) -> bool {
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
        let mark = mark(key.name(&self.buf));
        if whole && self.seen & mark != 0 && self.holds(key.name(&self.buf)) {
            self.buf.truncate(field);
            return false;
        }
        if !whole || key.end + LEAST_VALUE > self.limit {
            self.mark_truncated();
            self.buf.truncate(field);
            return false;
        }
        self.raw(if json { b"\":" } else { b"=" });
        self.keep(key, mark);
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
            let mark = mark(key.name(buf));
            if self.seen & mark != 0 && self.holds(key.name(buf)) {
                continue;
            }
            let at = self.buf.len();
            if self.keys.len() == MOST_FIELDS || at + (end - key.field) > self.limit {
                self.mark_truncated();
                continue;
            }
            self.raw(&buf[key.field..end]);
            self.keep(key.moved(key.field, at), mark);
        }
    }

    fn holds(&self, name: &[u8]) -> bool {
        self.keys.iter().any(|key| key.end - key.start == name.len() && key.name(&self.buf) == name)
    }
}

/// One of 64 bits: names of different bits differ, which most do.
fn mark(name: &[u8]) -> u64 {
    match name {
        [] => 1,
        [first, .., last] => 1 << ((usize::from(*first) * 3 + usize::from(*last) * 7 + name.len() * 5) & 63),
        [only] => 1 << (only & 63),
    }
}

/// The names whose values are written as `***`.
#[derive(Debug)]
pub(crate) struct Redacted {
    names: Vec<Box<str>>,
    /// A bit per hashed ending of the names: most fields end with none of them.
    endings: u64,
}

impl Redacted {
    /// Empty names are left out.
    pub(crate) fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        names.retain(|name| !name.is_empty());
        let endings = names.iter().fold(0, |endings, name| endings | ending(name));
        Self { names, endings }
    }

    /// Whether `name`, or its part after any dot, is one of the names, in any case.
    pub(crate) fn holds(&self, name: &str) -> bool {
        let Self { names, endings } = self;
        endings & ending(name) != 0
            && names.iter().any(|known| {
                let Some(start) = name.len().checked_sub(known.len()) else { return false };
                let (before, part) = name.as_bytes().split_at(start);
                part.eq_ignore_ascii_case(known.as_bytes()) && matches!(before, [] | [.., b'.'])
            })
    }
}

/// The bit for the last letter, or the last two.
fn ending(name: &str) -> u64 {
    let lower = |byte: u8| u64::from(byte | 0x20);
    match name.as_bytes() {
        [] => 0,
        // what stands before a dot does not count: a name of one letter has one bit however it is prefixed
        [last] | [.., b'.', last] => 1 << (lower(*last) & 63),
        [.., second, last] => 1 << ((lower(*second) * 7 + lower(*last)) & 63),
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn names_fit_in_any_case_and_after_any_dot() {
        let redacted = Redacted::new(["password", "user.email", "x", "Set-Cookie", ""]);
        for name in [
            "password",
            "PassWord",
            "db.password",
            "a.b.PASSWORD",
            "user.email",
            "a.user.email",
            "x",
            "X",
            "a.x",
            "set-cookie",
        ] {
            assert!(redacted.holds(name), "{name}");
        }
        for name in
            ["", "passwords", "my_password", "email", "auser.email", "ax", ".", "é", "d", "password.hash"]
        {
            assert!(!redacted.holds(name), "{name}");
        }
    }
}
