use std::io::{self, ErrorKind, Write};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use prodkit_log::{Level, Log, start};
use tracing::info;

use crate::support::{LONG, Object, Output, json, logged, subscriber};

/// Takes nothing until told to, each time.
struct Gate {
    output: Output,
    open: mpsc::Receiver<()>,
    waiting: mpsc::Sender<()>,
}

impl Gate {
    fn new() -> (Self, Output, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let (output, (let_in, open), (waiting, waits)) =
            (Output::default(), mpsc::channel(), mpsc::channel());
        (Self { output: output.clone(), open, waiting }, output, let_in, waits)
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.waiting.send(());
        // once nobody holds the key the gate is open
        let _ = self.open.recv();
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(log: &Log, n: u64) {
    log.lines().line(Level::INFO, "m", None, None).u64("n", n).finish();
}

#[test]
fn a_blocked_output_blocks_nobody_and_every_line_is_counted() {
    let (gate, output, key, waits) = Gate::new();
    let (layer, log) = start(json().max_line(1024).buffer_bytes(4096), gate).expect("a thread");
    line(&log, 0);
    waits.recv_timeout(LONG).expect("the writer is in the output");
    tracing::subscriber::with_default(subscriber(layer), || {
        for n in 1..1000_u64 {
            info!(n, "m");
        }
    });
    let blocked = log.stats();
    assert_eq!(blocked.written, 0);
    assert_eq!(blocked.dropped + blocked.queued, 1000);
    assert!(blocked.queued > 20 && blocked.queued < 60, "{blocked:?}");
    assert!(!log.flush(Duration::from_millis(1)));

    drop(key);
    assert!(log.flush(LONG));
    line(&log, 1000);
    assert!(log.shutdown(LONG));
    let stats = log.stats();
    assert_eq!((stats.written + stats.dropped, stats.queued), (1001, 0));
    assert_eq!(stats.dropped, blocked.dropped, "only what did not fit");

    // the line about the lost ones stands where they are missing
    let lines: Vec<_> = output.lines().iter().map(|line| Object::of(line)).collect();
    let at = lines
        .iter()
        .position(|line| line.value("msg").is_some_and(|msg| msg == "log lines dropped"))
        .expect("told");
    assert_eq!(lines[at].value("lines"), Some(&stats.dropped.into()));
    assert_eq!(lines[at].value("level").expect("level"), "WARN");
    assert_eq!(at, lines.len() - 2);
    assert_eq!(lines.len() as u64, stats.written + 1);
    assert!((0..at).all(|n| lines[n].value("n") == Some(&n.into())), "the newest were dropped");
}

#[test]
fn threads_lose_no_line_and_mix_none() {
    let lines = logged(json(), |log| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = log.clone();
                scope.spawn(move || {
                    let lines = log.lines();
                    for n in 0..2000 {
                        lines.line(Level::INFO, "m", None, None).u64("thread", thread).u64("n", n).finish();
                        if n % 500 == 0 {
                            assert!(log.flush(LONG));
                        }
                    }
                });
            }
        });
        let stats = log.stats();
        assert_eq!((stats.written + stats.queued, stats.dropped), (8000, 0));
    });
    assert_eq!(lines.len(), 8000);
    let mut next = [0; 4];
    for line in &lines {
        let line = Object::of(line);
        let number = |key| line.value(key).and_then(|value| value.as_u64()).expect("a number");
        let expected = &mut next[number("thread") as usize];
        assert_eq!(number("n"), *expected, "each thread's lines stay in order");
        *expected += 1;
    }
}

#[test]
fn a_shutdown_that_is_blocked_is_bounded_and_counts_what_it_leaves() {
    let (gate, output, key, waits) = Gate::new();
    let (_layer, log) = start(json(), gate).expect("a thread");
    line(&log, 0);
    waits.recv_timeout(LONG).expect("the writer is in the output");
    line(&log, 1);
    assert!(!log.shutdown(Duration::from_millis(5)));
    let stats = log.stats();
    assert_eq!((stats.written, stats.dropped, stats.queued), (0, 1, 1));
    line(&log, 2);
    assert_eq!(log.stats().dropped, 2, "too late");
    drop(key);
    assert!(log.flush(LONG));
    assert_eq!((log.stats().written, output.lines().len()), (1, 1));
}

