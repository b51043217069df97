//! What moves, and what waits for a restart.

use super::Rig;
use prodkit_live::Live;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Section {
    size: u32,
    #[serde(default)]
    note: String,
}

#[tokio::test]
async fn live_fields_move_and_fixed_ones_wait() {
    #[derive(Deserialize)]
    struct Config {
        fixed: Section,
        live: Live<Section>,
        other: Live<u8>,
    }
    let mut rig = Rig::<Config>::new("fixed: {size: 1}\nlive: {size: 1}\nother: 1\n");
    let live = rig.config.live.clone();
    assert_eq!(rig.step("fixed: {size: 1}\nlive: {size: 2}\nother: 1\n").await, "live | ");
    assert_eq!((live.get().size, rig.config.other.generation()), (2, 0));
    // Fixed: named until it is back, or the process is.
    assert_eq!(rig.step("fixed: {size: 9}\nlive: {size: 2}\nother: 1\n").await, " | fixed.size");
    assert_eq!(rig.config.fixed.size, 1);
    assert_eq!(
        rig.step("fixed: {size: 9, note: x}\nlive: {size: 3}\nother: 1\n").await,
        "live | fixed.note fixed.size"
    );
    assert_eq!(rig.step("fixed: {size: 1}\nlive: {size: 3}\nother: 4\n").await, "other | ");
    assert_eq!((live.get().size, *rig.config.other.get()), (3, 4));
    assert!(live.get().note.is_empty() && rig.config.fixed.note.is_empty());
}

#[tokio::test]
async fn a_live_inside_a_live_moves_by_itself_and_its_handles_never_freeze() {
    #[derive(Deserialize)]
    struct Outer {
        size: u32,
        inner: Live<u8>,
    }
    #[derive(Deserialize)]
    struct Config {
        outer: Live<Outer>,
    }
    let mut rig = Rig::<Config>::new("outer: {size: 1, inner: 1}\n");
    let first = rig.config.outer.get().inner.clone();
    assert_eq!(rig.step("outer: {size: 1, inner: 2}\n").await, "outer.inner | ");
    assert_eq!((*first.get(), rig.config.outer.generation()), (2, 0));
    assert_eq!(rig.step("outer: {size: 2, inner: 3}\n").await, "outer outer.inner | ");
    let second = rig.config.outer.get().inner.clone();
    assert_eq!((*first.get(), *second.get()), (3, 3));
    assert_eq!(rig.step("outer: {size: 2, inner: 4}\n").await, "outer.inner | ");
    assert_eq!((*first.get(), *second.get(), rig.config.outer.get().size), (4, 4, 2));
}

#[derive(Deserialize)]
struct Upstream {
    name: String,
    weight: Live<u32>,
}

#[tokio::test]
async fn a_fixed_list_moves_only_while_its_elements_are_the_same() {
    #[derive(Deserialize)]
    struct Config {
        list: Vec<Upstream>,
    }
    let mut rig = Rig::<Config>::new("list: [{name: a, weight: 1}, {name: b, weight: 2}]\n");
    let weights = |rig: &Rig<Config>| rig.config.list.iter().map(|up| *up.weight.get()).collect::<Vec<_>>();
    assert_eq!(rig.step("list: [{name: a, weight: 1}, {name: b, weight: 3}]\n").await, "list[1].weight | ");
    assert_eq!(weights(&rig), [1, 3]);
    // One in front: b's handle must not get a's value.
    let grown = "list: [{name: new, weight: 9}, {name: a, weight: 5}, {name: b, weight: 6}]\n";
    assert_eq!(rig.step(grown).await, " | list");
    // Another order.
    assert_eq!(
        rig.step("list: [{name: b, weight: 7}, {name: a, weight: 8}]\n").await,
        " | list[0].name list[0].weight list[1].name list[1].weight"
    );
    assert_eq!(weights(&rig), [1, 3]);
    // As it was: it moves on, from where it stayed behind.
    let back = rig.step("list: [{name: a, weight: 1}, {name: b, weight: 6}]\n").await;
    assert_eq!((back.as_str(), weights(&rig)), ("list[1].weight | ", vec![1, 6]));
    assert_eq!(rig.config.list[0].name, "a");
}

#[tokio::test]
async fn a_list_inside_a_live_is_replaced_and_old_handles_stay_with_their_element() {
    #[derive(Deserialize)]
    struct Config {
        list: Live<Vec<Upstream>>,
    }
    let mut rig = Rig::<Config>::new("list: [{name: a, weight: 1}]\n");
    let a = rig.config.list.get()[0].weight.clone();
    assert_eq!(rig.step("list: [{name: new, weight: 9}, {name: a, weight: 2}]\n").await, "list | ");
    assert_eq!((*a.get(), rig.config.list.get().len()), (1, 2));
    let new = rig.config.list.get()[0].weight.clone();
    assert_eq!(rig.step("list: [{name: new, weight: 8}, {name: a, weight: 2}]\n").await, "list[0].weight | ");
    assert_eq!((*a.get(), *new.get(), *rig.config.list.get()[0].weight.get()), (1, 8, 8));
}

