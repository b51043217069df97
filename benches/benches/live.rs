//! What reading a live value costs, beside arc-swap.
//!
//! ```text
//! cargo bench -p prodkit-benches --bench live
//! ```
//!
//! Times vary with the machine; instructions do not. To count them, run `n` and then `2n` reads of one kind under
//! callgrind, and divide the difference of the two "Collected" figures by `n`; `nothing` is the loop itself:
//!
//! ```text
//! bench=$(cargo bench -p prodkit-benches --bench live --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))/\1/p')
//! for kind in nothing Live::get ArcSwap::load Reader::get Cache::load Live::load ArcSwap::load_full; do
//!     for n in 100000 200000; do
//!         valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" count $kind $n 2>&1 | grep Collected
//!     done
//! done
//! ```

use arc_swap::{ArcSwap, Cache};
use criterion::{Criterion, criterion_group};
use prodkit_live::Live;
use std::{
    env,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// About the size of a section of a configuration.
#[derive(Clone, Copy)]
struct Section {
    limit: u64,
    rest: [u64; 15],
}

const SECTION: Section = Section { limit: 7, rest: [1; 15] };

fn get(live: &Live<Section>) -> u64 {
    black_box(live).get().limit
}

fn swap_load(swap: &Arc<ArcSwap<Section>>) -> u64 {
    black_box(swap).load().limit
}

fn alone(c: &mut Criterion) {
    let live = Live::fixed(SECTION);
    let swap = Arc::new(ArcSwap::from_pointee(SECTION));
    let mut reader = live.reader();
    let mut cache = Cache::new(Arc::clone(&swap));

    let mut group = c.benchmark_group("one reader");
    group.bench_function("Live::get", |b| b.iter(|| get(&live)));
    group.bench_function("ArcSwap::load", |b| b.iter(|| swap_load(&swap)));
    group.bench_function("Reader::get", |b| b.iter(|| black_box(&mut reader).get().limit));
    group.bench_function("Cache::load", |b| b.iter(|| black_box(&mut cache).load().limit));
    group.finish();
}

/// A second reader that never rests, and a change every millisecond: nothing should become dearer by it.
fn contended(c: &mut Criterion) {
    let (updater, live) = Live::channel(SECTION);
    let mut reader = live.reader();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                black_box(get(&live));
            }
        });
        scope.spawn(|| {
            let mut section = SECTION;
            while !done.load(Ordering::Relaxed) {
                section.limit += 1;
                section.rest[0] += 1;
                let _ = updater.set(section);
                thread::park_timeout(Duration::from_millis(1));
            }
        });
        let mut group = c.benchmark_group("two readers and a writer");
        group.bench_function("Live::get", |b| b.iter(|| get(&live)));
        group.bench_function("Reader::get", |b| b.iter(|| black_box(&mut reader).get().limit));
        group.finish();
        done.store(true, Ordering::Relaxed);
    });
}

/// `n` reads of one kind, for an instruction counter.
fn count(kind: &str, n: u64) -> Result<(), String> {
    let live = Live::fixed(SECTION);
    let swap = Arc::new(ArcSwap::from_pointee(SECTION));
    let mut reader = live.reader();
    let mut cache = Cache::new(Arc::clone(&swap));
    match kind {
        "nothing" => repeat(n, || SECTION.limit),
        "Live::get" => repeat(n, || get(&live)),
        "Live::load" => repeat(n, || black_box(&live).load().limit),
        "Reader::get" => repeat(n, || black_box(&mut reader).get().limit),
        "ArcSwap::load" => repeat(n, || swap_load(&swap)),
        "ArcSwap::load_full" => repeat(n, || black_box(&swap).load_full().limit),
        "Cache::load" => repeat(n, || black_box(&mut cache).load().limit),
        _ => return Err(format!("no such kind of read: {kind}")),
    }
    Ok(())
}

fn repeat(n: u64, mut read: impl FnMut() -> u64) {
    for _ in 0..n {
        black_box(read());
    }
}

criterion_group!(benches, alone, contended);

fn main() -> Result<(), String> {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "count", kind, n] => count(kind, n.parse().map_err(|_| format!("not a number: {n}"))?),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
            Ok(())
        }
    }
}
