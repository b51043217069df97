//! The values of fields.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::digits::{small, three_digits};
use super::{Draft, Style};
use crate::escape::is_plain;

/// How far a chain of sources is followed: an error may be its own source.
const MOST_SOURCES: usize = 16;

impl Draft<'_> {
    pub(crate) fn put_str(&mut self, value: &str) {
        if self.shape.style == Style::Json && self.buf.len() + value.len() < self.limit && is_plain(value) {
            // the usual: nothing to escape, nothing to cut
            self.buf.reserve(value.len() + 2);
            self.buf.push(b'"');
            self.buf.extend_from_slice(value.as_bytes());
            self.buf.push(b'"');
        } else {
            self.quoted(|draft| draft.plain(value));
        }
    }

    pub(crate) fn put_debug(&mut self, value: &dyn fmt::Debug) {
        self.quoted(|draft| draft.write(format_args!("{value:?}")));
    }

    pub(crate) fn put_bool(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    pub(crate) fn put_u64(&mut self, value: u64) {
        match small(value) {
            Some((digits, length)) => {
                // a copy of known length
                let end = self.buf.len() + usize::from(*length);
                self.raw(digits);
                self.buf.truncate(end);
            }
            None => self.raw(itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// Milliseconds, to the microsecond.
    pub(crate) fn put_millis(&mut self, value: Duration) {
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.put_u64(micros / 1000);
        let [hundreds, tens, ones] = three_digits((micros % 1000) as u32);
        self.raw(&[b'.', hundreds, tens, ones]);
    }

    pub(crate) fn put_i64(&mut self, value: i64) {
        self.raw(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Beyond 64 bits a string: readers of JSON lose digits there without saying so.
    pub(crate) fn put_i128(&mut self, value: i128) {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.put_i64(value),
            (_, Ok(value)) => self.put_u64(value),
            _ => self.put_str(itoa::Buffer::new().format(value)),
        }
    }

    /// As [`put_i128`](Self::put_i128).
    pub(crate) fn put_u128(&mut self, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.put_u64(value),
            Err(_) => self.put_str(itoa::Buffer::new().format(value)),
        }
    }

    /// JSON has no word for what is not finite: `"NaN"`, `"Infinity"`, `"-Infinity"`, as in the JSON form of protobuf.
    pub(crate) fn put_f64(&mut self, value: f64) {
        if value.is_finite() {
            self.raw(ryu::Buffer::new().format_finite(value).as_bytes());
        } else if value.is_nan() {
            self.put_str("NaN");
        } else {
            self.put_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }

    /// `<name>.message`, and `<name>.chain` with the messages of its sources if it has any.
    pub(crate) fn error(&mut self, name: &str, error: &(dyn Error + 'static)) {
        if self.open(name, ".message") {
            self.quoted(|draft| draft.write(format_args!("{error}")));
        }
        let Some(source) = error.source() else { return };
        if !self.open(name, ".chain") {
            return;
        }
        self.raw(b"[");
        let mut next = Some(source);
        for at in 0..MOST_SOURCES {
            let Some(source) = next else { break };
            // room for the comma, both quotes and a character
            if self.buf.len() + 4 > self.limit {
                self.mark_truncated();
                break;
            }
            self.raw(if at == 0 { b"\"" } else { b",\"" });
            self.write(format_args!("{source}"));
            self.raw(b"\"");
            next = source.source();
        }
        self.raw(b"]");
    }

    /// Appends formatted text, escaped, up to the limit; a long value is not formatted to its end.
    pub(crate) fn write(&mut self, text: fmt::Arguments<'_>) {
        // an error means that the limit was reached, or that the value's own implementation gave up
        let _ = match text.as_str() {
            Some(text) => Escaped(self).write_str(text),
            None => Escaped(self).write_fmt(text),
        };
    }

    pub(crate) fn plain(&mut self, text: &str) {
        self.text(text);
    }

    /// A string value. On the console the quotes are left out where a word needs none.
    fn quoted(&mut self, write: impl FnOnce(&mut Self)) {
        self.raw(b"\"");
        let start = self.buf.len();
        write(self);
        let bare = |byte: &u8| !matches!(byte, b' ' | b'"' | b'\\' | b'=');
        if self.shape.style == Style::Console && self.buf.len() > start && self.buf[start..].iter().all(bare)
        {
            self.buf.remove(start - 1);
        } else {
            self.raw(b"\"");
        }
    }
}

struct Escaped<'d, 's>(&'d mut Draft<'s>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.text(text) { Ok(()) } else { Err(fmt::Error) }
    }
}
