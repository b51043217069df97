//! The `baggage` header.

use crate::ParseError;
use std::borrow::Cow;
use std::fmt;

/// The members and the bytes that everyone must pass on ([W3C Baggage](https://www.w3.org/TR/baggage/), section 3.3.2),
/// and the most that is kept here.
const MAX_MEMBERS: usize = 64;
const MAX_LEN: usize = 8192;

/// What the services of a trace tell those behind them: the `baggage` header (W3C Baggage, section 3.3).
///
/// A list of `key=value` members with optional properties; at most 64 of them and 8192 bytes. Whoever sends a request
/// chose it: it is a hint, and no proof of anything. It leaves the process with every outgoing request, to third parties
/// too, so it is no place for secrets.
///
/// ```
/// use prodkit_trace::Baggage;
///
/// let mut baggage = Baggage::parse([b"tenant=acme, plan=gold;since=2020".as_slice()])?;
/// assert_eq!(baggage.get("plan").as_deref(), Some("gold"));
/// baggage.insert("city", "Zürich, ZH")?;
/// assert_eq!(baggage.to_string(), "tenant=acme,plan=gold;since=2020,city=Z%C3%BCrich%2C%20ZH");
/// # Ok::<(), prodkit_trace::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Baggage(String);

impl Baggage {
    /// The empty list. It should not be sent.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Reads the values of all `baggage` headers of one request, in their order.
    ///
    /// Empty members and white space around members are dropped. What is above the limits is left out by whole members,
    /// from the end.
    ///
    /// # Errors
    ///
    /// A member outside the grammar. The whole list is then ignored, as nobody knows what the rest would mean without it.
    pub fn parse<'h>(headers: impl IntoIterator<Item = &'h [u8]>) -> Result<Self, ParseError> {
        let mut list = String::new();
        let mut members = 0;
        for header in headers {
            let header = str::from_utf8(header).map_err(|_| ParseError::new("baggage is not ASCII"))?;
            for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
                if member.is_empty() {
                    continue;
                }
                let (key, value) = split(member).ok_or(ParseError::new("baggage member without a value"))?;
                check_key(key)?;
                check_value(value)?;
                check_properties(member)?;
                if members < MAX_MEMBERS && list.len() + 1 + member.len() <= MAX_LEN {
                    append(&mut list, member);
                    members += 1;
                }
            }
        }
        Ok(Self(list))
    }

    /// Whether there is no member, and so nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the one header to send.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first value under this key, decoded. What is not UTF-8 in it becomes U+FFFD.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.iter().find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Keys and decoded values, without properties.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.members().filter_map(|member| {
            let (key, value) = split(member)?;
            Some((key, decode(value)))
        })
    }

    /// Adds a member to the end of the list, in place of any other with its key. The value may be any text.
    ///
    /// # Errors
    ///
    /// A key that is no token, or no room for the member. The list is then unchanged.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), ParseError> {
        check_key(key)?;
        let others = || self.members().filter(|member| split(member).is_none_or(|(known, _)| known != key));
        if others().count() >= MAX_MEMBERS {
            return Err(ParseError::new("baggage has 64 members already"));
        }
        let mut list = String::with_capacity(self.0.len() + key.len() + value.len() + 2);
        others().for_each(|member| append(&mut list, member));
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(key);
        list.push('=');
        encode(value, &mut list);
        if list.len() > MAX_LEN {
            return Err(ParseError::new("baggage would be longer than 8192 bytes"));
        }
        self.0 = list;
        Ok(())
    }

    /// Removes the members with this key, and says whether there were any.
    pub fn remove(&mut self, key: &str) -> bool {
        let mut list = String::new();
        self.members()
            .filter(|member| split(member).is_none_or(|(known, _)| known != key))
            .for_each(|member| append(&mut list, member));
        let removed = list.len() < self.0.len();
        self.0 = list;
        removed
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|member| !member.is_empty())
    }
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn append(list: &mut String, member: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(member);
}

/// Key and value as written, without properties.
fn split(member: &str) -> Option<(&str, &str)> {
    let pair = member.split_once(';').map_or(member, |(pair, _)| pair);
    let (key, value) = pair.split_once('=')?;
    Some((key.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])))
}

/// A token of RFC 9110.
fn check_key(key: &str) -> Result<(), ParseError> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if key.is_empty() || !key.bytes().all(token) {
        return Err(ParseError::new("baggage key is not a token"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), ParseError> {
    if value.bytes().all(is_octet) {
        return Ok(());
    }
    Err(ParseError::new("baggage value has a byte that must be percent-encoded"))
}

/// What stands behind a member's value is passed on as it is, so it must be what a header may hold. Its grammar is left to
/// whoever reads it.
fn check_properties(member: &str) -> Result<(), ParseError> {
    if member.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return Ok(());
    }
    Err(ParseError::new("baggage property has a byte that no header may hold"))
}

/// `baggage-octet`: printable ASCII without white space, double quote, comma, semicolon and backslash.
const fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if is_octet(byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            // what is no encoding stands for itself (section 3.3.1.3)
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
