use prodkit_trace::TraceState;
use proptest::prelude::*;

fn parse(header: &str) -> Result<TraceState, String> {
    TraceState::parse([header.as_bytes()]).map_err(|error| error.to_string())
}

fn combined(headers: &[&str]) -> Result<TraceState, String> {
    TraceState::parse(headers.iter().map(|header| header.as_bytes())).map_err(|error| error.to_string())
}

/// The cases of the W3C's own conformance suite for level 2, and of section 3.3 beside it.
#[test]
fn accepts_what_the_specification_accepts() {
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/";
    let value: String = (' '..='~').filter(|&c| c != ',' && c != '=').collect();
    let all = format!("{key}={value}");
    let long_key = format!("{}=1", "z".repeat(256));
    let long_value = format!("k={}", "v".repeat(256));
    for (headers, expected) in [
        (&[""][..], ""),
        (&[], ""),
        (&["foo=1"], "foo=1"),
        (&["foo=1,bar=2"], "foo=1,bar=2"),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (&["foo=1,,,bar=2,"], "foo=1,bar=2"),
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&["\t foo=1 \t"], "foo=1"),
        // leading spaces are the value's, trailing ones are not
        (&["foo=  1  "], "foo=  1"),
        (&["foo@=1,bar=2"], "foo@=1,bar=2"),
        (&["foo@@bar=1"], "foo@@bar=1"),
        (&["0foo=1"], "0foo=1"),
        (&[&all], &all),
        (&[&long_key], &long_key),
        (&[&long_value], &long_value),
        // of two with one key the first is the later
        (&["foo=1,foo=1"], "foo=1"),
        (&["foo=1", "bar=0,foo=2"], "foo=1,bar=0"),
    ] {
        assert_eq!(combined(headers).as_ref().map(TraceState::as_str), Ok(expected), "{headers:?}");
    }
}

#[test]
fn refuses_what_the_specification_refuses() {
    for (header, rule) in [
        ("foo", "without a value"),
        ("foo=1,bar", "without a value"),
        ("=1", "key is empty"),
        ("foo =1", "other than"),
        ("FOO=1", "does not begin"),
        ("foo.bar=1", "other than"),
        ("fOo=1", "other than"),
        ("@foo=1,bar=2", "does not begin"),
        ("_foo=1", "does not begin"),
        ("föö=1", "other than"),
        ("foo=", "value is empty"),
        ("foo= ", "value is empty"),
        ("foo=,bar=3", "value is empty"),
        ("foo=bar=baz", "printable"),
        ("foo=b\tz", "printable"),
        ("foo=b\u{7f}z", "printable"),
        ("foo=ü", "printable"),
        (&format!("{}=1", "z".repeat(257)), "longer than 256"),
        (&format!("foo={}", "z".repeat(257)), "longer than 256"),
    ] {
        let error = parse(header).expect_err(header);
        assert!(error.contains(rule), "{header}: {error}");
    }
    assert!(TraceState::parse([b"foo=\xff".as_slice()]).unwrap_err().to_string().contains("ASCII"));
}

