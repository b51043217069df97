//! The header of the PROXY protocol, versions 1 and 2, bounded and without I/O.
//!
//! By HAProxy's `proxy-protocol.txt` of 2020-03-05: the sections named here are that document's.

mod text;

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header of version 2 begins with (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length (section 2.2).
const FIXED: usize = 16;
/// Two addresses of IPv6 and their ports: what is kept of a header of version 2 (section 2.2).
const KEPT: usize = FIXED + 36;
/// The shortest header of all: `PROXY UNKNOWN` (section 2.1).
const SHORTEST: usize = 15;
/// The longest a line may be (section 2.1).
const LONGEST_LINE: usize = 107;
/// The longest a header of version 2 may be here. What the specification names fits 536 bytes; what balancers and their
/// users add to it as TLVs may take the rest.
const LONGEST: usize = 4096;
/// What of a header that is passed over is read at a time, and what a line takes.
const BUFFER: usize = 512;

/// Whom a connection is for, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A client with this address.
    Client(SocketAddr),
    /// A client whose address cannot be told: `UNKNOWN`, an unspecified family, or a Unix socket.
    Unknown,
    /// The proxy itself, as for its health checks.
    Proxy,
}

/// A header that is being read.
///
/// ```
/// use prodkit_http::proxy_protocol::{Header, Source};
///
/// let mut socket: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nGET / HTTP/1.1\r\n";
/// let mut header = Header::new();
/// let source = loop {
///     let count = std::io::Read::read(&mut socket, header.space())?;
///     // (0 would be the end of the stream)
///     if let Some(source) = header.advance(count)? {
///         break source;
///     }
/// };
/// assert_eq!(source, Source::Client("203.0.113.7:56324".parse()?));
/// assert!(socket.starts_with(b"GET"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Header {
    buffer: [u8; BUFFER],
    /// Bytes of it that came.
    came: usize,
}

impl Header {
    /// One of which nothing has come.
    pub fn new() -> Self {
        Self { buffer: [0; BUFFER], came: 0 }
    }

    /// Where the next bytes go: as many as belong to the header for certain, and never one of what comes behind it. Not
    /// empty until the header is whole.
    pub fn space(&mut self) -> &mut [u8] {
        let start = self.came.min(KEPT.max(self.line()));
        let end = BUFFER.min(start + self.wanted());
        &mut self.buffer[start..end]
    }

    /// `count` more bytes came into [`space`](Self::space). The source, once the header is whole.
    ///
    /// # Errors
    ///
    /// [`Invalid`], as soon as what came cannot become a header.
    pub fn advance(&mut self, count: usize) -> Result<Option<Source>, Invalid> {
        self.came += count.min(self.wanted());
        let known = &self.buffer[..self.came.min(BUFFER)];
        if known.is_empty() {
            return Ok(None);
        }
        if known[0] == SIGNATURE[0] { binary(known, self.came) } else { text::line(known) }
    }

    /// Bytes of a line; 0 in version 2.
    fn line(&self) -> usize {
        if self.came > 0 && self.buffer[0] == SIGNATURE[0] { 0 } else { self.came }
    }

    fn wanted(&self) -> usize {
        let Self { buffer, came } = self;
        match *came {
            came if came < SHORTEST => SHORTEST - came,
            // the end of a line is CR LF, and nothing says how far it is
            came if self.line() > 0 => {
                (LONGEST_LINE - came).min(if buffer[came - 1] == b'\r' { 1 } else { 2 })
            }
            came if came < FIXED => FIXED - came,
            came if came < KEPT => KEPT.min(length(buffer)) - came,
            came => length(buffer) - came,
        }
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new()
    }
}

/// The length of a header of version 2, of which the fixed part came.
fn length(known: &[u8]) -> usize {
    FIXED + usize::from(u16::from_be_bytes([known[14], known[15]]))
}

fn binary(known: &[u8], came: usize) -> Result<Option<Source>, Invalid> {
    let start = came.min(SIGNATURE.len());
    if known[..start] != SIGNATURE[..start] {
        return Err(Invalid("it begins like version 2 and goes on otherwise"));
    }
    if came < FIXED {
        return Ok(None);
    }
    let is_local = match known[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(Invalid("a version that is not 2, or a command that is not known")),
    };
    let length = length(known);
    if length > LONGEST {
        return Err(Invalid("longer than 4096 bytes"));
    }
    // what a header says of its family does not count for a connection of the proxy's own
    let addresses = match known[13] {
        _ if is_local => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        // each family with an unspecified protocol, and the other way round
        0x00..=0x02 | 0x10 | 0x20 | 0x30 => 0,
        _ => return Err(Invalid("a family or a protocol that is not known")),
    };
    if length < FIXED + addresses {
        return Err(Invalid("too short for its addresses"));
    }
    if came < length {
        return Ok(None);
    }
    let block = &known[FIXED..known.len().min(KEPT)];
    Ok(Some(match addresses {
        _ if is_local => Source::Proxy,
        12 => client::<4>(block).map_or(Source::Unknown, Source::Client),
        36 => client::<16>(block).map_or(Source::Unknown, Source::Client),
        _ => Source::Unknown,
    }))
}

/// The source of addresses of `N` bytes: source, destination, and their ports.
fn client<const N: usize>(block: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = block.split_first_chunk::<N>()?;
    let (_destination, ports) = rest.split_first_chunk::<N>()?;
    let port = ports.first_chunk::<2>()?;
    Some(SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes(*port)))
}

/// What came is no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid(&'static str);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no header of the PROXY protocol: {}", self.0)
    }
}

impl Error for Invalid {}

#[cfg(test)]
mod tests;
