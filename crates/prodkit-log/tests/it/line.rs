use std::error::Error;
use std::fmt;
use std::time::Duration;

use prodkit_log::{Format, Level, Log, Options};
use prodkit_trace::TraceContext;
use tracing::{Span, field, info, info_span, warn};

use crate::support::{Object, golden, json, logged};

const TRACEPARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn context() -> TraceContext {
    TraceContext::from_traceparent(TRACEPARENT).expect("a traceparent")
}

#[track_caller]
fn check(work: impl FnOnce(&Log), expected: &[&str]) {
    check_with(json(), work, expected);
}

#[track_caller]
fn check_with(options: Options, work: impl FnOnce(&Log), expected: &[&str]) {
    let lines = logged(options, work);
    let lines: Vec<String> = lines.iter().map(|line| golden(line)).collect();
    assert_eq!(lines, expected, "\n{}", lines.join("\n"));
}

const HEAD: &str = r#"{"level":"INFO","ts":"T","caller":"it/line.rs:N","msg":"#;

#[track_caller]
fn check_rest(work: impl FnOnce(&Log), rest: &str) {
    check(work, &[&format!("{HEAD}{rest}")]);
}

#[test]
fn level_time_caller_message_ids_fields() {
    check_rest(
        |_| {
            let _scope = context().enter();
            info!(
                order_id = "ORD-1",
                amount = 199.5,
                retry = false,
                items = 3_u64,
                delta = -4,
                "Processing order {}",
                7
            );
        },
        r#""Processing order 7","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01","order_id":"ORD-1","amount":199.5,"retry":false,"items":3,"delta":-4}"#,
    );
}

