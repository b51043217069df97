use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prodkit_log::{Filter, Level, LevelFilter, start};
use tracing::{debug, debug_span, info, info_span, trace};
use tracing_subscriber::Layer as _;
use tracing_subscriber::Registry;

use crate::support::{LONG, Object, Output, json, logged, subscriber};

fn filter(text: &str) -> Filter {
    text.parse().expect(text)
}

fn messages(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|line| Object::of(line).value("msg").and_then(|msg| msg.as_str().map(Into::into)).expect("msg"))
        .collect()
}

#[test]
fn a_change_reaches_call_sites_that_were_asked_before() {
    fn at_debug(message: &str) {
        debug!("{message}");
    }
    let lines = logged(json(), |log| {
        at_debug("before");
        log.set_filter(filter("debug"));
        at_debug("raised");
        log.set_filter(filter("debug,it=info"));
        at_debug("lowered");
        log.set_filter(filter("off,it::filter=debug"));
        at_debug("for this module");
        log.set_filter(filter("off"));
        tracing::error!("off");
    });
    assert_eq!(messages(&lines), ["raised", "for this module"]);
}

#[test]
fn the_maximum_level_is_that_of_the_most_verbose_target_and_of_spans() {
    let (layer, log) = start(json().filter(filter("warn")), std::io::sink()).expect("a thread");
    let hint = |layer| tracing_subscriber::Layer::<Registry>::max_level_hint(layer);
    assert_eq!(hint(&layer), Some(LevelFilter::INFO), "spans");
    log.set_filter(filter("warn,a=trace"));
    assert_eq!(hint(&layer), Some(LevelFilter::TRACE));
    log.set_filter(filter("off"));
    assert_eq!(hint(&layer), Some(LevelFilter::INFO));
}

#[test]
fn spans_up_to_info_keep_their_fields_at_warn() {
    let lines = logged(json().filter(filter("warn")), |_| {
        info_span!("request", id = 7).in_scope(|| {
            debug_span!("detail", x = 1).in_scope(|| tracing::warn!("m"));
        });
    });
    assert!(lines[0].ends_with(r#""msg":"m","id":7}"#), "{}", lines[0]);
}

#[test]
fn preformatted_lines_follow_their_target() {
    let lines = logged(json(), |log| {
        let access = log.lines().target("http.access");
        let line = |message| access.line(Level::INFO, message, None, None).finish();
        line("before");
        log.set_filter(filter("info,http=warn"));
        line("lowered");
        assert!(!access.enabled(Level::INFO) && access.enabled(Level::WARN));
        log.set_filter(filter("error,http.access=trace"));
        line("raised");
        assert!(access.clone().enabled(Level::TRACE) && !log.lines().enabled(Level::WARN));
        log.set_filter(filter("off"));
        access.line(Level::ERROR, "off", None, None).finish();
    });
    assert_eq!(messages(&lines), ["before", "raised"]);
}

#[test]
fn an_override_reverts_by_itself() {
    logged(json(), |log| {
        log.override_filter(filter("debug"), LONG);
        assert_eq!(log.filter(), filter("debug"));
        assert_eq!(log.overridden().expect("one").filter, filter("debug"));
        log.set_filter(filter("warn"));
        assert_eq!(log.filter(), filter("debug"));
        log.end_override();
        assert_eq!((log.filter(), log.overridden()), (filter("warn"), None));

        log.override_filter(filter("trace"), Duration::from_millis(5));
        // asked through a macro, which does not make it expire: the writer's thread has to
        let late = Instant::now() + LONG;
        while tracing::enabled!(Level::TRACE) {
            assert!(Instant::now() < late, "it never ended");
            std::thread::yield_now();
        }
        assert_eq!(log.filter(), filter("warn"));
    });
}

#[test]
fn changes_under_load_neither_panic_nor_lose() {
    let output = Output::default();
    let (layer, log) = start(json(), output.clone()).expect("a thread");
    let dispatch = tracing::Dispatch::new(subscriber(layer));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                let dispatch = dispatch.clone();
                scope.spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        for at in 0..3000 {
                            let span = debug_span!("s", worker);
                            let _entered = span.enter();
                            trace!(at, "t");
                            info!(at, "i");
                        }
                    });
                })
            })
            .collect();
        let changes = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for text in ["trace", "info", "warn,it=info", "debug,it::filter=trace"] {
                    log.set_filter(filter(text));
                    log.override_filter(filter("info,x=off"), Duration::from_millis(1));
                }
            }
        });
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        done.store(true, Ordering::Relaxed);
        changes.join().expect("no panic");
    });
    assert!(log.shutdown(LONG));
    let lines = output.lines();
    lines.iter().for_each(|line| drop(Object::of(line)));
    assert_eq!(messages(&lines).iter().filter(|message| *message == "i").count(), 9000, "info was always on");
    assert_eq!(log.stats().written, lines.len() as u64);
}

#[test]
fn other_layers_work_beside_it() {
    let output = Output::default();
    let (layer, log) = start(json(), output.clone()).expect("a thread");
    let other = Output::default();
    let (second, second_log) = start(json().filter(filter("warn")), other.clone()).expect("a thread");
    let both = tracing_subscriber::layer::SubscriberExt::with(
        tracing_subscriber::layer::SubscriberExt::with(Registry::default(), layer),
        second.with_filter(LevelFilter::ERROR),
    );
    tracing::subscriber::with_default(both, || {
        info_span!("s", a = 1).in_scope(|| {
            info!("i");
            tracing::error!("e");
        });
    });
    assert!(log.shutdown(LONG) && second_log.shutdown(LONG));
    assert_eq!(messages(&output.lines()), ["i", "e"]);
    assert_eq!(messages(&other.lines()), ["e"]);
}
