use std::fmt;
use std::io::{self, Write};
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use prodkit_log::{Log, panic_line, start};
use prodkit_trace::TraceContext;
use tracing::{info, info_span};

use crate::support::{LONG, Object, Output, json, subscriber};

/// The hook is the process's, and tests run beside each other.
static HOOK: Mutex<()> = Mutex::new(());

/// Runs `work` with panics of this file going to `log`.
fn hooked(log: &Log, work: impl FnOnce()) {
    let _only = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let log = log.clone();
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if info.location().is_some_and(|location| location.file().ends_with("panic.rs")) {
            drop(panic_line(&log, info));
        } else {
            before(info);
        }
    }));
    work();
    drop(take_hook());
}

struct Explosive;

impl fmt::Debug for Explosive {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a value")
    }
}

#[test]
fn a_panic_is_a_line_with_its_trace() {
    let output = Output::default();
    let (layer, log) =
        start(json().filter("off".parse().expect("a level")), output.clone()).expect("a thread");
    let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = TraceContext::from_traceparent(parent).expect("a traceparent");
    hooked(&log, || {
        tracing::subscriber::with_default(subscriber(layer), || {
            let _scope = context.enter();
            let _ = catch_unwind(|| panic!("order {} \"lost\"", 7)).expect_err("a panic");
            assert_eq!(log.stats().queued, 0, "it was flushed");
            let _ = catch_unwind(|| std::panic::panic_any(5)).expect_err("a panic");
        });
    });
    assert!(log.shutdown(LONG));
    let lines: Vec<_> = output.lines().iter().map(|line| Object::of(line)).collect();
    let [text, other] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(text.value("level").expect("level"), "ERROR");
    assert_eq!(text.value("msg").expect("msg"), "panicked: order 7 \"lost\"");
    assert_eq!(text.value("trace_id").expect("an id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(text.value("thread").expect("a thread"), "panic::a_panic_is_a_line_with_its_trace");
    assert!(
        text.value("caller").and_then(|caller| caller.as_str()).expect("caller").starts_with("it/panic.rs:")
    );
    let stack = text.value("stacktrace").and_then(|stack| stack.as_str().map(String::from)).expect("a stack");
    assert!(stack.contains("a_panic_is_a_line_with_its_trace"), "{stack}");
    assert_eq!(other.value("msg").expect("msg"), "panicked: (a payload that is not text)");
}

#[test]
fn a_value_that_panics_costs_its_line_only() {
    let output = Output::default();
    let (layer, log) = start(json(), output.clone()).expect("a thread");
    hooked(&log, || {
        tracing::subscriber::with_default(subscriber(layer), || {
            let _ = catch_unwind(|| info!(v = ?Explosive, "m")).expect_err("a panic");
            let _ = catch_unwind(|| drop(info_span!("s", v = ?Explosive))).expect_err("a panic");
            info!("after");
        });
    });
    assert!(log.shutdown(LONG));
    let lines = output.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[..2].iter().all(|line| line.contains("panicked: in a value")));
    assert!(lines[2].contains("after"));
}

/// An output that panics.
struct Broken(mpsc::Sender<()>);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(());
        panic!("in the output")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_panics_is_given_up_once() {
    let (called, calls) = mpsc::channel();
    let (layer, log) = start(json(), Broken(called)).expect("a thread");
    hooked(&log, || {
        tracing::subscriber::with_default(subscriber(layer), || {
            info!("one");
            assert!(log.flush(LONG));
            info!("two");
            assert!(log.flush(LONG));
        });
    });
    log.shutdown(LONG);
    let stats = log.stats();
    assert_eq!(calls.try_iter().count(), 1, "its hook logged in vain, once");
    assert_eq!((stats.written, stats.dropped, stats.queued), (0, 3, 0), "two and the panic's own");
}

#[test]
fn a_blocked_output_holds_a_panic_up_for_a_moment_only() {
    let (release, released) = mpsc::channel::<()>();
    struct Blocked(mpsc::Receiver<()>);
    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (_layer, log) = start(json(), Blocked(released)).expect("a thread");
    hooked(&log, || {
        let _ = catch_unwind(|| panic!("meanwhile")).expect_err("a panic");
    });
    assert_eq!(log.stats().queued, 1);
    assert!(!log.flush(Duration::from_millis(1)));
    drop(release);
    assert!(log.shutdown(LONG));
    assert_eq!(log.stats().written, 1);
}