#[test]
fn without_a_context_there_are_no_ids() {
    check_rest(|_| info!("plain"), r#""plain"}"#);
    check_rest(|_| info!(n = 1), r#""","n":1}"#);
}

#[test]
fn the_message_comes_before_the_ids_wherever_it_was_given() {
    check_rest(
        |_| {
            let _scope = context().enter();
            info!(a = 1, message = "late", b = 2);
        },
        r#""late","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01","a":1,"b":2}"#,
    );
    check_rest(|_| info!(a = 1, message = 5), r#""5","a":1}"#);
}

#[test]
fn levels_and_targets_are_shown() {
    check_with(
        json().filter("trace".parse().expect("a level")),
        |_| {
            tracing::trace!("t");
            tracing::debug!(target: "sql", "d");
            warn!("w");
            tracing::error!("e");
        },
        &[
            r#"{"level":"TRACE","ts":"T","caller":"it/line.rs:N","msg":"t"}"#,
            r#"{"level":"DEBUG","ts":"T","caller":"it/line.rs:N","target":"sql","msg":"d"}"#,
            r#"{"level":"WARN","ts":"T","caller":"it/line.rs:N","msg":"w"}"#,
            r#"{"level":"ERROR","ts":"T","caller":"it/line.rs:N","msg":"e"}"#,
        ],
    );
}

#[test]
fn reserved_names_are_kept_beside() {
    check_rest(
        |_| info!(level = "x", ts = 1, msg = "y", caller = true, trace_id = "t", truncated = 1, "m"),
        r#""m","fields.level":"x","fields.ts":1,"fields.msg":"y","fields.caller":true,"fields.trace_id":"t","fields.truncated":1}"#,
    );
}

#[test]
fn the_innermost_field_of_a_name_wins() {
    check_rest(
        |_| {
            let outer = info_span!("outer", a = "outer", b = "outer", c = "outer", message = "span's");
            let _outer = outer.enter();
            let inner = info_span!("inner", a = "inner", b = "inner");
            let _inner = inner.enter();
            info!(a = "event", "m");
        },
        r#""m","a":"event","b":"inner","c":"outer","message":"span's"}"#,
    );
}

#[test]
fn a_field_recorded_again_is_replaced() {
    check_rest(
        |_| {
            let span = info_span!("s", a = 1, b = field::Empty, c = "c");
            let _entered = span.enter();
            span.record("b", "first");
            span.record("a", 2);
            span.record("b", "second");
            info!("m");
        },
        r#""m","b":"second","a":2,"c":"c"}"#,
    );
}

#[test]
fn a_field_repeated_in_one_event_is_written_once() {
    check_rest(|_| info!(a = 1, a = 2, "m"), r#""m","a":1}"#);
}

#[test]
fn an_explicit_parent_brings_its_ids_and_fields() {
    let lines = logged(json(), |_| {
        let scope = context().enter();
        let span = info_span!("s", a = 1);
        drop(scope);
        info!(parent: &span, "in");
        info!(parent: None, "out");
    });
    let line = Object::of(&lines[0]);
    assert_eq!(line.value("trace_id").expect("a trace id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(line.value("span_id").expect("a span id"), "00f067aa0ba902b7", "the span's own");
    assert_eq!(line.value("a").expect("its field"), 1);
    assert_eq!(Object::of(&lines[1]).value("trace_id"), None);
}

#[test]
fn an_entered_span_is_the_one_that_is_told() {
    let lines = logged(json(), |_| {
        let _scope = context().enter();
        info_span!("s").in_scope(|| info!("in"));
        info!("out");
    });
    let ids: Vec<_> =
        lines.iter().map(|line| Object::of(line).value("span_id").cloned().expect("an id")).collect();
    assert_ne!(ids[0], "00f067aa0ba902b7");
    assert_eq!(ids[1], "00f067aa0ba902b7");
}

#[test]
fn numbers_keep_their_digits() {
    check_rest(
        |_| {
            info!(
                big = u64::MAX,
                small = i64::MIN,
                huge = u128::MAX,
                least = i128::MIN,
                fits = 5_u128,
                whole = 1.0,
                tiny = 1e-300,
                nan = f64::NAN,
                inf = f64::INFINITY,
                neg = f64::NEG_INFINITY,
                "m"
            );
        },
        r#""m","big":18446744073709551615,"small":-9223372036854775808,"huge":"340282366920938463463374607431768211455","least":"-170141183460469231731687303715884105728","fits":5,"whole":1.0,"tiny":1e-300,"nan":"NaN","inf":"Infinity","neg":"-Infinity"}"#,
    );
}

#[test]
fn text_cannot_leave_its_quotes() {
    check_rest(
        |_| info!(v = "\"},{\n\u{1b}[2J\u{2028}", timeout = ?Duration::from_secs(30), list = ?["a", "b"], "a\"b\\"),
        r#""a\"b\\","v":"\"},{\n\u001b[2J\u2028","timeout":"30s","list":"[\"a\", \"b\"]"}"#,
    );
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn errors_come_with_their_sources() {
    let root = Failure("connection \"refused\"", None);
    let failure = Failure("save order", Some(Box::new(Failure("query", Some(Box::new(root))))));
    check_rest(
        |_| info!(error = &failure as &dyn Error, "m"),
        r#""m","error.message":"save order","error.chain":["query","connection \"refused\""]}"#,
    );
    let alone = Failure("alone", None);
    check_rest(|_| info!(cause = &alone as &dyn Error, "m"), r#""m","cause.message":"alone"}"#);
}

/// An error that is its own source.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&"endless ".repeat(200))
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Endless)
    }
}

#[test]
fn an_endless_chain_ends() {
    let line = &logged(json(), |_| info!(error = &Endless as &dyn Error, after = 1, "m"))[0];
    assert!(line.len() < 16_000);
    let object = Object::of(line);
    assert!(object.value("truncated").is_some());
    assert!(object.value("error.chain").expect("a chain").as_array().expect("a list").len() < 16);
}

#[test]
fn secrets_are_not_written() {
    check_rest(
        |_| {
            let span = info_span!("s", password = "hunter2", http.request.header.Authorization = "Bearer x");
            let _entered = span.enter();
            info!(token = 12345, my_token = "kept", db.password = ?"hunter2", passwords = 2, "m");
        },
        r#""m","token":"***","my_token":"kept","db.password":"***","passwords":2,"password":"***","http.request.header.Authorization":"***"}"#,
    );
    let lines = logged(json().redact(["user_id"]), |_| info!(user_id = 7, password = "p", "m"));
    assert!(lines[0].ends_with(r#""msg":"m","user_id":"***","password":"p"}"#));
}

#[test]
fn own_fields_come_last_and_lose() {
    check_with(
        json().field("service.name", "orders").field("a", "own"),
        |log| {
            info!(a = 1, "m");
            log.lines().line(Level::INFO, "l", None, None).finish();
        },
        &[
            r#"{"level":"INFO","ts":"T","caller":"it/line.rs:N","msg":"m","a":1,"service.name":"orders"}"#,
            r#"{"level":"INFO","ts":"T","msg":"l","service.name":"orders","a":"own"}"#,
        ],
    );
}

#[test]
fn a_long_line_is_cut_and_whole() {
    let long = "é\"".repeat(20_000);
    let lines = logged(json(), |_| {
        let _scope = context().enter();
        info!(a = 1, "{long}");
        info!(a = long.as_str(), b = 2, "m");
        info!(a = ?long, "m");
    });
    for line in &lines {
        assert!((15_800..16_000).contains(&line.len()), "{}", line.len());
        let object = Object::of(line);
        assert_eq!(object.value("truncated"), Some(&true.into()));
        assert!(object.value("trace_flags").is_some(), "a long message does not cost the ids");
    }
}

/// Logs while it is written.
struct Talkative<'l>(&'l Log);

impl fmt::Debug for Talkative<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // nested events reach a subscriber only where `tracing` lets them; lines always do
        info!("event inside");
        self.0.lines().line(Level::INFO, "line inside", None, None).u64("n", 1).finish();
        f.write_str("talkative")
    }
}

#[test]
fn a_value_may_log() {
    let inside = r#"{"level":"INFO","ts":"T","msg":"line inside","n":1}"#;
    check(
        |log| {
            let span = info_span!("s", v = ?Talkative(log), w = field::Empty);
            let _entered = span.enter();
            span.record("w", field::debug(Talkative(log)));
            info!(x = ?Talkative(log), y = 2, "m");
        },
        &[
            inside,
            &format!("{HEAD}\"event inside\",\"v\":\"talkative\"}}"),
            inside,
            inside,
            &format!("{HEAD}\"m\",\"x\":\"talkative\",\"y\":2,\"w\":\"talkative\",\"v\":\"talkative\"}}"),
        ],
    );
}

#[test]
fn a_call_site_is_limited_and_says_so() {
    let options = json().rate_limit(2, Duration::from_secs(3600));
    let lines = logged(options, |log| {
        for at in 0..5 {
            info!(at, "flood");
        }
        info!("other");
        assert_eq!(log.stats().suppressed, 3);
    });
    assert_eq!(lines.len(), 4, "{lines:?}");
    let last = Object::of(&lines[3]);
    assert_eq!(last.value("msg").expect("msg"), "log lines suppressed by the rate limit");
    assert_eq!(last.value("lines"), Some(&3.into()));
}

#[test]
fn preformatted_lines_look_the_same() {
    check(
        |log| {
            let lines = log.lines().target("http.access");
            lines
                .line(Level::WARN, "done", Some("http/observe.rs"), Some(context()))
                .str("route", "/a")
                .u64("status", 200)
                .i64("delta", -1)
                .f64("seconds", 0.25)
                .bool("tls", true)
                .str("route", "/b")
                .str("msg", "m")
                .finish();
            drop(lines.line(Level::ERROR, "never finished", None, None).u64("a", 1));
            lines.line(Level::DEBUG, "below the filter", None, None).finish();
        },
        &[
            r#"{"level":"WARN","ts":"T","caller":"http/observe.rs","target":"http.access","msg":"done","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01","route":"/a","status":200,"delta":-1,"seconds":0.25,"tls":true,"fields.msg":"m"}"#,
        ],
    );
}

#[test]
fn the_console_is_for_reading() {
    check_with(
        json().format(Format::Console),
        |_| {
            let _scope = context().enter();
            info!(word = "w", words = "two words", empty = "", quote = ?"q", n = 1, "said \"{}\"\n\u{1b}[2J", "it");
            warn!(target: "sql", password = "p", "m");
        },
        &[
            r#"T INFO  it/line.rs:N said "it"\n\u001b[2J trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=01 word=w words="two words" empty="" quote="\"q\"" n=1"#,
            r#"T WARN  it/line.rs:N [sql] m trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=01 password=***"#,
        ],
    );
}

#[test]
fn auto_asks_for_a_terminal() {
    assert_eq!(Format::Auto.resolve(true), Format::Console);
    assert_eq!(Format::Auto.resolve(false), Format::Json);
    assert_eq!(Format::Json.resolve(true), Format::Json);
    assert_eq!(Format::Console.resolve(false), Format::Console);
}

#[test]
fn a_span_record_after_a_cut_stays_bounded() {
    let long = "x".repeat(12_000);
    let lines = logged(json(), |_| {
        let span: Span = info_span!("s", a = field::Empty, b = field::Empty);
        let _entered = span.enter();
        for _ in 0..10 {
            span.record("a", long.as_str());
            span.record("b", long.as_str());
        }
        info!("m");
    });
    assert!(lines[0].len() < 16_000);
    assert_eq!(Object::of(&lines[0]).value("truncated"), Some(&true.into()));
}
