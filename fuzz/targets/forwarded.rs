//! Headers in which proxies say for whom they ask, a line each, beside a second reading that goes the other way.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use prodkit_http::TrustedProxies;
use std::net::IpAddr;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let proxies: TrustedProxies =
        ["10.0.0.0/8", "fd00::/8"].iter().map(|proxy| proxy.parse().expect("a proxy")).collect();
    let peer = Some(IpAddr::from([10, 0, 0, 1]));
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(100) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let origin = proxies.origin(peer, &headers);
    assert_eq!(origin, proxies.origin(peer, &headers), "the second reading says something else");
    assert_eq!(proxies.origin(Some(IpAddr::from([203, 0, 113, 1])), &headers), None, "nobody trusts it");
    if let Some(origin) = &origin {
        assert!(origin.scheme().is_none_or(|scheme| matches!(scheme, "http" | "https")));
        assert!(
            origin
                .host()
                .is_none_or(|host| (1..=261).contains(&host.len()) && !host.contains([',', '"', ' ']))
        );
    }
    let only = |name: &str| !headers.contains_key(name);
    if only("forwarded") {
        let client = origin.as_ref().and_then(|origin| origin.client_addr());
        let expected = forwards(&headers);
        // nobody said a word, or a scheme alone
        assert!(client == expected || expected.is_none() && client == peer, "{client:?}, not {expected:?}");
    }
    // Whatever came, a proxy that adds what it sees settles it.
    for (name, added) in [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=\"203.0.113.7:80\"")] {
        let other = if name == "forwarded" { "x-forwarded-for" } else { "forwarded" };
        let mut settled = headers.clone();
        settled.remove(other);
        let last = settled.get_all(name).iter().next_back().map_or(&b""[..], HeaderValue::as_bytes).to_vec();
        let mut lines: Vec<_> = settled.get_all(name).iter().cloned().collect();
        lines.pop();
        settled.remove(name);
        for line in lines {
            settled.append(HeaderName::from_static(name), line);
        }
        let line = [&last, &b", "[..], added.as_bytes()].concat();
        settled.append(HeaderName::from_static(name), HeaderValue::from_bytes(&line).expect("a value"));
        let client = proxies.origin(peer, &settled).and_then(|origin| origin.client_addr());
        assert_eq!(client, Some(IpAddr::from([203, 0, 113, 7])), "{settled:?}");
    }
});

/// `X-Forwarded-For` from the first address to the last.
fn forwards(headers: &HeaderMap) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    let joined = lines.join(&b","[..]);
    let hops: Vec<_> = joined
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|hop| !hop.is_empty())
        .map(|hop| address(str::from_utf8(hop).ok()?))
        .collect();
    let trusted = |hop: &Option<IpAddr>| match hop {
        Some(IpAddr::V4(address)) => address.octets()[0] == 10,
        Some(IpAddr::V6(address)) => address.octets()[0] == 0xfd,
        None => false,
    };
    let from = hops.iter().rposition(|hop| !trusted(hop)).unwrap_or(0);
    if hops.len() - from > 32 { None } else { hops.get(from).copied().flatten() }
}

fn address(hop: &str) -> Option<IpAddr> {
    if hop.len() > 64 {
        return None;
    }
    let (bare, port) = match hop.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (IpAddr::V6(address.parse().ok()?), port),
        None => match hop.parse() {
            Ok(address) => (address, ""),
            Err(_) => {
                let (address, port) = hop.split_once(':')?;
                (IpAddr::V4(address.parse().ok()?), &hop[hop.len() - port.len() - 1..])
            }
        },
    };
    let is_port = match port.as_bytes() {
        [] => true,
        [b':', b'_', name @ ..] => {
            !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
        }
        [b':', digits @ ..] => (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_port.then(|| bare.to_canonical())
}
