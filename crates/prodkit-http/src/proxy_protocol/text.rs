//! Version 1: a line.

use super::{Invalid, IpAddr, Ipv4Addr, Ipv6Addr, LONGEST_LINE, SocketAddr, Source};
use std::str::FromStr;

const START: &[u8] = b"PROXY ";

/// What a line says that is `known` so far.
pub(super) fn line(known: &[u8]) -> Result<Option<Source>, Invalid> {
    let start = known.len().min(START.len());
    if known[..start] != START[..start] {
        return Err(Invalid("it begins with neither `PROXY ` nor the signature of version 2"));
    }
    let (text, whole) = match known {
        [text @ .., b'\r', b'\n'] => (text, true),
        [text @ .., b'\r'] => (text, false),
        text => (text, false),
    };
    if !text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Invalid("a line with other than visible characters and spaces"));
    }
    if whole {
        // ASCII, as was just seen
        return str::from_utf8(&text[START.len()..])
            .ok()
            .and_then(source)
            .map(Some)
            .ok_or(Invalid("a malformed line"));
    }
    if known.len() >= LONGEST_LINE {
        return Err(Invalid("a line without an end in its first 107 bytes"));
    }
    Ok(None)
}

fn source(text: &str) -> Option<Source> {
    let (protocol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let client = match protocol {
        // what follows it must be ignored
        "UNKNOWN" => return Some(Source::Unknown),
        "TCP4" => addresses::<Ipv4Addr>(rest),
        "TCP6" => addresses::<Ipv6Addr>(rest),
        _ => None,
    };
    client.map(Source::Client)
}

/// Source, destination, and their ports, each after exactly one space.
fn addresses<A: FromStr + Into<IpAddr>>(text: &str) -> Option<SocketAddr> {
    let mut parts = text.split(' ');
    let mut address = || parts.next()?.parse::<A>().ok();
    let (source, _destination) = (address()?, address()?);
    let mut port = || parts.next().and_then(port);
    let (source_port, _destination_port) = (port()?, port()?);
    parts.next().is_none().then(|| SocketAddr::new(source.into(), source_port))
}

/// Digits, without zeros in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}
