//! The patterns against the parsers. The pattern of a duration is held against what people write; a parser may take more.

use super::*;
use crate::duration as text;
use boon::{Compiler, Schemas};
use proptest::prelude::*;
use serde_json::{Value, json};

fn accepts(schema: &Schema, value: &Value) -> bool {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource("file:///schema", schema.as_value().clone()).unwrap();
    let index = compiler.compile("file:///schema", &mut schemas).unwrap();
    schemas.validate(value, index).is_ok()
}

fn bytes() -> Schema {
    Bytes::json_schema(&mut SchemaGenerator::default())
}

#[test]
fn sizes() {
    for written in ["0", "2MiB", "64 KiB", "16Mi", "1GB", "10B", "5k", "5K", "5kB", "5KB", "1TiB", "1T"] {
        assert!(accepts(&bytes(), &json!(written)) && written.parse::<Bytes>().is_ok(), "{written}");
    }
    for written in ["", "MiB", "1.5MiB", "-1", "1mb", "1 m", "1MiBs", "1kiB"] {
        assert!(!accepts(&bytes(), &json!(written)) && written.parse::<Bytes>().is_err(), "{written}");
    }
    assert!(accepts(&bytes(), &json!(1_048_576)));
    for wrong in [json!(-1), json!(1.5), json!(null), json!(true), json!({})] {
        assert!(!accepts(&bytes(), &wrong), "{wrong}");
    }
}

#[test]
fn durations() {
    for written in ["0", "0s", "30s", "1m 30s", "1m30s", "1h", "500ms", "1.5s", "4 days", "2h 37min"] {
        assert!(accepts(&duration(), &json!(written)) && text::parse(written).is_ok(), "{written}");
    }
    for written in ["", "30", "1.5", "-1s", "soon", "30 parsecs", "1.s", "s", "30s,"] {
        assert!(!accepts(&duration(), &json!(written)) && text::parse(written).is_err(), "{written}");
    }
    assert!(accepts(&duration(), &json!(0)));
    for wrong in [json!(30), json!(-1), json!(0.5), json!(null), json!({"secs": 1, "nanos": 0})] {
        assert!(!accepts(&duration(), &wrong), "{wrong}");
    }
}

proptest! {
    /// Neither refuses what the other takes, over texts that are nearly right. Only sums too large, or finer than a
    /// nanosecond, are beyond a pattern.
    #[test]
    fn the_pattern_of_durations_is_the_parser(
        written in "[0-9]{1,3}(\\.[0-9])? ?(nanos|ns|us|µs|ms|s|sec|seconds|m|mins|h|d|w|M|y|mo|S)( ?[0-9]{1,3} ?(s|ms|x))?"
    ) {
        let parsed = text::parse(&written);
        if parsed != Err(text::ParseError::NumberOverflow) {
            prop_assert_eq!(accepts(&duration(), &json!(written)), parsed.is_ok(), "{}", written);
        }
    }
}
