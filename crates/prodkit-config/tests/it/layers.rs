//! Which source wins, and what each of them may not do.

use crate::kit::{Dir, set};
use prodkit_config::{Layers, Tree};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;

fn shown(tree: &Tree, dir: &Dir) -> Vec<String> {
    let prefix = format!("{}/", dir.root().display());
    tree.leaves().map(|leaf| leaf.to_string().replace(&prefix, "")).collect()
}

const NONE: [(&str, &str); 0] = [];

#[test]
fn later_wins_and_says_so() {
    let dir = Dir::with(&[
        ("base.yaml", b"server: {host: a, port: 1}\nlist: [1, 2]\nlog: {level: info}\n"),
        ("more.toml", b"list = [3]\n[server]\nport = 2\n"),
        ("last.json", b"{\"server\": {\"timeout\": \"3s\"}}"),
    ]);
    let tree = Layers::new()
        .set("server.timeout=9s")
        .env(
            "APP__",
            [("APP__SERVER__PORT", "4"), ("APP__LOG__FORMAT", "json"), ("APP_PORT", "tcp://10.0.0.1:80")],
        )
        .alias("LOG_LEVEL", "log.level", "debug")
        .alias("PORT", "server.port", "5")
        .file(dir.path("base.yaml"))
        .file(dir.path("more.toml"))
        .file(dir.path("last.json"))
        .read()
        .unwrap();
    assert_eq!(
        shown(&tree, &dir),
        [
            "server.host = a    # base.yaml:1:16",
            "server.port = 4    # environment variable APP__SERVER__PORT",
            "server.timeout = 9s    # --set server.timeout",
            "list[0] = 3    # more.toml:1:9",
            "log.level = debug    # environment variable LOG_LEVEL",
            "log.format = json    # environment variable APP__LOG__FORMAT",
        ]
    );
}

#[test]
fn a_directory_is_its_files_by_name() {
    let dir = Dir::with(&[
        ("conf/20.yaml", b"a: 2\nb: 2\n"),
        ("conf/10.yaml", b"a: 1\nc: 1\n"),
        ("conf/..data/30.yaml", b"a: 3\n"),
        ("conf/.hidden.yaml", b"a: 4\n"),
        ("conf/nested/40.yaml", b"a: 5\n"),
        ("conf/README.md", b"not configuration"),
    ]);
    let tree = Layers::new().file(dir.path("conf")).read().unwrap();
    assert_eq!(
        shown(&tree, &dir),
        ["a = 2    # conf/20.yaml:1:4", "c = 1    # conf/10.yaml:2:4", "b = 2    # conf/20.yaml:2:4"]
    );
    let warnings = tree.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message().contains("README.md: ignored"), "{}", warnings[0]);
    let files: Vec<_> =
        tree.files().map(|path| path.strip_prefix(dir.root()).unwrap().display().to_string()).collect();
    assert_eq!(files, ["conf", "conf/10.yaml", "conf/20.yaml"]);
}

#[cfg(unix)]
#[test]
fn a_config_map_volume_reads_through_its_links() {
    let dir = Dir::with(&[("volume/..2026_11_23/config.yaml", b"a: 1\n")]);
    std::os::unix::fs::symlink("..2026_11_23", dir.path("volume/..data")).unwrap();
    std::os::unix::fs::symlink("..data/config.yaml", dir.path("volume/config.yaml")).unwrap();
    let tree = Layers::new().file(dir.path("volume")).read().unwrap();
    assert_eq!(shown(&tree, &dir), ["a = 1    # volume/config.yaml:1:4"]);
}

