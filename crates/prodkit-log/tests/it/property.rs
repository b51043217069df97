use prodkit_log::Level;
use proptest::prelude::*;
use serde_json::Value;
use tracing::{info, info_span};

use crate::support::{Object, json, logged};

#[derive(Clone, Debug)]
enum Field {
    Str(String),
    U64(u64),
    I64(i64),
    F64(f64),
    Bool(bool),
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<String>().prop_map(Field::Str),
        "[\\x00-\\x1f\"\\\\\u{7f}-\u{9f}\u{2028}é𝄞]{0,2000}".prop_map(Field::Str),
        any::<u64>().prop_map(Field::U64),
        any::<i64>().prop_map(Field::I64),
        any::<f64>().prop_map(Field::F64),
        any::<bool>().prop_map(Field::Bool),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    let name = prop_oneof![
        "[a-c]{0,2}",
        prop::sample::select(vec![
            "level",
            "msg",
            "ts",
            "fields.msg",
            "trace_id",
            "truncated",
            "password",
            "a.cookie"
        ])
        .prop_map(String::from),
        any::<String>(),
        "[\"\\\\x]{0,1200}",
    ];
    name.prop_map(|name| &*name.leak())
}

#[track_caller]
fn whole(line: &str, max_line: usize) -> Object {
    assert!(line.len() < max_line, "{} of {max_line}", line.len() + 1);
    Object::of(line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_preformatted_line_is_one_whole_object(
        message in any::<String>(),
        caller in prop::option::of(any::<String>()),
        fields in prop::collection::vec((name(), field()), 0..40),
        max_line in prop_oneof![Just(1024usize), 1024..4000usize, Just(16_000)],
    ) {
        let lines = logged(json().max_line(max_line).field("msg", "own"), |log| {
            let lines = log.lines();
            let line = lines.line(Level::INFO, &message, caller.as_deref(), prodkit_trace::current());
            fields.iter().fold(line, |line, (name, field)| match field {
                Field::Str(v) => line.str(name, v),
                Field::U64(v) => line.u64(name, *v),
                Field::I64(v) => line.i64(name, *v),
                Field::F64(v) => line.f64(name, *v),
                Field::Bool(v) => line.bool(name, *v),
            }).finish();
        });
        prop_assert_eq!(lines.len(), 1);
        let object = whole(&lines[0], max_line);
        if object.value("truncated").is_some() {
            return Ok(());
        }
        prop_assert_eq!(object.value("msg"), Some(&Value::from(message)));
        // nothing was cut: each name has the value it was given first
        for (name, field) in &fields {
            let (_, first) = fields.iter().find(|(known, _)| known == name).unwrap_or(&("", field.clone())).clone();
            let last = name.rsplit('.').next().unwrap_or(name);
            let ours = ["level", "msg", "ts", "trace_id", "truncated", "fields.msg"].contains(name);
            if ours || ["password", "cookie"].contains(&last) {
                continue;
            }
            let expected = match first {
                Field::Str(v) => Value::from(v),
                Field::U64(v) => v.into(),
                Field::I64(v) => v.into(),
                Field::F64(v) if v.is_finite() => v.into(),
                Field::F64(v) if v.is_nan() => "NaN".into(),
                Field::F64(v) => if v > 0.0 { "Infinity".into() } else { "-Infinity".into() },
                Field::Bool(v) => v.into(),
            };
            let found = object.value(name).expect("each field");
            match (expected.as_f64(), found.as_f64()) {
                // serde_json reads floats to within the last digit
                (Some(given), Some(read)) if expected.is_f64() => prop_assert!((given - read).abs() <= given.abs() * 1e-15),
                _ => prop_assert_eq!(found, &expected, "{}", name),
            }
        }
    }

    #[test]
    fn every_event_is_one_whole_object(
        text in any::<String>(),
        long in "[a\"\\n😀]{0,3000}",
        number in any::<f64>(),
        wide in any::<i128>(),
        max_line in 1024..6000usize,
    ) {
        let lines = logged(json().max_line(max_line), |_| {
            let span = info_span!("s", text, long, msg = text, b = tracing::field::Empty);
            let _entered = span.enter();
            span.record("b", long.as_str());
            info!(text = ?text, number, wide, level = %long, "{long}");
            info!(number, wide, display = %text, text);
        });
        prop_assert_eq!(lines.len(), 2);
        for line in &lines {
            whole(line, max_line);
        }
    }
}
