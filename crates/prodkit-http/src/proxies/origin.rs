//! From one proxy to the one before it, as far as they are trusted.

use super::TrustedProxies;
use super::elements::{Element, FromEnd, address};
use crate::connection::is_host;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Proxies behind each other, far beyond any that are.
const MAX_HOPS: usize = 32;
/// The longest name of a host (RFC 1035, section 2.3.4), and a port.
const MAX_HOST: usize = 261;

/// Where a request comes from, as the first proxy that is trusted has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    client: Option<IpAddr>,
    scheme: Option<&'static str>,
    host: Option<Box<str>>,
}

impl Origin {
    /// The client; `None` for one that has no address, over a Unix socket.
    pub fn client_addr(&self) -> Option<IpAddr> {
        self.client
    }

    /// `http` or `https`, where it was said.
    pub fn scheme(&self) -> Option<&'static str> {
        self.scheme
    }

    /// The host that the client asked for, with its port if it had one, where it was said.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

/// Where one header leads.
#[derive(Debug, PartialEq, Eq)]
enum Led {
    /// It is not there.
    Nowhere,
    /// To something that is no address.
    Astray,
    /// To this address, and to who named it: so many proxies away, counted from ours.
    To { client: IpAddr, place: usize },
}

/// What the headers of a proxy that is believed say.
pub(super) fn by_headers(
    proxies: &TrustedProxies,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Option<Origin> {
    let elements = || FromEnd::new(headers.get_all(FORWARDED).iter(), true);
    let forwarded = walk(proxies, elements().map(|element| address(Element::parse(element)?.from?.as_ref())));
    let x_forwarded = walk(proxies, FromEnd::new(headers.get_all(FOR).iter(), false).map(address));
    let by_forwarded = |client, place| {
        let element = elements().nth(place).and_then(Element::parse).unwrap_or_default();
        let scheme = element.proto.as_deref().and_then(scheme);
        Origin { client, scheme, host: element.host.as_deref().and_then(host) }
    };
    let by_x_forwarded = |client, place| {
        let scheme = at(headers, &PROTO, place).and_then(scheme);
        Origin { client, scheme, host: at(headers, &HOST, place).and_then(host) }
    };
    match (forwarded, x_forwarded) {
        (Led::Nowhere, Led::Nowhere) => {
            let origin = by_x_forwarded(peer.map(|peer| peer.to_canonical()), 0);
            (origin.scheme.is_some() || origin.host.is_some()).then_some(origin)
        }
        (Led::To { client, place }, Led::Nowhere) => Some(by_forwarded(Some(client), place)),
        (Led::Nowhere, Led::To { client, place }) => Some(by_x_forwarded(Some(client), place)),
        // A proxy that writes one of them hands on whatever the client has put into the other.
        (Led::To { client, place }, Led::To { client: same, place: x_place }) if client == same => {
            let (one, other) = (by_forwarded(Some(client), place), by_x_forwarded(Some(client), x_place));
            let scheme = one.scheme.filter(|_| one.scheme == other.scheme);
            Some(Origin {
                client: Some(client),
                scheme,
                host: one.host.filter(|host| other.host.as_ref() == Some(host)),
            })
        }
        _ => None,
    }
}

/// To the first address that is not trusted, or to the last one there is.
fn walk(proxies: &TrustedProxies, nodes: impl Iterator<Item = Option<IpAddr>>) -> Led {
    let mut led = Led::Nowhere;
    for (place, node) in nodes.enumerate() {
        let Some(client) = node.filter(|_| place < MAX_HOPS) else { return Led::Astray };
        led = Led::To { client, place };
        if !proxies.trust(client) {
            break;
        }
    }
    led
}

/// What is said of the request at `place`, counted from the end; the first that is said where there is less, as of proxies
/// that replace a header and do not add to it.
fn at<'a>(headers: &'a HeaderMap, name: &HeaderName, place: usize) -> Option<&'a [u8]> {
    FromEnd::new(headers.get_all(name).iter(), false).take(place + 1).last()
}

fn scheme(scheme: &[u8]) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(scheme))
}

fn host(host: &[u8]) -> Option<Box<str>> {
    let is_good = (1..=MAX_HOST).contains(&host.len()) && is_host(host);
    str::from_utf8(host).ok().filter(|_| is_good).map(Into::into)
}