#[test]
fn shutdown_may_be_repeated() {
    let (_layer, log) = start(json(), io::sink()).expect("a thread");
    line(&log, 0);
    assert!(log.shutdown(LONG));
    assert!(log.shutdown(LONG));
    assert!(log.flush(LONG));
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    struct Ends(mpsc::Sender<Vec<u8>>);
    impl Write for Ends {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sender, receiver) = mpsc::channel();
    let (layer, log) = start(json(), Ends(sender)).expect("a thread");
    line(&log, 0);
    drop((layer, log));
    assert!(receiver.recv_timeout(LONG).is_ok(), "what was left is written");
    assert_eq!(receiver.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn the_writers_own_thread_waits_for_nobody() {
    struct Impatient(Arc<OnceLock<Log>>, mpsc::Sender<(bool, bool)>);
    impl Write for Impatient {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let log = self.0.wait();
            line(log, 1);
            let _ = self.1.send((log.flush(Duration::MAX), log.shutdown(Duration::MAX)));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (itself, (sender, receiver)) = (Arc::new(OnceLock::new()), mpsc::channel());
    let (_layer, log) = start(json(), Impatient(Arc::clone(&itself), sender)).expect("a thread");
    itself.set(log.clone()).expect("the first");
    line(&log, 0);
    assert_eq!(receiver.recv_timeout(LONG), Ok((false, false)));
    // each write offers a line that comes too late: the thread ends all the same
    assert!(log.shutdown(LONG));
}

/// Answers as scripted, then takes everything.
struct Script(Output, Arc<Mutex<Vec<io::Result<usize>>>>);

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.1.lock().expect("no panic").pop().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
        self.0.write(&bytes[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[track_caller]
fn check(answers: Vec<io::Result<usize>>, expected: (u64, u64, u64), text: &str) {
    let output = Output::default();
    let answers = Arc::new(Mutex::new(answers.into_iter().rev().collect()));
    let (_layer, log) = start(json(), Script(output.clone(), answers)).expect("a thread");
    let short = |message| log.lines().line(Level::INFO, message, None, None).finish();
    short("one");
    assert!(log.flush(LONG), "lost is settled too");
    short("two");
    assert!(log.shutdown(LONG));
    let stats = log.stats();
    assert_eq!((stats.written, stats.dropped, stats.errors), expected);
    let shown: Vec<String> = output.lines().iter().map(|line| line.chars().skip(48).collect()).collect();
    assert_eq!(shown.join("|"), text, "\n{}", output.text());
}

#[test]
fn what_the_output_refuses_is_counted() {
    let kind = |kind: ErrorKind| Err(io::Error::from(kind));
    let both = r#""msg":"one"}|"msg":"two"}"#;
    check(vec![], (2, 0, 0), both);
    check(vec![Ok(5), Ok(1)], (2, 0, 0), both);
    check(vec![kind(ErrorKind::Interrupted), Ok(3), kind(ErrorKind::WouldBlock)], (2, 0, 0), both);
    let lost = r#""msg":"two"}|"caller":"prodkit-log","msg":"log lines dropped","lines":1}"#;
    check(vec![kind(ErrorKind::BrokenPipe)], (1, 1, 1), lost);
    check(vec![Ok(0)], (1, 1, 1), lost);
    // who was to be told of the first did not hear it
    let both_lost = r#""caller":"prodkit-log","msg":"log lines dropped","lines":2}"#;
    check(vec![kind(ErrorKind::BrokenPipe), kind(ErrorKind::BrokenPipe)], (0, 2, 2), both_lost);
    // a torn line ends where the next begins
    check(vec![Ok(10), kind(ErrorKind::StorageFull)], (1, 1, 1), &format!("|{lost}"));
}
