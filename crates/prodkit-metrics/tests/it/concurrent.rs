//! Many threads at once.

use crate::{open_metrics, recorder, text};
use metrics::{counter, with_local_recorder};
use prodkit_metrics::{Options, Recorder};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

#[test]
fn no_addition_is_lost() {
    const THREADS: usize = 4;
    const TURNS: u32 = 20_000;
    let recorder = recorder();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let (held, gauge) = (recorder.counter("held_total", &[]), recorder.gauge("level", &[]));
                let wait = recorder.histogram("wait", &[]);
                start.wait();
                for turn in 0..TURNS {
                    held.increment(2);
                    gauge.increment(3.0);
                    gauge.decrement(2.0);
                    wait.record(f64::from(turn % 8));
                    with_local_recorder(&recorder, || counter!("macro_total", "a" => "b").increment(1));
                }
            });
        }
    });
    let turns = f64::from(TURNS) * THREADS as f64;
    assert_eq!(recorder.counter("held_total", &[]).value() as f64, turns * 2.0);
    assert_eq!(recorder.counter("macro_total", &[("a", "b")]).value() as f64, turns);
    assert_eq!(recorder.gauge("level", &[]).value(), turns);
    let wait = recorder.histogram("wait", &[]).value();
    assert_eq!(
        wait.counts.iter().map(|count| *count as f64 / turns).collect::<Vec<_>>(),
        [0.125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.125, 0.5, 0.25]
    );
    assert_eq!((wait.count as f64, wait.sum), (turns, turns * 3.5));
}

/// Scrapes are valid (the helper parses them) while series come, and no series is made twice.
#[test]
fn a_scrape_while_registering_is_valid() {
    let recorder = recorder();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for i in 0..600 {
                        let i = i.to_string();
                        recorder.counter("hits_total", &[("i", &i)]).increment(1);
                        recorder.histogram("wait", &[("i", &i)]).record(0.3);
                        recorder.describe(&format!("m{i}"), Some(metrics::Unit::Bytes), "Text.");
                        recorder.gauge(&format!("m{i}"), &[]).increment(1.0);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Relaxed) {
                text(&recorder);
                open_metrics(&recorder);
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Relaxed);
    });
    let text = text(&recorder);
    for i in 0..600 {
        for line in [
            format!("hits_total{{i=\"{i}\"}} 3\n"),
            format!("m{i}_bytes 3\n"),
            format!("wait_count{{i=\"{i}\"}} 3\n"),
        ] {
            assert!(text.contains(&line), "{line}");
        }
    }
    assert_eq!(recorder.stats().series, 1800);
}

#[test]
fn a_cap_holds_under_a_race() {
    let recorder = Recorder::new(Options::new().max_series(10));
    thread::scope(|scope| {
        for thread in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || {
                for i in 0..200 {
                    recorder.counter("hits_total", &[("i", &format!("{thread}-{i}"))]).increment(1);
                }
            });
        }
    });
    assert_eq!(recorder.stats().series, 11);
    assert_eq!(recorder.stats().overflowed, 790);
    assert!(text(&recorder).contains("hits_total{otel_metric_overflow=\"true\"} 790\n"));
}

#[test]
fn handles_outlive_the_store() {
    let recorder = recorder();
    let (counter, wait) = (recorder.counter("a", &[]), recorder.histogram("b", &[]));
    drop(recorder);
    counter.increment(1);
    wait.record(1.0);
    assert_eq!((counter.value(), wait.value().count), (1, 1));
}