#[test]
fn has_at_most_32_members() {
    let members = |count| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>();
    assert_eq!(parse(&members(32).join(",")).unwrap().iter().count(), 32);
    assert!(parse(&members(33).join(",")).unwrap_err().contains("32"));
    let many = members(33);
    assert!(combined(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err().contains("32"));

    let mut state = parse(&members(32).join(",")).unwrap();
    state.insert("new", "v").unwrap();
    assert_eq!(state.iter().count(), 32);
    assert_eq!(state.iter().next(), Some(("new", "v")));
    assert_eq!((state.get("k30"), state.get("k31")), (Some("v"), None));
}

#[test]
fn shortens_by_whole_members_the_long_ones_first() {
    let member = |key: &str, len: usize| format!("{key}={}", "v".repeat(len - key.len() - 1));
    let keys = |state: &TraceState| state.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>().join(",");
    // 127 + 128 + 127 + 127 and three commas are 512
    let full = [member("a", 127), member("b", 128), member("c", 127), member("d", 127)];
    assert_eq!(keys(&parse(&full.join(",")).unwrap()), "a,b,c,d");
    // one byte more, and all are short: the last goes
    let over = [member("a", 128), member("b", 128), member("c", 127), member("d", 127)];
    assert_eq!(keys(&parse(&over.join(",")).unwrap()), "a,b,c");
    // one of them is long: it goes, not the last
    let long = [member("a", 127), member("b", 129), member("c", 127), member("d", 127)];
    assert_eq!(keys(&parse(&long.join(",")).unwrap()), "a,c,d");
    // of several long ones only as many as must, the oldest first
    let longs = |last| [member("a", 250), member("b", 250), member("c", 250), member("d", last)].join(",");
    assert_eq!(keys(&parse(&longs(10)).unwrap()), "a,b,d");
    assert_eq!(keys(&parse(&longs(11)).unwrap()), "a,d");
}

#[test]
fn the_member_just_written_is_kept() {
    let mut state = parse(&format!("a={},b={}", "v".repeat(100), "v".repeat(100))).unwrap();
    state.insert("own", &"v".repeat(256)).unwrap();
    assert_eq!(state.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["own", "a", "b"]);
    state.insert("other", &"v".repeat(250)).unwrap();
    assert_eq!(state.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["other", "a", "b"]);
    // the only long one, and yet not the one to go
    let short = ["a", "b", "c", "d"].map(|key| format!("{key}={}", "v".repeat(110))).join(",");
    let mut state = parse(&short).unwrap();
    state.insert("own", &"v".repeat(150)).unwrap();
    assert_eq!(state.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["own", "a", "b", "c"]);
    let before = state.clone();
    assert!(state.insert(&"k".repeat(256), &"v".repeat(256)).is_err());
    assert!(state.insert("Key", "v").is_err());
    assert!(state.insert("key", "a,b").is_err());
    assert!(state.insert("key", "v ").is_err());
    assert_eq!(state, before);
}

#[test]
fn a_written_member_moves_to_the_front_and_the_others_keep_their_order() {
    let mut state = parse("a=1,b=2,c=3").unwrap();
    state.insert("b", "4").unwrap();
    assert_eq!(state.to_string(), "b=4,a=1,c=3");
    assert_eq!((state.get("b"), state.get("d")), (Some("4"), None));
    assert!(state.remove("a"));
    assert!(!state.remove("a"));
    assert_eq!(state.to_string(), "b=4,c=3");
    assert!(state.remove("b") && state.remove("c"));
    assert!(state.is_empty());
    assert_eq!((state.iter().next(), state.to_string()), (None, String::new()));
    assert!(!state.remove("a"));
    state.insert("a", "1").unwrap();
    assert_eq!(state.as_str(), "a=1");
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_an_error(headers: Vec<Vec<u8>>) {
        let _ = TraceState::parse(headers.iter().map(Vec::as_slice));
    }

    /// Bytes that are nearly right, so that the parser's inner branches are reached too.
    #[test]
    fn a_list_is_bounded_and_reads_back(header in "([a-z@_]{0,4}[=,]{0,2}[ \t\"-~]{0,150}[=,]{0,2}){0,12}") {
        if let Ok(state) = parse(&header) {
            prop_assert!(state.as_str().len() <= 512);
            prop_assert!(state.iter().count() <= 32);
            prop_assert_eq!(parse(state.as_str()), Ok(state));
        }
    }

    #[test]
    fn every_list_of_the_grammar_is_read(
        members in prop::collection::btree_map("[a-z0-9][a-z0-9_*/@-]{0,7}", "[ -+--<>-~]{0,6}[!-+--<>-~]", 0..20),
        ows in "[ \t]{0,2}",
    ) {
        let expected: Vec<_> = members.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let header: Vec<_> = expected.iter().map(|(key, value)| format!("{ows}{key}={value}{ows}")).collect();
        let state = parse(&header.join(",")).unwrap();
        prop_assert_eq!(state.iter().collect::<Vec<_>>(), expected);
    }

    /// Against the obvious model: a list of pairs, for members too few and small to be shortened.
    #[test]
    fn writes_as_a_list_of_pairs_would(writes in prop::collection::vec(("[a-d]", prop::option::of("[x-z]{1,3}")), 0..30)) {
        let (mut state, mut model) = (TraceState::new(), Vec::<(String, String)>::new());
        for (key, value) in writes {
            let known = model.iter().position(|(k, _)| *k == key);
            known.map(|at| model.remove(at));
            match value {
                Some(value) => {
                    state.insert(&key, &value).unwrap();
                    model.insert(0, (key, value));
                }
                None => prop_assert_eq!(state.remove(&key), known.is_some()),
            }
            let model: Vec<_> = model.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            prop_assert_eq!(state.iter().collect::<Vec<_>>(), model);
        }
    }
}