#[test]
fn every_bad_file_is_named_at_once() {
    let dir = Dir::with(&[
        ("a.yaml", b"a: [1\n"),
        ("b.yaml", b"ok: 1\nx\xffy: 1\n"),
        ("c.ini", b"[a]"),
        ("noextension", b""),
        ("utf16.yaml", b"\xff\xfea\0"),
    ]);
    dir.write("big.yaml", vec![b' '; (4 << 20) + 1]);
    dir.write("fits.yaml", [b"a: 1 #".as_slice(), &vec![b' '; (4 << 20) - 6]].concat());
    let names =
        ["missing.yaml", "a.yaml", "b.yaml", "c.ini", "noextension", "utf16.yaml", "big.yaml", "fits.yaml"];
    let layers = names.iter().fold(Layers::new(), |layers, name| layers.file(dir.path(name)));
    let text = dir.text(&layers.read().unwrap_err());
    for line in [
        "missing.yaml: no such file or directory",
        "b.yaml:2:2: not UTF-8: byte 0xff at offset 7",
        "c.ini: unknown extension; known are `.yaml`, `.yml`, `.toml` and `.json`",
        "noextension: unknown extension; known are `.yaml`, `.yml`, `.toml` and `.json`",
        "utf16.yaml:1:1: not UTF-8: byte 0xff at offset 0; this looks like UTF-16, save it as UTF-8",
        "big.yaml: too large: a file may have 4 MiB",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n---\n{text}");
    }
    assert!(text.contains("a.yaml:"), "{text}");
    assert!(!text.contains("fits.yaml"), "{text}");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_an_error() {
    let dir = Dir::new();
    std::os::unix::fs::symlink("loop.yaml", dir.path("loop.yaml")).unwrap();
    let errors = Layers::new().file(dir.path("loop.yaml")).read().unwrap_err();
    assert!(dir.text(&errors).starts_with("loop.yaml: cannot be read: "), "{errors}");
    let error = errors.iter().next().unwrap();
    assert!(std::error::Error::source(error).is_some());
    let errors = Layers::new().file("/dev/null").read().unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/dev/null: unknown extension; known are `.yaml`, `.yml`, `.toml` and `.json`"
    );
    std::os::unix::fs::symlink("/dev/zero", dir.path("zero.yaml")).unwrap();
    let errors = Layers::new().file(dir.path("zero.yaml")).read().unwrap_err();
    assert_eq!(dir.text(&errors), "zero.yaml: not a regular file");
}

#[test]
fn an_optional_file_may_be_missing_but_not_wrong() {
    let dir = Dir::with(&[("bad.yaml", b"a: [")]);
    assert!(Layers::new().optional_file(dir.path("missing.yaml")).read().is_ok());
    assert!(Layers::new().optional_file(dir.path("bad.yaml")).read().is_err());
}

#[test]
fn variables_name_paths() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Config {
        feature_flags: BTreeMap<String, bool>,
        hosts: Vec<String>,
        ports: Vec<u16>,
        pair: (u8, u8),
        text: String,
        empty: String,
        none: Vec<String>,
    }
    let vars = [
        ("APP__FEATURE_FLAGS__NEW_CHECKOUT", "TRUE"),
        ("APP__HOSTS", "a, b,c"),
        ("APP__Ports", "1,2"),
        ("APP__PAIR", "3,4"),
        ("APP__TEXT", "a,b"),
        ("APP__EMPTY", ""),
        ("APP__NONE", ""),
        ("PATH", "/bin"),
        ("app__text", "other"),
        ("APP_TEXT", "other"),
    ];
    let tree = Layers::new().env("APP__", vars).read().unwrap();
    let strings = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = Config {
        feature_flags: [("new_checkout".into(), true)].into(),
        hosts: strings(&["a", "b", "c"]),
        ports: vec![1, 2],
        pair: (3, 4),
        text: "a,b".into(),
        empty: String::new(),
        none: vec![],
    };
    assert_eq!(tree.load_one::<Config>().unwrap().config, expected);
}

#[test]
fn text_is_never_guessed() {
    let value = set::<serde_json::Value>(&["a=true", "b=5", "c=null", "d="]).unwrap().config;
    assert_eq!(value, serde_json::json!({"a": "true", "b": "5", "c": "null", "d": ""}));
    #[derive(Deserialize, Debug, PartialEq)]
    struct Config {
        a: String,
        b: Option<u8>,
        c: Option<String>,
    }
    let config = set::<Config>(&["a=no", "b=5", "c=null"]).unwrap().config;
    assert_eq!(config, Config { a: "no".into(), b: Some(5), c: Some("null".into()) });
}

