//! The `tracestate` header.

use crate::ParseError;
use std::fmt;

/// The members a list may have (W3C Trace Context Level 2, section 3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// The length every implementation should pass on (section 3.3.1.5), and the most that is kept here.
const MAX_LEN: usize = 512;
/// Members longer than this go first when a list must be shortened (section 3.3.1.5).
const LONG: usize = 128;
/// The longest key and the longest value (sections 3.3.1.3.1 and 3.3.1.3.2).
const MAX_PART: usize = 256;

/// What other tracing systems want passed along with the trace: the `tracestate` header (W3C Trace Context Level 2,
/// section 3.3).
///
/// An ordered list of `key=value` members, the most recently written first; at most 32 of them and 512 bytes.
///
/// ```
/// use prodkit_trace::TraceState;
///
/// let mut state = TraceState::parse([b"congo=t61rcWkgMzE".as_slice(), b"rojo=00f067aa0ba902b7"])?;
/// state.insert("rojo", "b7ad6b7169203331")?;
/// assert_eq!(state.to_string(), "rojo=b7ad6b7169203331,congo=t61rcWkgMzE");
/// # Ok::<(), prodkit_trace::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceState(String);

impl TraceState {
    /// The empty list. It should not be sent.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Reads the values of all `tracestate` headers of one request, in their order.
    ///
    /// Empty members and white space around members are dropped; of members with the same key the first, which is the
    /// latest, is kept. A list above 512 bytes is shortened by whole members as the specification asks: from its end,
    /// and those above 128 bytes before all others.
    ///
    /// # Errors
    ///
    /// A key or a value outside the grammar, or more than 32 members. Callers then drop the header and keep
    /// `traceparent`; without a valid `traceparent` they do not call this at all.
    pub fn parse<'h>(headers: impl IntoIterator<Item = &'h [u8]>) -> Result<Self, ParseError> {
        let mut members: Vec<&str> = Vec::new();
        let mut seen = 0;
        for header in headers {
            let header = str::from_utf8(header).map_err(|_| ParseError::new("tracestate is not ASCII"))?;
            for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
                if member.is_empty() {
                    continue;
                }
                seen += 1;
                if seen > MAX_MEMBERS {
                    return Err(ParseError::new("tracestate has more than 32 members"));
                }
                let (key, value) =
                    member.split_once('=').ok_or(ParseError::new("tracestate member without a value"))?;
                check(key, value)?;
                if !members.iter().any(|known| key_of(known) == key) {
                    members.push(member);
                }
            }
        }
        shorten(&mut members, 0);
        Ok(Self(members.join(",")))
    }

    /// Whether there is no member, and so nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the one header to send.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == key).then_some(value))
    }

    /// The members, the most recently written first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(',').filter_map(|member| member.split_once('='))
    }

    /// Writes a member to the front of the list and removes any other with its key.
    ///
    /// What is then too much, by number or by length, goes: never the new member, otherwise as in
    /// [`parse`](Self::parse).
    ///
    /// # Errors
    ///
    /// A key or a value outside the grammar, or so long that the member alone is above 512 bytes. The list is then
    /// unchanged.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), ParseError> {
        check(key, value)?;
        let member = format!("{key}={value}");
        if member.len() > MAX_LEN {
            return Err(ParseError::new("tracestate member is longer than 512 bytes"));
        }
        let mut members = vec![member.as_str()];
        members.extend(self.others(key).take(MAX_MEMBERS - 1));
        shorten(&mut members, 1);
        self.0 = members.join(",");
        Ok(())
    }

    /// Removes the member with this key, and says whether there was one.
    ///
    /// The specification advises against removing what other systems wrote, except to keep it from leaving.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.0.len();
        self.0 = self.others(key).collect::<Vec<_>>().join(",");
        self.0.len() < before
    }

    fn others(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(move |member| !member.is_empty() && key_of(member) != key)
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn key_of(member: &str) -> &str {
    member.split_once('=').map_or(member, |(key, _)| key)
}

/// Removes members until the list fits, but none of the first `keep`.
fn shorten(members: &mut Vec<&str>, keep: usize) {
    let len =
        |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1);
    while len(members) > MAX_LEN && members.len() > keep {
        let long = members[keep..].iter().rposition(|member| member.len() > LONG);
        members.remove(long.map_or(members.len() - 1, |at| keep + at));
    }
}

fn check(key: &str, value: &str) -> Result<(), ParseError> {
    let [first, ..] = key.as_bytes() else { return Err(ParseError::new("tracestate key is empty")) };
    if !matches!(first, b'a'..=b'z' | b'0'..=b'9') {
        return Err(ParseError::new("tracestate key does not begin with a lowercase letter or a digit"));
    }
    if key.len() > MAX_PART {
        return Err(ParseError::new("tracestate key is longer than 256 bytes"));
    }
    if !key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@')) {
        return Err(ParseError::new("tracestate key has a byte other than a-z, 0-9 and _-*/@"));
    }
    if value.is_empty() || value.ends_with(' ') {
        return Err(ParseError::new("tracestate value is empty or ends with a space"));
    }
    if value.len() > MAX_PART {
        return Err(ParseError::new("tracestate value is longer than 256 bytes"));
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=') {
        return Err(ParseError::new(
            "tracestate value has a byte that is not printable ASCII, a comma or an equals sign",
        ));
    }
    Ok(())
}
