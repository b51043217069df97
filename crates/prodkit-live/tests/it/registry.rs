//! Reloading, with a deserializer that keeps track of paths over `serde_json`'s value tree.

mod tree;

use crate::now;
use prodkit_live::{
    Change, Live,
    registry::{self, Found},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tree::Tree;

#[derive(Debug, Deserialize, Serialize)]
struct Config {
    name: String,
    outer: Live<Outer>,
    list: Vec<Live<u32>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Outer {
    size: u32,
    inner: Live<Inner>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Inner {
    depth: u32,
}

/// What a configuration crate does: every cell of a path moves, those found anew are added.
struct Loaded {
    config: Config,
    cells: Vec<Found>,
}

fn load<C: for<'de> Deserialize<'de>>(text: &Value) -> (C, Vec<Found>) {
    let (config, cells) = registry::collect(|| C::deserialize(Tree::new(text)));
    (config.unwrap(), cells)
}

impl Loaded {
    fn new(text: &Value) -> Self {
        let (config, cells) = load(text);
        Self { config, cells }
    }

    fn reload(&mut self, text: &Value) {
        let (newer, found) = load::<Config>(text);
        let mut change = Change::default();
        for new in &found {
            for old in self.cells.iter().filter(|old| old.path() == new.path()) {
                change = change.join(old.stage(new).unwrap());
            }
        }
        let prepared = now(change.prepare()).unwrap();
        drop(newer);
        prepared.commit();
        self.cells.extend(found);
        self.cells.retain(Found::is_alive);
    }
}

/// Keys in the order of the alphabet, which is theirs with and without `serde_json`'s `preserve_order`.
fn text(n: u32) -> Value {
    json!({ "list": [n, n + 1], "name": "x", "outer": { "inner": { "depth": n * 10 }, "size": n } })
}

fn paths(cells: &[Found]) -> Vec<&str> {
    cells.iter().map(Found::path).collect()
}

#[test]
fn any_other_deserializer_yields_a_fixed_value() {
    let (config, cells) = registry::collect(|| serde_json::from_value::<Config>(text(1)));
    let config = config.unwrap();
    assert_eq!(cells.len(), 0);
    assert_eq!(config.outer.get().inner.get().depth, 10);
    assert_eq!(serde_json::to_value(&config).unwrap(), text(1));
    assert_eq!(format!("{:?}", config.list), "[Live(1), Live(2)]");
}

#[test]
fn cells_are_found_where_they_are_the_inner_one_first() {
    let loaded = Loaded::new(&text(1));
    assert_eq!(paths(&loaded.cells), ["list.0", "list.1", "outer.inner", "outer"]);
    assert!(loaded.cells.iter().all(Found::is_alive));
    let cells = loaded.cells;
    drop(loaded.config);
    assert!(!cells.iter().any(Found::is_alive));
}

#[test]
fn a_handle_from_inside_an_old_value_keeps_moving() {
    let mut loaded = Loaded::new(&text(1));
    let mut handles = vec![loaded.config.outer.get().inner.clone()];
    let mapped = handles[0].map(|inner| inner.depth + 1);
    for n in 2..6 {
        loaded.reload(&text(n));
        handles.push(loaded.config.outer.get().inner.clone());
        assert!(handles.iter().all(|inner| inner.get().depth == n * 10), "{handles:?}");
        assert_eq!(*mapped.get(), n * 10 + 1);
        assert_eq!(*loaded.config.list[1].get(), n + 1);
    }
    let inner = |cells: &[Found]| cells.iter().filter(|cell| cell.path() == "outer.inner").count();
    assert_eq!(inner(&loaded.cells), 5);
    handles.clear();
    drop(mapped);
    loaded.reload(&text(9));
    assert_eq!(inner(&loaded.cells), 1, "what nobody holds any more is forgotten");
    assert_eq!(loaded.cells.len(), 4);
}

#[test]
fn another_type_is_refused_and_nothing_moves() {
    let (old, cells) = load::<Live<u32>>(&json!(1));
    let (_newer, found) = load::<Live<u64>>(&json!(2));
    let rejected = cells[0].stage(&found[0]).unwrap_err();
    assert_eq!(rejected.to_string(), "apply the new value: `` holds a `u32`, which cannot become a `u64`");
    assert_eq!(*old.get(), 1);
}

#[test]
fn a_dead_cell_needs_nothing_and_gives_nothing() {
    let (old, cells) = load::<Live<u32>>(&json!(1));
    let (newer, found) = load::<Live<u32>>(&json!(2));
    drop(newer);
    assert!(cells[0].stage(&found[0]).unwrap_err().to_string().contains("was dropped"));
    drop(old);
    now(cells[0].stage(&found[0]).unwrap().prepare()).unwrap().commit();
    assert_eq!(format!("{:?}", cells[0]), r#"Found { path: "", is_default: false, is_alive: false }"#);
}

#[test]
fn collecting_nests_and_survives_a_panic() {
    let one = |path| registry::at(path, || Live::<u32>::deserialize(Tree::unnamed(&json!(1)))).unwrap();
    let ((inner, kept), outer) = registry::collect(|| {
        let first = one("a");
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            registry::collect(|| registry::at("lost", || panic!("in a deserializer")))
        }));
        assert!(unwound.is_err());
        let (second, inner) = registry::collect(|| one("b"));
        let third = one("c");
        (inner, [first, second, third])
    });
    assert_eq!((paths(&outer), paths(&inner)), (vec!["a", "c"], vec!["b"]));
    drop(kept);

    let (_live, none) = registry::collect(|| Live::<u32>::deserialize(Tree::unnamed(&json!(1))).unwrap());
    assert!(none.is_empty(), "no path of an earlier one is left over");
}

#[test]
fn a_live_from_a_deserializer_without_paths_is_not_taken_for_the_one_around_it() {
    /// Written as JSON in a string.
    #[derive(Debug)]
    struct Embedded(Live<u32>);

    impl<'de> Deserialize<'de> for Embedded {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            serde_json::from_str(&text).map(Self).map_err(serde::de::Error::custom)
        }
    }

    let (live, cells) = load::<Live<Embedded>>(&json!("7"));
    assert_eq!(*live.get().0.get(), 7);
    assert_eq!(cells.len(), 1);
    let (newer, found) = load::<Live<Embedded>>(&json!("8"));
    now(cells[0].stage(&found[0]).unwrap().prepare()).unwrap().commit();
    drop(newer);
    assert_eq!(*live.get().0.get(), 8);
}

#[test]
fn what_is_made_while_a_section_is_read_is_a_default_of_it() {
    let (kept, found) = registry::collect(|| {
        let outside = Live::fixed(0u8);
        let inside = registry::section("server", || {
            let deeper = registry::section("server.tls", || Live::fixed(1u16));
            (Live::fixed(2u8), deeper, Live::channel(3u8), Live::<u8>::default())
        });
        drop(Live::fixed(4u8));
        (outside, inside)
    });
    let listed: Vec<_> = found.iter().map(|found| (found.path(), found.is_default())).collect();
    assert_eq!(listed, [("server.tls", true), ("server", true), ("server", true)]);
    let fits: Vec<_> = found.iter().map(|other| found[1].fits(other)).collect();
    assert_eq!(fits, [false, true, true]);
    drop(kept);
    assert!(!found[1].fits(&found[2]) && !found[1].is_alive());
}
