//! Readers that never look away.
//!
//! `PRODKIT_LONG=1 cargo test --release -p prodkit-config --test it readers -- --nocapture` makes it 100,000 reloads.

use super::{Rig, put};
use prodkit_config::Outcome;
use prodkit_live::Live;
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Deserialize)]
struct Config {
    pair: Live<Pair>,
    seven: Live<u64>,
}

#[derive(Deserialize)]
struct Pair {
    left: u64,
    right: u64,
}

/// By what derives from it, or because it cannot be read.
fn refused(n: u64) -> bool {
    n.is_multiple_of(7) || n.is_multiple_of(11)
}

/// Both halves agree; nothing that was refused is ever seen; what is derived belongs to what it derives from; numbers never
/// go back.
#[test]
fn readers_see_no_refused_value_and_no_half_of_one() {
    let reloads = if std::env::var_os("PRODKIT_LONG").is_some() { 100_000 } else { 500 };
    let text = |n: u64| {
        let right = if n.is_multiple_of(11) { "many".to_owned() } else { n.to_string() };
        format!("pair: {{left: {n}, right: {right}}}\nseven: {n}\n")
    };
    let mut rig = Rig::<Config>::new(&text(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let double = rig.config.pair.map(|pair| (pair.left, pair.left * 2));
    let checked =
        rig.config.seven.try_map(|n| async move { if refused(*n) { Err("seven") } else { Ok(*n) } });
    let checked = runtime.block_on(checked).unwrap();
    let (pair, seven) = (rig.config.pair.clone(), rig.config.seven.clone());
    let (done, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let now = pair.load();
                    assert_eq!(now.left, now.right);
                    assert!(![now.left, *seven.get(), *checked.get()].into_iter().any(refused));
                    let derived = double.load();
                    assert_eq!(derived.0 * 2, derived.1);
                    assert!(now.left >= last && !refused(derived.0));
                    last = now.left;
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        runtime.block_on(async {
            for n in 2..=reloads {
                put(&rig.dir, &text(n));
                let outcome = rig.reload.next().await;
                assert_eq!(matches!(outcome, Outcome::Refused(_)), refused(n), "{n}: {outcome:?}");
            }
        });
        done.store(true, Ordering::Relaxed);
    });
    let (reads, generation) = (reads.load(Ordering::Relaxed), rig.reload.status().generation);
    println!("{reloads} reloads, {generation} of them commits, under {reads} readings of everything");
    assert_eq!(generation, (2..=reloads).filter(|n| !refused(*n)).count() as u64);
    assert!(reads > reloads && pair.get().left == reloads);
}
