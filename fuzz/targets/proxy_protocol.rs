//! The first bytes of a connection, beside the grammar of HAProxy's `proxy-protocol.txt`, sections 2.1 and 2.2, written out
//! a second time. They come whole, and cut in pieces whose length the first byte gives.

#![no_main]

use prodkit_http::proxy_protocol::{Header, Source};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((chunk, stream)) = input.split_first() else { return };
    let whole = read(stream, usize::MAX);
    assert_eq!(whole, read(stream, usize::from(*chunk).max(1)), "however it is cut");
    match whole {
        Some((source, length)) => {
            assert!(length <= 4096 && length <= stream.len());
            assert_eq!(grammar(&stream[..length]), Some(source), "{:?}", &stream[..length]);
        }
        None => {
            // what no part of it is, no more bytes were taken of than the longest there is
            let longest = (1..=stream.len().min(4096)).find(|length| grammar(&stream[..*length]).is_some());
            assert_eq!(longest, None, "{stream:?}");
        }
    }
});

/// The source and the length, or nothing: refused, or not whole.
fn read(mut stream: &[u8], chunk: usize) -> Option<(Source, usize)> {
    let all = stream.len();
    let mut header = Header::new();
    while !stream.is_empty() {
        let space = header.space();
        assert!(!space.is_empty());
        let count = space.len().min(stream.len()).min(chunk);
        let (now, later) = stream.split_at(count);
        space[..count].copy_from_slice(now);
        stream = later;
        if let Some(source) = header.advance(count).ok()? {
            return Some((source, all - stream.len()));
        }
    }
    None
}

fn grammar(header: &[u8]) -> Option<Source> {
    match header.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n") {
        Some(rest) => binary(rest),
        None => line(header),
    }
}

fn binary(rest: &[u8]) -> Option<Source> {
    let (&[command, family, high, low], block) = rest.split_first_chunk()?;
    if block.len() != usize::from(high) << 8 | usize::from(low) || block.len() > 4080 {
        return None;
    }
    let port = |at: usize| Some(u16::from_be_bytes(*block.get(at..)?.first_chunk()?));
    match (command, family >> 4, family & 15) {
        (0x20, ..) => Some(Source::Proxy),
        (0x21, 1, 1 | 2) => {
            let address: [u8; 4] = *block.first_chunk()?;
            let port = port(8)?;
            block.get(11)?;
            Some(Source::Client(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), port)))
        }
        (0x21, 2, 1 | 2) => {
            let address: [u8; 16] = *block.first_chunk()?;
            let port = port(32)?;
            block.get(35)?;
            Some(Source::Client(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), port)))
        }
        (0x21, 3, 1 | 2) => (block.len() >= 216).then_some(Source::Unknown),
        (0x21, 0..=3, 0) | (0x21, 0, 1 | 2) => Some(Source::Unknown),
        _ => None,
    }
}

fn line(header: &[u8]) -> Option<Source> {
    let line = str::from_utf8(header).ok()?.strip_suffix("\r\n")?;
    if header.len() > 107 || line.chars().any(|letter| letter.is_control() || !letter.is_ascii()) {
        return None;
    }
    let fields: Vec<&str> = line.split(' ').collect();
    match fields.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(Source::Unknown),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            let address =
                |text: &str| text.parse::<IpAddr>().ok().filter(|ip| ip.is_ipv4() == (*family == "TCP4"));
            let port = |text: &str| text.parse::<u16>().ok().filter(|port| port.to_string() == text);
            let (source, _) = (address(source)?, address(destination)?);
            let (from, _) = (port(from)?, port(to)?);
            Some(Source::Client(SocketAddr::new(source, from)))
        }
        _ => None,
    }
}
