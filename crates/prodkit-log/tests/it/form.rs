use std::time::Duration;

use prodkit_log::{Filled, Format, Level, Log, Options};
use prodkit_trace::TraceContext;
use serde_json::json;

use crate::support::{Object, golden, json, logged};

fn context() -> TraceContext {
    let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    TraceContext::from_traceparent(parent).expect("a traceparent")
}

const NAMES: &[&str] = &["route", "level", "status", "password", "status", "last"];

/// The ways to write one line: reserved, redacted and repeated names, and a constant that gives way.
fn all_ways(log: &Log) {
    let lines = log.lines().target("http");
    let form = lines.form("a \"message\"", NAMES);
    let with = form.with(&["/a \"b\""]).with(&["mine"]);
    for level in [Level::INFO, Level::ERROR] {
        let mut line = form.line(level, Some(context()));
        line.str("/a \"b\"").str("mine").u64(1000).str("secret").u64(2).str("end");
        line.finish();
        let mut line = with.line(level, Some(context()));
        line.u64(1000).str("secret").u64(2).str("end");
        line.finish();
        lines
            .line(level, "a \"message\"", None, Some(context()))
            .str("route", "/a \"b\"")
            .str("level", "mine")
            .u64("status", 1000)
            .str("password", "secret")
            .u64("status", 2)
            .str("last", "end")
            .finish();
    }
}

fn options(format: Format) -> Options {
    Options::default().format(format).field("service.name", "orders").field("route", "a constant")
}

#[test]
fn a_form_says_what_a_line_says() {
    for format in [Format::Json, Format::Console] {
        let lines = logged(options(format), all_ways);
        for same in lines.chunks(3) {
            assert_eq!(golden(&same[0]), golden(&same[2]));
            assert_eq!(golden(&same[1]), golden(&same[2]));
        }
        assert_eq!(lines.len(), 6);
    }
    let lines = logged(options(Format::Json), all_ways);
    assert_eq!(
        golden(&lines[0]),
        r#"{"level":"INFO","ts":"T","target":"http","msg":"a \"message\"","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01","route":"/a \"b\"","fields.level":"mine","status":1000,"password":"***","last":"end","service.name":"orders"}"#
    );
}

#[test]
fn what_is_left_out_is_not_there() {
    let lines = logged(json(), |log| {
        let form = log.lines().form("m", &["a", "b", "c"]);
        let write = |level, fill: &dyn Fn(&mut Filled<'_>)| {
            let mut line = form.line(level, None);
            fill(&mut line);
            line.finish();
        };
        write(Level::INFO, &|line| {
            line.maybe_str(None).u64(0);
        });
        write(Level::INFO, &|line| {
            line.maybe_str(Some("x")).u64(9).str("y").str("beyond");
        });
        write(Level::DEBUG, &|line| {
            line.str("disabled");
        });
        form.line(Level::INFO, None).str("never finished");
    });
    let rest: Vec<_> = lines.iter().map(|line| &line[line.find("\"msg\"").expect("a message")..]).collect();
    assert_eq!(rest, [r#""msg":"m","b":0}"#, r#""msg":"m","a":"x","b":9,"c":"y"}"#]);
}

#[test]
fn numbers_are_exact() {
    let numbers = [0, 9, 10, 99, 100, 999, 1000, 65_535, 65_536, u64::MAX];
    let times = [
        (Duration::ZERO, "0.000"),
        (Duration::from_nanos(1_999), "0.001"),
        (Duration::from_micros(12_345), "12.345"),
        (Duration::from_micros(999_999), "999.999"),
        (Duration::from_secs(3_600), "3600000.000"),
        (Duration::MAX, "18446744073709551.615"),
    ];
    let lines = logged(json(), |log| {
        let number = log.lines().form("m", &["n"]);
        for n in numbers {
            let mut line = number.line(Level::INFO, None);
            line.u64(n);
            line.finish();
        }
        for (time, _) in times {
            let mut line = number.line(Level::INFO, None);
            line.millis(time);
            line.finish();
        }
    });
    let expected = numbers.map(|n| n.to_string()).into_iter().chain(times.map(|(_, text)| text.to_owned()));
    let expected: Vec<_> = expected.map(|text| format!(r#""msg":"m","n":{text}}}"#)).collect();
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.ends_with(&expected), "{line}");
    }
}

#[test]
fn a_line_that_is_too_long_says_so_and_keeps_its_shape() {
    let long = "x".repeat(5000);
    let lines = logged(json().max_line(1024).field("service.name", "orders"), |log| {
        let form = log.lines().form("m", &["a", "b", "c"]);
        let mut line = form.line(Level::INFO, None);
        line.str(&long).str("no room").u64(7);
        line.finish();
    });
    assert!(lines[0].len() < 1024);
    let line = Object::of(&lines[0]);
    assert_eq!(line.value("truncated"), Some(&json!(true)));
    assert_eq!((line.value("b"), line.value("service.name")), (None, None));
}

#[test]
fn given_values_without_room_are_left_out_and_the_line_says_so() {
    let long = "x".repeat(5000);
    let lines = logged(json().max_line(1024), |log| {
        let form = log.lines().form("m", &["a", "b", "c"]);
        let form = form.with(&[&long, "b"]);
        for trace in [None, Some(context())] {
            let mut line = form.line(Level::INFO, trace);
            line.u64(7);
            line.finish();
        }
    });
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(line.len() < 1024);
        let line = Object::of(&line);
        assert_eq!(line.value("truncated"), Some(&json!(true)));
        assert_eq!((line.value("a"), line.value("b"), line.value("c")), (None, None, Some(&json!(7))));
    }
}

#[test]
fn a_given_value_that_found_no_room_is_not_forgotten() {
    let (name, long) = ("n".repeat(300), "x".repeat(700));
    let lines = logged(json().max_line(1024), |log| {
        let form = log.lines().form("m", &["a", &name, "c"]).with(&[&long]).with(&["b"]);
        for trace in [None, Some(context())] {
            let mut line = form.line(Level::INFO, trace);
            line.u64(7);
            line.finish();
        }
    });
    assert_eq!(lines.len(), 2);
    for line in lines {
        let line = Object::of(&line);
        assert_eq!(line.value(&name), None);
        assert_eq!(line.value("truncated"), Some(&json!(true)));
    }
}
