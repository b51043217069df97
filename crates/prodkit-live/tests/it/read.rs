use prodkit_live::{Change, Changes, Guard, Live, Prepared, Reader, Rejected, Updater};
use std::{
    fmt,
    sync::{Arc, Weak},
};

fn check_send<T: Send>(_: &T) {}
fn check_send_sync<T: Send + Sync>() {}

#[test]
fn everything_crosses_threads() {
    check_send_sync::<Live<String>>();
    check_send_sync::<Updater<String>>();
    check_send_sync::<Reader<String>>();
    check_send_sync::<Changes<String>>();
    check_send_sync::<Guard<'static, String>>();
    check_send_sync::<(Change, Prepared, Rejected)>();

    let (updater, live) = Live::channel(1);
    check_send(&updater.prepare(2));
    check_send(&live.changes().changed());
    check_send(&live.try_map(async |n| Ok::<u32, String>(*n)));
}

#[test]
fn every_way_to_read_shows_the_same() {
    let (updater, live) = Live::channel("a".to_owned());
    let (clone, mut reader) = (live.clone(), live.reader());
    let mut cloned_reader = reader.clone();
    for (generation, value) in ["a", "b", "c"].into_iter().enumerate() {
        if generation > 0 {
            updater.set(value.to_owned()).unwrap();
        }
        assert_eq!(*live.get(), value);
        assert_eq!(*clone.load(), value);
        assert_eq!(*updater.live().get(), value);
        assert_eq!(reader.get(), value);
        assert_eq!(live.generation(), generation as u64);
    }
    assert_eq!(cloned_reader.get(), "c");
    assert_eq!(*cloned_reader.live().get(), "c");
}

#[test]
fn what_was_read_stays_what_it_was() {
    let (updater, live) = Live::channel(1);
    let (guard, loaded) = (live.get(), live.load());
    updater.set(2).unwrap();
    assert_eq!((*guard, *loaded, *live.get()), (1, 1, 2));
}

#[test]
fn more_guards_than_a_thread_has_cheap_ones() {
    let (updater, live) = Live::channel(0);
    let mut guards = Vec::new();
    for n in 1..100 {
        guards.push(live.get());
        updater.set(n).unwrap();
    }
    let seen: Vec<i32> = guards.iter().map(|guard| **guard).collect();
    assert_eq!(seen, (0..99).collect::<Vec<_>>());
}

#[test]
fn a_replaced_value_is_let_go_at_the_commit() {
    let (updater, live) = Live::channel(String::from("old"));
    let mapped = live.map(|text| text.len());
    let old: Weak<String> = Arc::downgrade(&live.load());
    let old_mapped: Weak<usize> = Arc::downgrade(&mapped.load());
    let mut reader = live.reader();

    updater.set(String::from("newer")).unwrap();
    assert!(old_mapped.upgrade().is_none());
    assert!(old.upgrade().is_some(), "the reader has not looked since");
    reader.get();
    assert!(old.upgrade().is_none());
}

#[test]
fn without_its_updater_a_value_is_frozen() {
    let (updater, live) = Live::channel(1);
    let mapped = live.map(|n| n * 10);
    updater.set(2).unwrap();
    drop(updater);
    assert_eq!((*live.get(), *mapped.get()), (2, 20));
    assert_eq!(*live.map(|n| n + 1).get(), 3);
}

#[test]
fn the_last_handle_frees_the_value() {
    let live = Live::fixed(String::from("x"));
    let (mapped, weak) = (live.map(String::len), Arc::downgrade(&live.load()));
    drop(live);
    assert!(weak.upgrade().is_some(), "what is derived keeps what it derives from");
    drop(mapped);
    assert!(weak.upgrade().is_none());
}

#[test]
fn debug_shows_the_value() {
    let (updater, live) = Live::channel(7);
    let cases: [(&dyn fmt::Debug, &str); 7] = [
        (&live, "Live(7)"),
        (&live.get(), "7"),
        (&live.reader(), "Reader(7)"),
        (&live.changes(), "Changes(Live(7))"),
        (&updater, "Updater(7)"),
        (&updater.stage(8), "Change { cells: 1, .. }"),
        (&Live::<u8>::default(), "Live(0)"),
    ];
    for (value, expected) in cases {
        assert_eq!(format!("{value:?}"), expected);
    }
    assert_eq!(format!("{:>3}", live.get()), "  7");
}
