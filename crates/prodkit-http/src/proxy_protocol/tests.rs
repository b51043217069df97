use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads as a connection does that gives `chunk` bytes at a time: the source, and how many bytes it took.
fn read(mut stream: &[u8], chunk: usize) -> Result<Option<(Source, usize)>, Invalid> {
    let all = stream.len();
    let mut header = Header::new();
    while !stream.is_empty() {
        let space = header.space();
        assert!(!space.is_empty(), "it neither ends nor goes on");
        let count = space.len().min(stream.len()).min(chunk);
        let (now, later) = stream.split_at(count);
        space[..count].copy_from_slice(now);
        stream = later;
        if let Some(source) = header.advance(count)? {
            return Ok(Some((source, all - stream.len())));
        }
    }
    Ok(None)
}

fn version_2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a length").to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

fn client(address: &str) -> Source {
    Source::Client(address.parse().expect("an address"))
}

/// 192.0.2.1:258 to 192.0.2.2:443.
const BLOCK_4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 1, 187];

fn block_6() -> Vec<u8> {
    let address = |last| [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[last]].concat();
    [address(1), address(2), vec![1, 2, 1, 187]].concat()
}

#[test]
fn says_whom_a_connection_is_for() {
    let longest = format!("PROXY TCP6 {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"));
    let worst = format!("PROXY UNKNOWN {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"));
    assert_eq!((longest.len(), worst.len()), (104, LONGEST_LINE));
    let with_tlvs = |length: usize| [&BLOCK_4[..], &vec![7; length]].concat();
    let cases: [(&str, Vec<u8>, Source); 20] = [
        ("TCP4", "PROXY TCP4 192.0.2.1 192.0.2.2 258 443\r\n".into(), client("192.0.2.1:258")),
        ("port 0", "PROXY TCP4 0.0.0.0 192.0.2.2 0 0\r\n".into(), client("0.0.0.0:0")),
        ("TCP6", "PROXY TCP6 2001:DB8::1 ::1 65535 443\r\n".into(), client("[2001:db8::1]:65535")),
        ("the longest", longest.into(), client(&format!("[{}]:65535", ["ffff"; 8].join(":")))),
        ("UNKNOWN", "PROXY UNKNOWN\r\n".into(), Source::Unknown),
        ("UNKNOWN and more", "PROXY UNKNOWN what ever\r\n".into(), Source::Unknown),
        ("the worst case", worst.into(), Source::Unknown),
        ("TCP over IPv4", version_2(0x21, 0x11, &BLOCK_4), client("192.0.2.1:258")),
        ("UDP over IPv4", version_2(0x21, 0x12, &BLOCK_4), client("192.0.2.1:258")),
        ("TCP over IPv6", version_2(0x21, 0x21, &block_6()), client("[2001:db8::1]:258")),
        ("UDP over IPv6", version_2(0x21, 0x22, &block_6()), client("[2001:db8::1]:258")),
        ("Unix", version_2(0x21, 0x31, &[b'/'; 216]), Source::Unknown),
        ("unspecified", version_2(0x21, 0x00, &[]), Source::Unknown),
        ("unspecified, with something", version_2(0x21, 0x00, &[1; 99]), Source::Unknown),
        ("no protocol", version_2(0x21, 0x10, &BLOCK_4), Source::Unknown),
        ("local", version_2(0x20, 0x00, &[]), Source::Proxy),
        ("local, with addresses", version_2(0x20, 0x11, &BLOCK_4), Source::Proxy),
        ("local, of a family without addresses", version_2(0x20, 0xff, &[9]), Source::Proxy),
        ("a few TLVs", version_2(0x21, 0x11, &with_tlvs(5)), client("192.0.2.1:258")),
        ("as many as may be", version_2(0x21, 0x11, &with_tlvs(4096 - 28)), client("192.0.2.1:258")),
    ];
    for (what, header, expected) in cases {
        let stream = [&header[..], b"PROXY GET \r\n\r\n"].concat();
        for chunk in [1, 2, 7, 100, 10_000] {
            assert_eq!(read(&stream, chunk), Ok(Some((expected, header.len()))), "{what} by {chunk}");
        }
        assert_eq!(read(&header[..header.len() - 1], 3), Ok(None), "{what}, all but the last byte");
    }
}

