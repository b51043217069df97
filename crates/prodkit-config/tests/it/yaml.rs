//! The oddities of YAML, TOML and JSON, each with its answer.

use crate::kit::{Dir, load, load_from, read, yaml};
use prodkit_config::Layers;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Debug, PartialEq)]
struct One<T> {
    a: T,
}

fn one<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    load::<One<T>>(&format!("a: {text}\n")).map(|one| one.a)
}

/// The first line of an error, without the place.
fn why<T: std::fmt::Debug>(result: Result<T, String>) -> String {
    let text = result.unwrap_err();
    let line = text.lines().next().unwrap();
    line.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn plain_scalars_are_what_the_field_says() {
    for (text, expected) in [
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("1.10", "1.10"),
        ("0x1f", "0x1f"),
        ("true", "true"),
        ("1_000", "1_000"),
        ("2025-10-17", "2025-10-17"),
        ("12:30:45", "12:30:45"),
        ("'~'", "~"),
        ("''", ""),
        ("18446744073709551616", "18446744073709551616"),
        ("a # comment", "a"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("|\n  a\n  b", "a\nb\n"),
    ] {
        assert_eq!(one::<String>(text).as_deref(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("~", "a: expected text, found `~`"),
        ("null", "a: expected text, found `null`"),
        ("", "a: expected text, found nothing"),
        ("[]", "a: expected text, found a list"),
    ] {
        assert_eq!(why(one::<String>(text)), expected, "{text}");
    }
}

#[test]
fn booleans() {
    for text in ["true", "True", "TRUE", "!!bool true"] {
        assert_eq!(one::<bool>(text), Ok(true), "{text}");
    }
    for (text, expected) in [
        ("no", "a: expected `true` or `false`, found `no`; write `false`"),
        ("Off", "a: expected `true` or `false`, found `Off`; write `false`"),
        ("y", "a: expected `true` or `false`, found `y`; write `true`"),
        ("1", "a: expected `true` or `false`, found `1`; write `true`"),
        ("'true'", "a: expected `true` or `false`, found the text \"true\"; write `true` without quotes"),
        ("maybe", "a: expected `true` or `false`, found `maybe`"),
        ("", "a: expected `true` or `false`, found nothing"),
    ] {
        assert_eq!(why(one::<bool>(text)), expected, "{text}");
    }
}

#[test]
fn whole_numbers_and_their_limits() {
    assert_eq!(one("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(one("-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(one("340282366920938463463374607431768211455"), Ok(u128::MAX));
    assert_eq!(one("-170141183460469231731687303715884105728"), Ok(i128::MIN));
    assert_eq!(one("0x1F"), Ok(31u8));
    assert_eq!(one("0o17"), Ok(15u8));
    assert_eq!(one("+7"), Ok(7u8));
    assert_eq!(one("-0"), Ok(0u8));
    let u8 = "a: expected a whole number from 0 to 255, found";
    for (text, expected) in [
        ("010", format!("{u8} `010`; leading zeros are not decimal; write `10`, or `0o10` for octal")),
        ("1_0", format!("{u8} `1_0`; write `10`")),
        ("256", format!("{u8} `256`")),
        ("-1", format!("{u8} `-1`")),
        ("1.0", format!("{u8} `1.0`")),
        ("1e2", format!("{u8} `1e2`")),
        ("'7'", format!("{u8} the text \"7\"; write `7` without quotes")),
        ("seven", format!("{u8} `seven`")),
    ] {
        assert_eq!(why(one::<u8>(text)), expected, "{text}");
    }
    let limits = "a: expected a whole number from 0 to 18446744073709551615, found";
    assert_eq!(why(one::<u64>("18446744073709551616")), format!("{limits} `18446744073709551616`"));
    let i64 = "a: expected a whole number from -9223372036854775808 to 9223372036854775807, found";
    assert_eq!(why(one::<i64>("-9223372036854775809")), format!("{i64} `-9223372036854775809`"));
}

#[test]
fn floats() {
    assert_eq!(one("1.5"), Ok(1.5));
    assert_eq!(one("3"), Ok(3.0));
    assert_eq!(one(".inf"), Ok(f64::INFINITY));
    assert!(one::<f64>(".nan").unwrap().is_nan());
    assert_eq!(one("1.5"), Ok(1.5f32));
    assert_eq!(why(one::<f64>("1e400")), "a: expected a number, found `1e400`; the number is too large");
    assert_eq!(why(one::<f32>("1e39")), "a: expected a number of 32 bits, found `1e39`");
    assert_eq!(why(one::<f64>("nan")), "a: expected a number, found `nan`");
}

#[test]
fn nothing_written_is_nothing_said() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Config {
        list: Vec<u8>,
        map: BTreeMap<String, u8>,
        section: Section,
        option: Option<Section>,
    }
    #[derive(Deserialize, Debug, PartialEq, Default)]
    #[serde(default)]
    struct Section {
        x: u8,
    }
    let empty = Config { list: vec![], map: BTreeMap::new(), section: Section::default(), option: None };
    assert_eq!(load("list:\nmap:\nsection:\n  # x: 1\noption:\n"), Ok(empty));
    assert_eq!(why(one::<Vec<u8>>("null")), "a: expected a list, found `null`");
    assert_eq!(why(one::<Section>("null")), "a: expected a map of keys and values, found `null`");
}

#[test]
fn empty_files() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Empty {}
    for (name, text) in [
        ("c.yaml", ""),
        ("c.yaml", "# only a comment\n"),
        ("c.yaml", "---\n"),
        ("c.yaml", "~"),
        ("c.yml", "{}"),
    ] {
        let result = load_from::<Empty>(name, text);
        assert_eq!(result.is_ok(), text != "~", "{text:?}: {result:?}");
    }
    assert_eq!(load_from("c.toml", ""), Ok(Empty {}));
    assert_eq!(load_from("c.toml", "\u{feff}# comment"), Ok(Empty {}));
    assert_eq!(read("c.json", "").unwrap_err(), "c.json:1:1: EOF while parsing a value");
}

#[test]
fn the_top_level_is_a_map() {
    for (name, text) in [("c.yaml", "- a\n"), ("c.yaml", "text"), ("c.json", "[1]"), ("c.json", "5")] {
        let error = read(name, text).unwrap_err();
        assert!(error.contains("1:1: the top level must be a map of keys and values"), "{error}");
    }
}

#[test]
fn one_document() {
    assert_eq!(load("---\na: 1\n...\n"), Ok(One { a: 1 }));
    let error = read("c.yaml", "a: 1\n---\na: 2\n").unwrap_err();
    assert_eq!(error, "c.yaml:2:1: a second document (`---`): a configuration file holds one");
}

#[test]
fn duplicate_keys_name_both_lines() {
    let error = read("c.yaml", "a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\na: 2\n").unwrap_err();
    assert_eq!(
        error,
        "c.yaml:5:3: duplicate key `x`, already set at line 3\n  5 |   x: ***\n    |   ^\n\
         c.yaml:6:1: duplicate key `a`, already set at line 1\n  6 | a: ***\n    | ^"
    );
    let error = read("c.json", "{\"a\": 1,\n \"a\": 2}").unwrap_err();
    assert!(error.starts_with("c.json:2:2: duplicate key `a`, already set at line 1"), "{error}");
    let error = read("c.toml", "a = 1\na = 2\n").unwrap_err();
    assert!(error.starts_with("c.toml:2:1: duplicate key"), "{error}");
}

#[test]
fn anchors_aliases_and_merge_keys() {
    type Maps = BTreeMap<String, BTreeMap<String, u8>>;
    let text = "base: &base {x: 1, y: 2}\nother: &other {y: 3, z: 4}\none: {<<: *base, y: 9}\n\
                two:\n  <<: [*base, *other]\n  w: 5\nthree: *base\nquoted: {'<<': 7}\n";
    let maps: Maps = load(text).unwrap();
    let map = |entries: &[(&str, u8)]| entries.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
    assert_eq!(maps["one"], map(&[("x", 1), ("y", 9)]));
    assert_eq!(maps["two"], map(&[("x", 1), ("y", 2), ("z", 4), ("w", 5)]));
    assert_eq!(maps["three"], maps["base"]);
    assert_eq!(maps["quoted"], map(&[("<<", 7)]));
    for (text, expected) in [
        ("a: &a [*a]\n", "this alias stands for the value it is part of"),
        ("a: {<<: 5}\n", "`<<` merges a map, or a list of maps"),
        ("a: *nowhere\n", "unknown anchor"),
    ] {
        let error = read("c.yaml", text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn bombs_are_errors() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let items = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{items}]\n"));
    }
    let too_large = "too large: a file may hold 100000 values, aliases expanded";
    let too_deep = "too deep: maps and lists may nest 64 levels";
    let wide = format!("a: [{}]", "1,".repeat(100_000));
    let flow = |n: usize| format!("a: {}{}", "[".repeat(n), "]".repeat(n));
    let block: String = (0..70).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let mut climb = String::from("a0: &a0 [x]\n");
    for i in 1..70 {
        climb.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    for (name, text, expected) in [
        ("c.yaml", &laughs, too_large),
        ("c.yaml", &wide, too_large),
        ("c.yaml", &flow(64), too_deep),
        ("c.yaml", &flow(200_000), too_deep),
        ("c.yaml", &block, too_deep),
        ("c.yaml", &climb, too_deep),
        ("c.json", &format!("{{\"a\": {}{}}}", "[".repeat(64), "]".repeat(64)), too_deep),
        ("c.json", &format!("{{\"a\": [{}1]}}", "1,".repeat(100_000)), too_large),
        ("c.json", &format!("{{\"a\": {}1]}}", "[".repeat(500_000)), "expected `,` or `]`"),
        ("c.toml", &format!("a = [{}1]", "1,".repeat(100_000)), too_large),
        ("c.toml", &flow(64).replace("a:", "a ="), too_deep),
    ] {
        let error = read(name, text).unwrap_err();
        assert!(error.contains(expected), "{name} {}: {}", &text[..20], &error[..error.len().min(200)]);
    }
    assert!(read("c.yaml", flow(63)).is_ok());
    // The map itself counts as one, and keys do not count.
    let keys = |n: usize| (0..n).map(|n| format!("\"k{n}\": 1")).collect::<Vec<_>>().join(",");
    for name in ["c.yaml", "c.json"] {
        assert!(read(name, format!("{{{}}}", keys(99_999))).is_ok(), "{name}");
        assert!(read(name, format!("{{{}}}", keys(100_000))).unwrap_err().contains(too_large), "{name}");
    }
    assert!(read("c.json", flow(63).replace("a:", "{\"a\":") + "}").is_ok());
    assert!(read("c.toml", flow(63).replace("a:", "a =")).is_ok());
}

#[test]
fn aliases_repeat_only_so_much_text() {
    let text = |repeats| format!("a: &a '{}'\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; repeats].join(","));
    assert!(read("c.yaml", text(4)).is_ok());
    let error = read("c.yaml", text(5)).unwrap_err();
    assert!(
        error.starts_with("c.yaml:2:17: too large: the aliases of a file may repeat 4 MiB of text"),
        "{error}"
    );
}

/// Whatever is done to a file of the largest size stays near linear: this takes minutes when it does not.
#[test]
fn one_line_of_the_largest_size() {
    let entries: Vec<String> =
        (0..90_000).map(|n| format!("\"password{n}\": \"{}\"", "é".repeat(10))).collect();
    let tree = read("c.json", format!("{{{}}}", entries.join(","))).unwrap();
    assert_eq!(tree.show().to_string().lines().count(), 90_000);
    let errors = tree.load_one::<BTreeMap<String, u8>>().unwrap_err();
    assert_eq!(errors.iter().count(), 50);
    let errors = tree.load_one::<One<u8>>().unwrap_err();
    assert_eq!((errors.iter().count(), errors.omitted()), (50, 89_951));
    assert!(errors.to_string().contains("…"), "{errors}");
}

/// Each excerpt costs the length of its line, so this takes minutes when more are drawn than are kept.
#[test]
fn one_line_with_a_mistake_in_every_word() {
    for (name, text) in [
        ("c.json", format!("{{{}\"a\": 1}}", "\"a\": 1,".repeat(10_000))),
        ("c.yaml", format!("{{{}a: 1}}", "a: 1,".repeat(10_000))),
    ] {
        let dir = Dir::new();
        let errors = Layers::new().file(dir.write(name, text)).read().unwrap_err();
        assert_eq!((errors.iter().count(), errors.omitted()), (50, 9_950), "{name}");
        assert!(errors.iter().all(|error| error.excerpt().is_some()), "{errors}");
    }
}

#[test]
fn a_secret_is_one_wherever_an_alias_repeats_it() {
    for text in [
        "password: &p hunter2\na: *p\n",
        "a: &p hunter2\npassword: *p\nb: *p\n",
        "a: &p hunter2\nb: *p\npassword: [*p]\n",
        "a: {password: &p hunter2}\nb: {<<: {c: *p}}\n",
        "{password: &p hunter2, a: *p, b: *p}\n",
    ] {
        let tree = yaml(text);
        let errors = tree.load_one::<BTreeMap<String, u8>>().unwrap_err();
        let printed = format!("{}{tree:?}{errors}{errors:?}", tree.show());
        assert!(!printed.contains("hunter2"), "{text}\n{printed}");
        assert!(tree.hash() == yaml(&text.replace("hunter2", "other")).hash(), "{text}");
    }
    // A value of its own stays in sight.
    let shown = yaml("password: &p hunter2\na: *p\nb: &q open\nc: *q\n").show().to_string();
    assert_eq!(shown.matches("open").count(), 2, "{shown}");
}

#[test]
fn tags_have_no_meaning() {
    for text in ["a: !secret x\n", "a: !!binary aGk=\n", "a: !!set {x}\n", "a: !<tag:example.com,2000:x> y\n"]
    {
        let error = read("c.yaml", text).unwrap_err();
        assert!(error.contains("has no meaning here; the type of the field decides"), "{error}");
    }
    assert_eq!(one("!!int 5"), Ok(5));
    assert_eq!(one("!!seq [5]"), Ok(vec![5]));
}

#[test]
fn tabs_marks_and_line_ends() {
    let error = read("c.yaml", "a:\n\tb: 1\n").unwrap_err();
    assert!(error.starts_with("c.yaml:2:2: "), "{error}");
    assert!(error.contains("YAML indents with spaces, never with tabs"), "{error}");
    assert_eq!(load("\u{feff}a: 1\r\n"), Ok(One { a: 1 }));
    let error = load::<One<u8>>("\u{feff}b: 2\r\na: x\r\n").unwrap_err();
    let line = error.lines().find(|line| line.contains("a: expected")).unwrap();
    assert!(line.starts_with("config.yaml:2:4: "), "{error}");
    assert_eq!(load_from("c.toml", "a = 1\r\n"), Ok(One { a: 1 }));
    assert_eq!(load_from("c.json", "\u{feff}{\"a\":\t1}\r\n"), Ok(One { a: 1 }));
}

#[test]
fn keys_are_text() {
    let maps: BTreeMap<String, u8> = load("no: 1\n8080: 2\n'': 3\n~: 4\n1.0: 5\n? long\n: 6\n").unwrap();
    let keys: Vec<_> = maps.keys().map(String::as_str).collect();
    assert_eq!(keys, ["", "1.0", "8080", "long", "no", "~"]);
    let ports: BTreeMap<u16, String> = load("8080: http\n9090: admin\n").unwrap();
    assert_eq!(ports.len(), 2);
    let error = load::<BTreeMap<u16, String>>("http: x\n99999: y\n").unwrap_err();
    assert_eq!(error.lines().filter(|line| line.contains("from 0 to 65535")).count(), 2, "{error}");
    assert!(read("c.yaml", "[a]: 1\n").unwrap_err().contains("a key must be text"));
}

#[test]
fn keys_of_any_kind_are_printed_on_one_line() {
    #[derive(Deserialize, Debug)]
    enum Kind {
        #[serde(rename = "x")]
        X,
    }
    assert!(matches!(one("x"), Ok(Kind::X)));
    let keys = format!("{{\"\\e[2J\\n\": 1, {}: 2}}", "y".repeat(500));
    let error = why(one::<Kind>(&keys));
    assert!(error.starts_with("a: expected one of `x`, found several: `\\u{1b}[2J\\n` ("), "{error}");
    assert!(error.len() < 300 && !error.contains(char::is_control), "{error}");
}

#[test]
fn json_and_toml_have_types_of_their_own() {
    for (name, text) in [("c.json", "{\"a\": \"5\"}"), ("c.toml", "a = '5'")] {
        assert_eq!(load_from(name, text), Ok(One { a: "5".to_owned() }));
        assert!(load_from::<One<u8>>(name, text).unwrap_err().contains("write `5` without quotes"));
    }
    for (name, text) in [("c.json", "{\"a\": 5}"), ("c.toml", "a = 5"), ("c.toml", "a = 0b1_01")] {
        assert_eq!(load_from(name, text), Ok(One { a: 5 }), "{text}");
        assert_eq!(load_from(name, text), Ok(One { a: 5.0 }), "{text}");
    }
    let error = load_from::<One<String>>("c.json", "{\"a\": 5}").unwrap_err();
    assert!(error.contains("a: expected text, found the number `5`; write `\"5\"`"), "{error}");
    assert_eq!(load_from("c.json", "{\"a\": 18446744073709551615}"), Ok(One { a: u64::MAX }));
    assert_eq!(load_from("c.toml", "a = 18446744073709551615"), Ok(One { a: u64::MAX }));
    assert_eq!(load_from("c.toml", "a = -9223372036854775808"), Ok(One { a: i64::MIN }));
    assert!(load_from::<One<f64>>("c.json", "{\"a\": 1e400}").unwrap_err().contains("too large"));
    assert_eq!(load_from("c.toml", "a = -inf"), Ok(One { a: f64::NEG_INFINITY }));
    assert_eq!(
        load_from("c.toml", "a = 2025-10-17T10:00:00Z"),
        Ok(One { a: "2025-10-17T10:00:00Z".to_owned() })
    );
    assert_eq!(load_from("c.json", "{\"a\": \"\\ud83d\\ude00\"}"), Ok(One { a: "😀".to_owned() }));
    assert_eq!(load_from("c.json", "{\"a\": null}"), Ok(One { a: None::<u8> }));
}

#[test]
fn syntax_errors_have_a_place() {
    for (name, text, expected) in [
        ("c.yaml", "a: 1\nb: [1, 2\n", "c.yaml:"),
        ("c.yaml", "a: 1\n b: 2\n", "c.yaml:2:"),
        ("c.toml", "a = 1\nb = \n", "c.toml:2:"),
        ("c.json", "{\"a\": 1,}", "c.json:1:"),
        ("c.json", "{\"a\": 1} x", "c.json:1:10: trailing characters"),
        ("c.json", "{\"a\": \"\\ud800\"}", "c.json:1:7: "),
        ("c.json", "{\"a\": 01}", "c.json:1:"),
        ("c.json", "{\"a\": /* no */ 1}", "c.json:1:7: "),
    ] {
        let error = read(name, text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_schemaless_value_follows_the_core_schema() {
    let text = "a: no\nb: 010\nc: 10\nd: 1.5\ne: true\nf: ~\ng: '5'\nh: 18446744073709551615\ni: -9223372036854775808\n";
    let tree = yaml(text);
    let loaded = tree.load_one::<serde_json::Value>().unwrap();
    let expected = serde_json::json!({
        "a": "no", "b": "010", "c": 10, "d": 1.5, "e": true, "f": null, "g": "5",
        "h": u64::MAX, "i": i64::MIN,
    });
    assert_eq!(loaded.config, expected);
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "read without a schema, as any valid JSON value: unknown keys here are not noticed, and nothing here is live"
        ]
    );
    let error = yaml("a: 18446744073709551616\n").load_one::<serde_json::Value>().unwrap_err();
    assert!(error.to_string().contains("a whole number of at most 64 bits"), "{error}");
}
