use super::*;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

const PEER: &str = "10.0.0.1";

fn proxies() -> TrustedProxies {
    let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "unix"];
    trusted.iter().map(|text| text.parse::<TrustedProxy>().expect(text)).collect()
}

fn map(lines: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            HeaderValue::from_bytes(value).expect("a value"),
        );
    }
    headers
}

/// `client scheme host`, or "peer".
fn told(peer: &str, lines: &[(&str, &str)]) -> String {
    let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let Some(origin) = proxies().origin(peer.parse().ok(), &map(&lines)) else { return "peer".into() };
    let client = origin.client_addr().map_or("none".into(), |client| client.to_string());
    let words = [Some(client.as_str()), origin.scheme(), origin.host()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_last_address_that_is_not_trusted_is_the_clients() {
    let forwarded = [
        ("for=203.0.113.7", "203.0.113.7"),
        (
            "For=\"203.0.113.7:4711\";PROTO=https;by=10.0.0.1;host=shop.example",
            "203.0.113.7 https shop.example",
        ),
        (
            "for=\"[2001:db8::7]:_secret\"; proto=HTTP ;host=\"shop.example:8443\"",
            "2001:db8::7 http shop.example:8443",
        ),
        ("for=[2001:db8::7]", "2001:db8::7"),
        ("for=203.0.113.7:80", "203.0.113.7"),
        ("for=\"::ffff:203.0.113.7\"", "203.0.113.7"),
        ("for=198.51.100.1, for=203.0.113.7", "203.0.113.7"),
        ("for=203.0.113.7;proto=https, for=10.9.9.9;proto=http", "203.0.113.7 https"),
        ("for=203.0.113.7, for=\"[fd00::1]\", for=192.0.2.1", "203.0.113.7"),
        // all of them trusted: the first one asked
        ("for=10.1.1.1, for=10.2.2.2", "10.1.1.1"),
        (", ,for=203.0.113.7 , ,", "203.0.113.7"),
        ("for=203.0.113.7;ext=\"a,b;c\\\"d\"", "203.0.113.7"),
        (";for=203.0.113.7;;", "203.0.113.7"),
        // neither a scheme nor a host that is known to be one
        ("for=203.0.113.7;proto=gopher;host=\"a b\"", "203.0.113.7"),
        // in front of the client whatever there is
        ("for=\"unclosed, for=203.0.113.7", "203.0.113.7"),
        ("x=\", for=\"[2001:db8::7]\"", "2001:db8::7"),
        ("for=10.1.1.1\", for=203.0.113.7", "203.0.113.7"),
        // what is no address
        ("for=unknown", "peer"),
        ("for=_hidden", "peer"),
        ("for=203.0.113.7, for=_hidden", "peer"),
        ("for=198.51.100.1, for=unknown, for=10.2.2.2", "peer"),
        ("proto=https", "peer"),
        ("for=", "peer"),
        ("for", "peer"),
        ("=203.0.113.7", "peer"),
        ("for =203.0.113.7", "peer"),
        ("for=203.0.113.7 proto=https", "peer"),
        ("for=203.0.113.7;for=203.0.113.8", "peer"),
        ("for=\"203.0.113.7", "peer"),
        ("for=203.0.113.7\"", "peer"),
        ("for=\"203.0.113.7\"x", "peer"),
        ("for=203.0.113.256", "peer"),
        ("for=203.0.113.7:", "peer"),
        ("for=203.0.113.7:123456", "peer"),
        ("for=\"[2001:db8::7\"", "peer"),
        ("for=\"[203.0.113.7]\"", "peer"),
        ("", "peer"),
    ];
    for (value, expected) in forwarded {
        assert_eq!(told(PEER, &[("forwarded", value)]), expected, "{value}");
    }
    let x_forwarded = [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("198.51.100.1, 203.0.113.7, 10.2.2.2", "203.0.113.7"),
        ("\"198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("evil,203.0.113.7", "203.0.113.7"),
        ("10.1.1.1,fd00::1", "10.1.1.1"),
        ("unknown", "peer"),
        ("203.0.113.7, unknown, 10.2.2.2", "peer"),
        ("203.0.113.7 10.2.2.2", "peer"),
    ];
    for (value, expected) in x_forwarded {
        assert_eq!(told(PEER, &[("x-forwarded-for", value)]), expected, "{value}");
    }
}

#[test]
fn who_is_not_trusted_is_not_read() {
    let all = [
        ("forwarded", "for=203.0.113.7;proto=https"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
    ];
    for peer in ["203.0.113.1", "9.255.255.255", "11.0.0.0", "192.0.2.2", "::1", "fe00::1"] {
        assert_eq!(told(peer, &all), "peer", "{peer}");
    }
    // a socket of both families
    assert_eq!(told("::ffff:10.0.0.1", &all[1..2]), "203.0.113.7");
    // a Unix socket
    assert_eq!(told("", &all[1..2]), "203.0.113.7");
    let headers = map(&[("x-forwarded-for", b"203.0.113.7")]);
    let others: TrustedProxies =
        ["0.0.0.0/0".parse(), "::/0".parse()].into_iter().map(Result::unwrap).collect();
    assert_eq!(others.origin(None, &headers), None, "no address, and `unix` is not in the list");
    assert_eq!(TrustedProxies::default().origin(PEER.parse().ok(), &headers), None);
}

#[test]
fn lines_are_one_list_and_what_belongs_to_the_same_proxy_is_taken() {
    let x = "x-forwarded-for";
    assert_eq!(told(PEER, &[(x, "198.51.100.1"), (x, "203.0.113.7"), (x, "10.3.3.3")]), "203.0.113.7");
    let proto = |client: &str, proto: &str, host: &str| {
        told(PEER, &[(x, client), ("x-forwarded-proto", proto), ("x-forwarded-host", host)])
    };
    assert_eq!(proto("203.0.113.7", "https", "shop.example"), "203.0.113.7 https shop.example");
    assert_eq!(proto("203.0.113.7", "https, http", "a, b"), "203.0.113.7 http b");
    assert_eq!(proto("203.0.113.7, 10.2.2.2", "https, http", "a, b"), "203.0.113.7 https a");
    // replaced, not added to
    assert_eq!(proto("203.0.113.7, 10.2.2.2", "https", "a"), "203.0.113.7 https a");
    assert_eq!(told(PEER, &[("x-forwarded-proto", "https")]), "10.0.0.1 https");
    assert_eq!(told("", &[("x-forwarded-proto", "https")]), "none https");
    assert_eq!(told(PEER, &[("x-forwarded-proto", "ftp")]), "peer");
    assert_eq!(proto("unknown", "https", "a"), "peer");
}

#[test]
fn both_headers_have_to_lead_to_the_same() {
    let both = |forwarded: &str, x: &str, proto: &str| {
        told(PEER, &[("forwarded", forwarded), ("x-forwarded-for", x), ("x-forwarded-proto", proto)])
    };
    assert_eq!(both("for=203.0.113.7;proto=https", "203.0.113.7", "https"), "203.0.113.7 https");
    assert_eq!(both("for=203.0.113.7;proto=https", "203.0.113.7", "http"), "203.0.113.7");
    assert_eq!(both("for=198.51.100.1", "203.0.113.7", "https"), "peer");
    assert_eq!(both("for=_hidden", "203.0.113.7", "https"), "peer");
    assert_eq!(both("for=203.0.113.7", "unknown", "https"), "peer");
    assert_eq!(both(", ,", "203.0.113.7", "https"), "203.0.113.7 https", "an empty one is none");
}

#[test]
fn there_is_an_end_to_trusted_proxies() {
    let chain = |hops: usize| vec!["10.2.2.2"; hops].join(",");
    assert_eq!(told(PEER, &[("x-forwarded-for", &chain(32))]), "10.2.2.2");
    assert_eq!(told(PEER, &[("x-forwarded-for", &chain(33))]), "peer");
    assert_eq!(told(PEER, &[("x-forwarded-for", &format!("203.0.113.7,{}", chain(31)))]), "203.0.113.7");
}

#[test]
fn a_proxy_is_an_address_a_network_or_unix() {
    for (text, shown) in [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1/128", "::1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("unix", "unix"),
    ] {
        assert_eq!(text.parse::<TrustedProxy>().expect(text).to_string(), shown);
    }
    for (text, said) in [
        ("", "expected an address"),
        ("localhost", "expected an address"),
        ("10.0.0", "expected an address"),
        ("[::1]", "expected an address"),
        ("10.0.0.1:80", "expected an address"),
        ("10.0.0.0/", "from 0 to 32"),
        ("10.0.0.0/33", "from 0 to 32"),
        ("10.0.0.0/+8", "from 0 to 32"),
        ("10.0.0.0/08", "from 0 to 32"),
        ("::/129", "from 0 to 128"),
        ("10.0.0.1/8", "which is 10.0.0.0/8"),
        ("fd00::1/8", "which is fd00::/8"),
    ] {
        let error = text.parse::<TrustedProxy>().expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    let one: TrustedProxies = ["10.0.0.0/8".parse()].into_iter().map(Result::unwrap).collect();
    for (address, trusted) in
        [("10.255.255.255", true), ("11.0.0.0", false), ("::ffff:10.0.0.1", true), ("::10.0.0.1", false)]
    {
        assert_eq!(one.trust(address.parse().expect("an address")), trusted, "{address}");
    }
}

/// A text as a client may send it: mostly of what means something here.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("for="),
        Just("\""),
        Just("\\"),
        Just(","),
        Just(";"),
        Just("10.1.1.1"),
        Just("198.51.100.9"),
        Just("[fd00::1]"),
        Just("unknown"),
        Just("proto=https"),
        Just(" "),
        Just("\u{e9}"),
        Just("_a"),
        Just(":80"),
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    /// What a client has sent stands in front of what the proxy adds of it, and changes nothing.
    #[test]
    fn what_stands_in_front_of_the_client_changes_nothing(
        sent in proptest::collection::vec(hostile(), 0..4),
        between in 0_usize..4,
        quoted: bool,
        own_line: bool,
        x: bool,
    ) {
        let client = if quoted && !x { "for=\"203.0.113.7:80\";proto=https" } else if x { "203.0.113.7" } else { "for=203.0.113.7;proto=https" };
        let trusted = if x { ", 10.2.2.2" } else { ", for=10.2.2.2;proto=http" };
        let added = format!("{client}{}", trusted.repeat(between));
        let name = if x { "x-forwarded-for" } else { "forwarded" };
        let mut lines = sent;
        match lines.last_mut() {
            Some(last) if !own_line => {
                last.extend_from_slice(b", ");
                last.extend_from_slice(added.as_bytes());
            }
            _ => lines.push(added.into_bytes()),
        }
        let lines: Vec<_> = lines.iter().map(|line| (name, line.as_slice())).collect();
        let origin = proxies().origin(PEER.parse().ok(), &map(&lines)).expect("told");
        prop_assert_eq!(origin.client_addr(), "203.0.113.7".parse().ok());
        prop_assert_eq!(origin.scheme(), (!x).then_some("https"));
    }

    #[test]
    fn nothing_panics_and_only_what_is_there_comes_out(
        lines in proptest::collection::vec((0_usize..4, proptest::collection::vec(prop_oneof![0x20_u8..=0x7e, 0x80_u8..=0xff], 0..200)), 0..6),
    ) {
        const NAMES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
        let lines: Vec<_> = lines.iter().map(|(name, line)| (NAMES[*name], line.as_slice())).collect();
        let _ = proxies().origin(PEER.parse().ok(), &map(&lines));
        prop_assert_eq!(proxies().origin("203.0.113.1".parse().ok(), &map(&lines)), None);
    }
}