#[test]
fn refuses_what_is_none() {
    let long = |with: &str| format!("PROXY UNKNOWN {}", with.repeat(100)).into_bytes();
    let cases: [(&str, Vec<u8>); 26] = [
        ("HTTP", b"GET / HTTP/1.1\r\n".into()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\n".into()),
        ("TLS", b"\x16\x03\x01".into()),
        ("nothing that is known", b"\0".into()),
        ("no space", b"PROXYxUNKNOWN\r\n".into()),
        ("two spaces", b"PROXY  TCP4 192.0.2.1 192.0.2.2 258 443\r\n".into()),
        ("a space at the end", b"PROXY TCP4 192.0.2.1 192.0.2.2 258 443 \r\n".into()),
        ("no ports", b"PROXY TCP4 192.0.2.1 192.0.2.2\r\n".into()),
        ("IPv6 as IPv4", b"PROXY TCP4 ::1 ::1 258 443\r\n".into()),
        ("IPv4 as IPv6", b"PROXY TCP6 192.0.2.1 192.0.2.2 258 443\r\n".into()),
        ("an octal address", b"PROXY TCP4 192.0.02.1 192.0.2.2 258 443\r\n".into()),
        ("an octal port", b"PROXY TCP4 192.0.2.1 192.0.2.2 0258 443\r\n".into()),
        ("a port with a sign", b"PROXY TCP4 192.0.2.1 192.0.2.2 +258 443\r\n".into()),
        ("a port out of range", b"PROXY TCP4 192.0.2.1 192.0.2.2 258 65536\r\n".into()),
        ("another protocol", b"PROXY UDP4 192.0.2.1 192.0.2.2 258 443\r\n".into()),
        ("lower case", b"PROXY unknown\r\n".into()),
        ("LF alone", b"PROXY UNKNOWN\nGET /\r\n".into()),
        ("CR alone", b"PROXY UNKNOWN\rGET /\r\n".into()),
        ("no end", long("x")),
        ("the end one too late", format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).into_bytes()),
        ("version 1 in binary", version_2(0x11, 0x11, &BLOCK_4)),
        ("an unknown command", version_2(0x22, 0x11, &BLOCK_4)),
        ("an unknown family", version_2(0x21, 0x41, &BLOCK_4)),
        ("an unknown protocol", version_2(0x21, 0x13, &BLOCK_4)),
        ("too short", version_2(0x21, 0x11, &BLOCK_4[..11])),
        ("too long", version_2(0x21, 0x11, &[0; 4096 - 15])),
    ];
    for (what, stream) in cases {
        for chunk in [1, 100] {
            assert!(read(&stream, chunk).is_err(), "{what} by {chunk}");
        }
    }
    // at once: nothing that follows would change it
    for (start, length) in [(&b"GET / HTTP/1.1\r\n"[..], 1), (&b"PRI * "[..], 3), (&b"\r\n\r\nG"[..], 5)] {
        assert_eq!(read(&start[..length - 1], 1), Ok(None));
        assert!(read(&start[..length], 1).is_err());
    }
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

/// A header of either version, as a proxy writes it.
fn written(source: SocketAddr, second: bool, tlvs: &[u8]) -> Vec<u8> {
    let ip = source.ip();
    match (ip, second) {
        (IpAddr::V4(_), false) => format!("PROXY TCP4 {ip} {ip} {} 1\r\n", source.port()).into(),
        (IpAddr::V6(ip), false) => {
            let ip = ip.segments().map(|segment| format!("{segment:x}")).join(":");
            format!("PROXY TCP6 {ip} {ip} {} 1\r\n", source.port()).into()
        }
        (IpAddr::V4(ip), true) => {
            let block =
                [&ip.octets()[..], &ip.octets(), &source.port().to_be_bytes(), &[0, 1], tlvs].concat();
            version_2(0x21, 0x11, &block)
        }
        (IpAddr::V6(ip), true) => {
            let block =
                [&ip.octets()[..], &ip.octets(), &source.port().to_be_bytes(), &[0, 1], tlvs].concat();
            version_2(0x21, 0x21, &block)
        }
    }
}

proptest! {
    #[test]
    fn what_a_proxy_writes_is_read(
        source in any_address(), second: bool, tlvs in vec(any::<u8>(), 0..600), rest in vec(any::<u8>(), 0..50),
        chunk in 1_usize..200,
    ) {
        let header = written(source, second, &tlvs);
        let stream = [&header[..], &rest].concat();
        prop_assert_eq!(read(&stream, chunk), Ok(Some((Source::Client(source), header.len()))));
        prop_assert_eq!(read(&header[..header.len() - 1], chunk), Ok(None));
    }

    #[test]
    fn anything_comes_to_one_end_however_it_is_cut(
        start in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", b"PROXY UNKNOWN", SIGNATURE]),
        rest in vec(any::<u8>(), 0..200),
        chunk in 1_usize..50,
    ) {
        let stream = [start, &rest].concat();
        let whole = read(&stream, usize::MAX);
        prop_assert_eq!(read(&stream, chunk).is_err(), whole.is_err());
        if let Ok(found) = whole {
            prop_assert_eq!(read(&stream, chunk), Ok(found));
        }
    }
}
