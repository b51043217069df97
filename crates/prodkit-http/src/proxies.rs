//! Whose word counts for where a request comes from.

mod elements;
mod origin;

pub use origin::Origin;

use http::HeaderMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// The proxies that are believed when they say for whom they ask: see
/// [`Observe::trusted_proxies`](crate::Observe::trusted_proxies). By default there are none.
///
/// ```
/// use prodkit_http::{TrustedProxies, TrustedProxy};
///
/// let proxies: Result<TrustedProxies, _> = ["10.0.0.0/8", "::1"].into_iter().map(str::parse::<TrustedProxy>).collect();
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", http::HeaderValue::from_static("198.51.100.1, 203.0.113.7, 10.0.0.2"));
/// let origin = proxies?.origin("10.0.0.1".parse().ok(), &headers);
/// // 10.0.0.2 is trusted; who told it of 198.51.100.1 is not
/// assert_eq!(origin.and_then(|origin| origin.client_addr()), "203.0.113.7".parse().ok());
/// # Ok::<(), prodkit_http::InvalidProxy>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[TrustedProxy]>);

impl TrustedProxies {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a request comes from, by `headers`; `None` where they say nothing that is believed: then `peer` is where.
    ///
    /// `peer` is the other end of the connection, without an address for a Unix socket.
    pub fn origin(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<Origin> {
        let believed = match peer {
            Some(address) => self.trust(address),
            None => self.0.iter().any(|proxy| matches!(proxy.0, Which::Unix)),
        };
        if believed { origin::by_headers(self, peer, headers) } else { None }
    }

    fn trust(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0.iter().any(|proxy| proxy.has(bits))
    }
}

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().collect())
    }
}

/// One address (`10.0.0.1`, `::1`), a network (`10.0.0.0/8`, `fd00::/8`), or `unix`: whoever connects to a Unix socket.
///
/// `unix` holds for every request whose [`peer_addr`](crate::peer_addr) is not known: those of another server than
/// [`serve`](crate::serve), too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(Which);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Unix,
    /// The addresses of IPv4 are those of `::ffff:0:0/96`, as a socket of both families has them.
    Network {
        bits: u128,
        prefix: u8,
    },
}

/// Bits in front of an address of IPv4.
const MAPPED: u8 = 96;

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Those that are not the network's.
fn host_mask(prefix: u8) -> u128 {
    u128::MAX.checked_shr(prefix.into()).unwrap_or(0)
}

impl TrustedProxy {
    fn has(&self, address: u128) -> bool {
        match self.0 {
            Which::Unix => false,
            Which::Network { bits, prefix } => (address ^ bits) & !host_mask(prefix) == 0,
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        if text == "unix" {
            return Ok(Self(Which::Unix));
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidProxy(Reason::Address))?;
        let (whole, before) = if address.is_ipv4() { (32, MAPPED) } else { (128, 0) };
        let length = match length {
            None => whole,
            // no sign, no leading zero: what `u8` would take and nobody means
            Some(length) => length
                .parse()
                .ok()
                .filter(|number: &u8| *number <= whole && number.to_string() == length)
                .ok_or(InvalidProxy(Reason::Length { whole }))?,
        };
        let (bits, prefix) = (bits(address), before + length);
        if bits & host_mask(prefix) != 0 {
            let network = Self(Which::Network { bits: bits & !host_mask(prefix), prefix });
            return Err(InvalidProxy(Reason::HostBits { network }));
        }
        Ok(Self(Which::Network { bits, prefix }))
    }
}

/// As it is parsed.
impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Which::Network { bits, prefix } = self.0 else { return f.write_str("unix") };
        let address = Ipv6Addr::from_bits(bits);
        let (address, length, whole) = match address.to_ipv4_mapped().filter(|_| prefix >= MAPPED) {
            Some(address) => (IpAddr::V4(address), prefix - MAPPED, 32),
            None => (IpAddr::V6(address), prefix, 128),
        };
        if length == whole { address.fmt(f) } else { write!(f, "{address}/{length}") }
    }
}

/// A text that is no [`TrustedProxy`]. Its own text says what is wrong with it, not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidProxy(Reason);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Address,
    Length { whole: u8 },
    HostBits { network: TrustedProxy },
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Address => {
                f.write_str("expected an address as 10.0.0.1, a network as 10.0.0.0/8 or fd00::/8, or unix")
            }
            Reason::Length { whole } => write!(f, "expected a length from 0 to {whole} behind the slash"),
            Reason::HostBits { network } => {
                write!(f, "the address has bits behind those of its network, which is {network}")
            }
        }
    }
}

impl Error for InvalidProxy {}

#[cfg(test)]
mod tests;
