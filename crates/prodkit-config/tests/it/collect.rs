//! One mistake does not hide another, and does not make one up.

use crate::kit::{load, yaml};
use prodkit_config::{Bytes, Errors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

fn paths<C: DeserializeOwned>(text: &str) -> Vec<String> {
    let errors: Errors = match yaml(text).load_one::<C>() {
        Ok(_) => return Vec::new(),
        Err(errors) => errors,
    };
    errors.iter().map(|error| format!("{}: {}", error.path(), error.message())).collect()
}

#[test]
fn in_containers_of_every_kind() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        list: Vec<u8>,
        map: BTreeMap<String, IpAddr>,
        pair: (u8, IpAddr),
        fixed: [u8; 3],
        boxed: Box<Inner>,
        shared: Option<Box<Wrapper>>,
        point: Point,
        nothing: Nothing,
        letter: char,
        unit: (),
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Inner {
        x: u8,
        y: IpAddr,
        z: u8,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Wrapper(u8);
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Point(u8, u8);
    #[derive(Deserialize)]
    struct Nothing;

    let good = "list: [1]\nmap: {a: '::'}\npair: [1, '::']\nfixed: [1, 2, 3]\nboxed: {x: 1, y: '::', z: 1}\n\
                shared: 1\npoint: [1, 2]\nnothing: {}\nletter: x\nunit: ~\n";
    assert!(paths::<Config>(good).is_empty(), "{:?}", paths::<Config>(good));
    let bad = "list: [a, 1, b]\nmap: {a: x, b: '::', c: y}\npair: [a, b]\nfixed: [1, 2]\nboxed: {y: q}\nshared: x\n\
               point: [1, b]\nnothing: {a: 1}\nletter: xy\nunit: 5\n";
    let found: Vec<_> =
        paths::<Config>(bad).into_iter().map(|error| error.split(": ").next().unwrap().to_owned()).collect();
    let expected = [
        "list[0]",
        "list[2]",
        "map.a",
        "map.c",
        "pair[0]",
        "pair[1]",
        "fixed",
        "boxed.x",
        "boxed.z",
        "boxed.y",
        "shared",
        "point[1]",
        "nothing.a",
        "letter",
        "unit",
    ];
    let mut missing: Vec<_> =
        expected.iter().filter(|path| !found.iter().any(|found| found == *path)).collect();
    missing.extend(expected.iter().filter(|_| found.len() != expected.len()).take(1));
    assert!(missing.is_empty(), "{missing:?} of {found:#?}");
}

/// A type that refuses whatever stands in for it.
#[derive(Debug)]
struct Stubborn;

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "mule" => Ok(Self),
            _ => Err(serde::de::Error::custom("not a mule")),
        }
    }
}

#[test]
fn a_stubborn_type_costs_only_its_section() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        section: Section,
        after: u8,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Section {
        first: u8,
        animal: Stubborn,
        last: u8,
    }
    let found = paths::<Config>("section: {first: x, animal: horse, last: y}\nafter: z\n");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.contains(&"section.animal: not a mule, found `horse`".into()), "{found:#?}");
}

#[test]
fn a_check_of_a_section_is_not_blamed_for_what_stands_in() {
    #[derive(Deserialize)]
    #[serde(try_from = "Raw")]
    struct Range;
    #[derive(Deserialize)]
    struct Raw {
        min: u8,
        max: u8,
    }
    impl TryFrom<Raw> for Range {
        type Error = String;
        fn try_from(Raw { min, max }: Raw) -> Result<Self, String> {
            if min < max && min > 5 {
                Ok(Self)
            } else {
                Err(format!("{min} is not below {max}, or not above 5"))
            }
        }
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        range: Range,
        other: Range,
        name: u8,
    }
    let found = paths::<Config>("range: {min: x, max: 9}\nother: {min: 9, max: 8}\nname: y\n");
    assert_eq!(
        found,
        [
            "range.min: expected a whole number from 0 to 255, found `x`",
            "other: 9 is not below 8, or not above 5",
            "name: expected a whole number from 0 to 255, found `y`",
        ]
    );
}

