//! Lists of headers, from the end: what a proxy has added is behind what it was given, and what is in front of the first
//! that is not trusted is never looked at.

use http::HeaderValue;
use http::header::ValueIter;
use std::borrow::Cow;
use std::net::IpAddr;

/// The elements of a header, the last one first, over all its lines. Empty ones are left out (RFC 9110, section 5.6.1.2).
pub(super) struct FromEnd<'a> {
    lines: ValueIter<'a, HeaderValue>,
    /// What is left of a line.
    rest: Option<&'a [u8]>,
    quotes: bool,
}

impl<'a> FromEnd<'a> {
    /// With `quotes`, a comma in a quoted string is none.
    pub(super) fn new(lines: ValueIter<'a, HeaderValue>, quotes: bool) -> Self {
        Self { lines, rest: None, quotes }
    }
}

impl<'a> Iterator for FromEnd<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let line = match self.rest.take() {
                Some(rest) => rest,
                None => self.lines.next_back()?.as_bytes(),
            };
            let comma =
                if self.quotes { last_comma(line) } else { line.iter().rposition(|byte| *byte == b',') };
            let element = match comma {
                Some(comma) => {
                    self.rest = Some(&line[..comma]);
                    &line[comma + 1..]
                }
                None => line,
            };
            let element = element.trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// The last comma outside of a quoted string. A quote that nothing opens takes the whole line, which is malformed then.
fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (place, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !quoted => quoted = true,
            b'"' => quoted = is_escaped(&line[..place]),
            b',' if !quoted => return Some(place),
            _ => {}
        }
    }
    None
}

fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// What is used of an element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) from: Option<Cow<'a, [u8]>>,
    pub(super) proto: Option<Cow<'a, [u8]>>,
    pub(super) host: Option<Cow<'a, [u8]>>,
}

impl<'a> Element<'a> {
    /// Pairs between semicolons (RFC 7239, section 4); `None` if it is not made of them, or has one of ours twice. Spaces
    /// around a semicolon and colons outside of quotes are taken, since they are sent.
    pub(super) fn parse(element: &'a [u8]) -> Option<Self> {
        let mut parsed = Self::default();
        let mut rest = element;
        loop {
            rest = rest.trim_ascii_start();
            if !rest.is_empty() && rest[0] != b';' {
                let (name, value, behind) = pair(rest)?;
                let place = match () {
                    () if name.eq_ignore_ascii_case(b"for") => &mut parsed.from,
                    () if name.eq_ignore_ascii_case(b"proto") => &mut parsed.proto,
                    () if name.eq_ignore_ascii_case(b"host") => &mut parsed.host,
                    () => &mut None,
                };
                if place.replace(value).is_some() {
                    return None;
                }
                rest = behind.trim_ascii_start();
            }
            match rest.split_first() {
                None => return Some(parsed),
                Some((b';', behind)) => rest = behind,
                Some(_) => return None,
            }
        }
    }
}

/// Name and value, and what is behind them.
type Pair<'a> = (&'a [u8], Cow<'a, [u8]>, &'a [u8]);

/// `token "=" value`, and what is behind it.
fn pair(text: &[u8]) -> Option<Pair<'_>> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    if value.first() == Some(&b'"') {
        let (value, behind) = quoted(&value[1..])?;
        return Some((name, value, behind));
    }
    let end = value.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(value.len());
    let (value, behind) = value.split_at(end);
    let is_value = |byte: &u8| is_token(*byte) || matches!(byte, b':' | b'[' | b']');
    (!value.is_empty() && value.iter().all(is_value)).then_some((name, Cow::Borrowed(value), behind))
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What is in a quoted string (RFC 9110, section 5.6.4) whose first quote was read, and what is behind it.
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Cow::Borrowed(&text[..0]);
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => break,
            b'\\' => {
                let escaped = *text.get(at + 1)?;
                value.to_mut().push(escaped);
                at += 2;
            }
            other => {
                match &mut value {
                    Cow::Borrowed(_) => value = Cow::Borrowed(&text[..=at]),
                    Cow::Owned(value) => value.push(*other),
                }
                at += 1;
            }
        }
    }
    Some((value, &text[at + 1..]))
}

/// The address of a node (RFC 7239, section 6), with its port or without; `None` for `unknown`, for one that is hidden
/// behind a name as `_edge`, and for what is no node. An address of IPv6 without its brackets is taken, too.
pub(super) fn address(node: &[u8]) -> Option<IpAddr> {
    /// An address of IPv6 in brackets, and the longest port.
    const MAX: usize = 64;
    let node = str::from_utf8(node).ok().filter(|node| node.len() <= MAX)?;
    let (address, port): (IpAddr, &str) = if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        (IpAddr::V6(address.parse().ok()?), port)
    } else if let Ok(address) = node.parse() {
        (address, "")
    } else {
        let colon = node.find(':')?;
        (IpAddr::V4(node[..colon].parse().ok()?), &node[colon..])
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then(|| address.to_canonical())
}

/// Up to five digits, or a name that hides it.
fn is_port(port: &str) -> bool {
    match port.strip_prefix('_') {
        Some(hidden) => {
            !hidden.is_empty()
                && hidden.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