#[tokio::test]
async fn maps_options_and_variants() {
    #[derive(Deserialize)]
    enum Store {
        Memory,
        Disk { path: String, sync: Live<bool> },
    }
    #[derive(Deserialize)]
    struct Config {
        map: BTreeMap<String, Live<u8>>,
        limit: Option<Live<u8>>,
        maybe: Option<Upstream>,
        store: Store,
    }
    let text = |map: &str, rest: &str| format!("map: {{{map}}}\n{rest}\n");
    let disk = "store: {Disk: {path: x, sync: true}}";
    let mut rig = Rig::<Config>::new(&text("a: 1", disk));
    assert_eq!(rig.step(&text("a: 2", disk)).await, "map.a | ");
    assert_eq!(rig.step(&text("a: 3, b: 1", disk)).await, " | map");
    assert_eq!(rig.step(&text("b: 1", disk)).await, " | map");
    assert_eq!(*rig.config.map["a"].get(), 2);
    assert_eq!(rig.step(&text("a: 4", disk)).await, "map.a | ");

    let some = format!("{disk}\nlimit: 3\nmaybe: {{name: n, weight: 1}}");
    assert_eq!(rig.step(&text("a: 4", &some)).await, " | limit maybe.name maybe.weight");
    assert!(rig.config.limit.is_none() && rig.config.maybe.is_none());

    let Store::Disk { sync, path } = &rig.config.store else { panic!("it is a disk") };
    let sync = sync.clone();
    assert_eq!(path, "x");
    let off = "store: {Disk: {path: x, sync: false}}";
    assert_eq!(rig.step(&text("a: 4", off)).await, "store.Disk.sync | ");
    assert!(!*sync.get());
    assert_eq!(rig.step(&text("a: 4", "store: Memory")).await, " | store");
    assert!(matches!(rig.config.store, Store::Disk { .. }) && !*sync.get());
}

#[tokio::test]
async fn a_default_moves_when_its_key_appears_and_back_when_it_goes() {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Nested {
        level: Live<String>,
        ratio: Ratio,
    }
    #[derive(Deserialize)]
    #[serde(default)]
    struct Ratio {
        of: Live<f64>,
    }
    impl Default for Ratio {
        fn default() -> Self {
            Self { of: Live::fixed(0.1) }
        }
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        features: Live<BTreeMap<String, bool>>,
        #[serde(default)]
        log: Nested,
        #[serde(default)]
        one: Live<u8>,
        #[serde(default)]
        two: Live<u8>,
    }
    let mut rig = Rig::<Config>::new("{}\n");
    let level = rig.config.log.level.clone();
    assert_eq!(rig.step("features: {x: true}\n").await, "features | ");
    assert!(rig.config.features.get()["x"]);
    // Two steps below anything that is there.
    assert_eq!(
        rig.step("log: {level: debug, ratio: {of: 0.5}}\n").await,
        "features log.level log.ratio.of | "
    );
    assert_eq!((level.load().as_str(), *rig.config.log.ratio.of.get()), ("debug", 0.5));
    assert!(rig.config.features.get().is_empty());
    assert_eq!(rig.step("log: {level: warn}\n").await, "log.level log.ratio.of | ");
    assert_eq!((level.load().as_str(), *rig.config.log.ratio.of.get()), ("warn", 0.1));
    // Which of the two, nobody can tell.
    assert_eq!(rig.step("log: {level: warn}\none: 1\n").await, " | one");
    assert_eq!((*rig.config.one.get(), *rig.config.two.get()), (0, 0));
}

#[tokio::test]
async fn where_serde_buffers_the_value_is_fixed() {
    #[derive(Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        size: Live<u32>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number { n: Live<u8> },
    }
    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { a: Live<u8> },
    }
    #[derive(Deserialize)]
    struct Config {
        flat: Flat,
        either: Either,
        tagged: Tagged,
    }
    let mut rig = Rig::<Config>::new("flat: {size: 1}\neither: {n: 1}\ntagged: {kind: A, a: 1}\n");
    assert_eq!(
        rig.step("flat: {size: 2}\neither: {n: 2}\ntagged: {kind: A, a: 2}\n").await,
        " | either.n flat.size tagged.a"
    );
    let (Either::Number { n }, Tagged::A { a }) = (&rig.config.either, &rig.config.tagged);
    assert_eq!((*rig.config.flat.inner.size.get(), *n.get(), *a.get()), (1, 1, 1));
}

#[tokio::test]
async fn a_handle_that_nobody_kept_waits_for_nothing() {
    #[derive(Deserialize)]
    struct Config {
        kept: Live<u8>,
        #[serde(rename = "dropped")]
        _dropped: Live<u8>,
    }
    let Rig { dir, config, mut reload } = Rig::<Config>::new("kept: 1\ndropped: 1\n");
    let kept = config.kept.clone();
    drop(config);
    super::put(&dir, "kept: 2\ndropped: 2\n");
    let outcome = reload.next().await;
    assert!(
        matches!(&outcome, prodkit_config::Outcome::Committed(commit) if commit.pending.is_empty() && commit.moved == ["kept"]),
        "{outcome:?}"
    );
    assert_eq!(*kept.get(), 2);
}