#[test]
fn types_that_contain_themselves_end() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Chain {
        value: u8,
        next: Box<Loop>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Loop {
        chain: Box<Chain>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        chain: Chain,
        a: u8,
    }
    let found = paths::<Config>("chain: {value: x}\na: y\n");
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn a_name_with_aliases() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        #[serde(alias = "hostname")]
        host: String,
        port: u8,
        #[serde(rename = "max-size", default)]
        size: Option<Bytes>,
    }
    assert!(paths::<Config>("hostname: a\nport: 1\nmax-size: 1MiB\n").is_empty());
    assert!(paths::<Config>("hostname: a\nport: 1\nmax-size: 1024\n").is_empty());
    let found = paths::<Config>("host: a\nhostname: b\nport: 1\nmax-size: 1 mib\n");
    assert!(found.iter().any(|error| error.contains("`host` is set twice")), "{found:#?}");
    assert_eq!(paths::<Config>("max-size: -1\n").len(), 3);
}

#[test]
fn where_serde_buffers_a_warning_says_so() {
    #[derive(Deserialize, Debug)]
    struct Config {
        flat: Flat,
        tagged: Tagged,
        untagged: Vec<Untagged>,
        adjacent: Adjacent,
        scalar: Untagged,
        plain: BTreeMap<String, u8>,
    }
    #[derive(Deserialize, Debug)]
    struct Flat {
        own: u8,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(tag = "kind")]
    enum Tagged {
        Disk { path: String },
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
        Text(String),
        Map { x: u8 },
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(tag = "kind", content = "of")]
    enum Adjacent {
        Disk { path: String },
    }
    let text = "flat: {own: 1, more: 2}\ntagged: {kind: Disk, path: /, typo: 1}\nuntagged: [1, a, {x: 1}]\n\
                adjacent: {of: {path: /}, kind: Disk}\nscalar: 5\nplain: {a: 1}\n";
    let loaded = yaml(text).load_one::<Config>().unwrap();
    let Config { flat, tagged, untagged, adjacent, scalar, plain } = loaded.config;
    assert_eq!((flat.own, flat.rest["more"], plain["a"]), (1, 2, 1));
    assert_eq!(tagged, Tagged::Disk { path: "/".into() });
    assert_eq!(untagged, [Untagged::Number(1), Untagged::Text("a".into()), Untagged::Map { x: 1 }]);
    assert_eq!((adjacent, scalar), (Adjacent::Disk { path: "/".into() }, Untagged::Number(5)));
    let end = ": unknown keys here are not noticed, and nothing here is live";
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "adjacent.of: `Adjacent::Disk` is a struct variant of a tagged enum: unknown keys here are not noticed".into(),
            format!("flat: `Flat` uses `#[serde(flatten)]`{end}"),
            format!("tagged: `Tagged` is an internally tagged enum{end}"),
            format!("untagged[2]: read without a schema, as any value{end}"),
        ]
    );
}

#[test]
fn newtype_variants_of_an_adjacently_tagged_enum_stay_strict() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        storage: Storage,
    }
    #[derive(Deserialize, Debug)]
    #[serde(tag = "kind", content = "of")]
    #[expect(dead_code, reason = "only read by serde")]
    enum Storage {
        Disk(Disk),
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Disk {
        path: String,
    }
    // The tag is handed over first, wherever it is written.
    let found = paths::<Config>("storage: {of: {path: /, pth: 1}, kind: Disk}\n");
    assert_eq!(found, ["storage.of.pth: unknown key `pth`; did you mean `path`?"]);
}

#[test]
fn durations() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Config {
        a: Duration,
        b: Option<Duration>,
        c: Vec<Duration>,
        #[serde(with = "prodkit_config::duration")]
        d: Duration,
    }
    let seconds = Duration::from_secs;
    let expected = Config { a: seconds(30), b: Some(seconds(60)), c: vec![seconds(1)], d: Duration::ZERO };
    assert_eq!(load("a: 30s\nb: 1m\nc: [1s]\nd: 0\n"), Ok(expected));
    let found = paths::<Config>("a: 30\nb: soon\nc: [1.5]\nd: 30\n");
    let expected = "expected a duration such as `30s`, `1m 30s` or `500ms`, found";
    assert_eq!(
        found,
        [
            format!("a: {expected} `30`; a number has no unit; write `30s` for seconds"),
            format!("b: {expected} `soon`"),
            format!("c[0]: {expected} `1.5`; a number has no unit; write `1.5s` for seconds"),
            format!("d: {expected} `30`; a number has no unit; write `30s` for seconds"),
        ]
    );
}

#[test]
fn a_unit_is_not_a_configuration() {
    let error = yaml("a: 1\n").load_one::<()>().unwrap_err();
    assert!(error.to_string().contains("`()` is not a configuration type"), "{error}");
}
