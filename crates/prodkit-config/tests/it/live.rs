//! `Live` fields are found by path.

use crate::kit::yaml;
use prodkit_live::Live;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Config {
    relay: Live<Relay>,
    database: Database,
    list: Vec<Live<u32>>,
    map: BTreeMap<String, Live<bool>>,
    mode: Mode,
    flat: Flat,
}

#[derive(Deserialize)]
struct Database {
    limits: Option<Live<Relay>>,
    absent: Option<Live<u8>>,
}

#[derive(Deserialize)]
struct Relay {
    batch: usize,
    inner: Option<Live<u8>>,
}

#[derive(Deserialize)]
enum Mode {
    On(Live<u8>),
}

#[derive(Deserialize)]
struct Flat {
    #[serde(flatten)]
    rest: BTreeMap<String, Live<u32>>,
}

const TEXT: &str = "relay: {batch: 1, inner: 7}\ndatabase: {limits: {batch: 3}}\nlist: [1, 2]\nmap: {n: true}\n\
                    mode: {On: 5}\nflat: {q: 9}\n";

#[test]
fn cells_are_listed_by_path() {
    let loaded = yaml(TEXT).load_one::<Config>().unwrap();
    let mut paths: Vec<_> = loaded.live().map(str::to_owned).collect();
    paths.sort();
    assert_eq!(paths, ["database.limits", "list[0]", "list[1]", "map.n", "mode.On", "relay", "relay.inner"]);
    let Config { relay, database, list, map, mode: Mode::On(mode), flat } = loaded.config;
    assert_eq!((relay.get().batch, relay.get().inner.as_ref().map(|inner| *inner.get())), (1, Some(7)));
    assert_eq!(database.limits.map(|limits| limits.get().batch), Some(3));
    assert!(database.absent.is_none());
    assert_eq!(list.iter().map(|item| *item.get()).collect::<Vec<_>>(), [1, 2]);
    assert!(*map["n"].get());
    // Where serde buffers, the value is there and stays as it is.
    assert_eq!((*mode.get(), *flat.rest["q"].get()), (5, 9));
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn cells_of_failed_passes_are_not_listed() {
    let errors = yaml(&TEXT.replace("batch: 3", "batch: x")).load_one::<Config>().unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path()).collect();
    assert_eq!(paths, ["database.limits.batch"]);
}

#[test]
fn the_whole_configuration_may_be_live() {
    #[derive(Deserialize)]
    struct Whole {
        a: u8,
    }
    let loaded = yaml("a: 1\n").load_one::<Live<Whole>>().unwrap();
    assert_eq!((loaded.config.get().a, loaded.live().next().unwrap()), (1, ""));
    let errors = yaml("a: 1\nb: 2\n").load_one::<Live<Whole>>().unwrap_err();
    assert!(errors.to_string().contains("unknown key `b`"), "{errors}");
}