#[test]
fn variables_that_cannot_be_meant() {
    let errors = |vars: &[(&str, &str)]| {
        let error = Layers::new().env("APP__", vars.iter().copied()).read().unwrap_err();
        error.to_string()
    };
    let named = "names no key: write `__` between two names";
    assert_eq!(errors(&[("APP__", "x")]), format!("environment variable APP__: {named}"));
    assert_eq!(errors(&[("APP__A____B", "x")]), format!("environment variable APP__A____B: {named}"));
    assert_eq!(
        errors(&[("APP__A", "1"), ("APP__a", "2")]),
        "environment variable APP__a: sets the same key as APP__A"
    );
    assert_eq!(
        errors(&[("APP__A__B__C", "1"), ("APP__A", "2"), ("APP__AB", "3")]),
        "environment variable APP__A__B__C: contradicts APP__A, which sets the section to a text"
    );
    let deep = format!("APP__{}A", "A__".repeat(70));
    assert!(errors(&[(&deep, "1")]).ends_with(named));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_matters_only_where_it_is_used() {
    use std::os::unix::ffi::OsStringExt;
    let bad = || OsString::from_vec(vec![b'x', 0xff]);
    let vars = [(OsString::from("OTHER"), bad()), (bad(), bad())];
    assert!(Layers::new().env("APP__", vars).read().is_ok());
    let errors = Layers::new().env("APP__", [("APP__A", bad())]).read().unwrap_err();
    assert_eq!(errors.to_string(), "environment variable APP__A: a: the value is not UTF-8");
}

#[test]
fn an_empty_alias_is_unset() {
    let tree = Layers::new().alias("LOG_LEVEL", "log.level", "").env("APP__", NONE).read().unwrap();
    assert_eq!(tree.leaves().count(), 0);
}

#[test]
fn flags_that_cannot_be_meant() {
    let errors = |set: &str| Layers::new().set("fine=1").set(set).read().unwrap_err().to_string();
    for set in ["hunter2", "=hunter2", "a..b=hunter2", ".a=hunter2", ""] {
        assert_eq!(errors(set), "the --set number 2 is not of the form `path=value`", "{set}");
    }
    assert_eq!(set::<BTreeMap<String, String>>(&["a=b=c"]).unwrap().config["a"], "b=c");
}

#[test]
fn a_list_is_set_whole() {
    let dir = Dir::with(&[("c.yaml", b"relays:\n- {url: a}\n")]);
    let error = Layers::new().file(dir.path("c.yaml")).set("relays.0.url=b").read().unwrap_err();
    assert_eq!(
        error.to_string(),
        "--set relays.0.url: relays.0.url: `relays` is a list, which is set whole: `a,b,c`, or in a file"
            .replace(": relays.0.url", "")
    );
}

#[test]
fn nothing_behind_a_key_keeps_the_section_or_list_below_and_null_removes_it() {
    let base = "a: {x: 1}\nb: 5\nhosts: [h]\n";
    let below = ["a.x = 1    # base.yaml:1:8", "b = 5    # base.yaml:2:4", "hosts[0] = h    # base.yaml:3:9"];
    for (over, at, shown_at) in [
        ("a:\n  # x: 2\n", 0, below[0]),
        ("a: null\n", 0, "a = null    # over.yaml:1:4"),
        ("a: ~\n", 0, "a = ~    # over.yaml:1:4"),
        ("a: {}\n", 0, below[0]),
        ("hosts:\n  # - other\n", 2, below[2]),
        ("hosts:", 2, below[2]),
        ("hosts: null\n", 2, "hosts = null    # over.yaml:1:8"),
        ("hosts: []\n", 2, "hosts = []    # over.yaml:1:8"),
        ("hosts: [i]\n", 2, "hosts[0] = i    # over.yaml:1:9"),
        // Over a single value it is another value, which its type has to want.
        ("b:\n", 1, "b = null    # over.yaml:1:1"),
        ("b: {y: 1}\n", 1, "b.y = 1    # over.yaml:1:8"),
    ] {
        let dir = Dir::with(&[("base.yaml", base.as_bytes()), ("over.yaml", over.as_bytes())]);
        let tree = Layers::new().file(dir.path("base.yaml")).file(dir.path("over.yaml")).read().unwrap();
        let mut expected = below;
        expected[at] = shown_at;
        assert_eq!(shown(&tree, &dir), expected, "{over:?}");
    }
}

#[test]
fn nothing_behind_the_key_of_a_single_value_is_none_or_an_error() {
    #[derive(Deserialize)]
    struct Config<T> {
        a: T,
    }
    let dir = Dir::with(&[("base.yaml", b"a: 5\n"), ("over.yaml", b"a:\n")]);
    let tree = Layers::new().file(dir.path("base.yaml")).file(dir.path("over.yaml")).read().unwrap();
    assert_eq!(tree.load_one::<Config<Option<u8>>>().unwrap().config.a, None);
    for error in [tree.load_one::<Config<u8>>().err(), tree.load_one::<Config<String>>().err()] {
        let text = dir.text(&error.unwrap());
        assert!(
            text.starts_with("over.yaml:1:1: a: expected ") && text.contains(", found nothing"),
            "{text}"
        );
    }
}
