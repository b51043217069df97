use proptest::prelude::*;

use super::*;

#[track_caller]
fn filter(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn the_longest_target_decides() {
    let table = [
        ("info", "any::thing", LevelFilter::INFO),
        ("WARNING", "any", LevelFilter::WARN),
        (" Debug , ", "any", LevelFilter::DEBUG),
        ("my_crate=debug", "other", LevelFilter::INFO),
        ("my_crate=debug", "my_crate::a::b", LevelFilter::DEBUG),
        ("my-crate=debug", "my_crate::a", LevelFilter::DEBUG),
        ("hyper=off", "hyper", LevelFilter::OFF),
        ("hyper=off", "hyper_util::client", LevelFilter::INFO),
        ("hyper=off", "hyper:", LevelFilter::INFO),
        ("http=warn", "http.access", LevelFilter::WARN),
        ("a=warn,a::b=trace,a::b::c=off", "a::b::d", LevelFilter::TRACE),
        ("a::b::c=off,a::b=trace,a=warn", "a::b::c::d", LevelFilter::OFF),
        ("a::b::c=off,a::b=trace,a=warn", "a::bc", LevelFilter::WARN),
        ("info,error", "x", LevelFilter::ERROR),
        ("a_b=warn,a-b=trace", "a_b", LevelFilter::TRACE),
        ("a = trace", "a", LevelFilter::TRACE),
    ];
    for (text, target, expected) in table {
        assert_eq!(filter(text).level(target), expected, "{text:?} for {target:?}");
    }
}

#[test]
fn the_most_verbose_level_is_known() {
    assert_eq!(filter("off").max_level(), LevelFilter::OFF);
    assert_eq!(filter("warn,a=error").max_level(), LevelFilter::WARN);
    assert_eq!(filter("off,a=debug,b=off").max_level(), LevelFilter::DEBUG);
}

#[test]
fn an_error_names_the_directive_and_a_hint() {
    let table = [
        ("", "it is empty"),
        (" , ,", "it is empty"),
        ("inof", "`inof`: unknown level `inof` (did you mean `info`?)"),
        ("info,a=debgu", "`a=debgu`: unknown level `debgu` (did you mean `debug`?)"),
        ("my_crate", "unknown level `my_crate`; for a target write `my_crate=debug`"),
        ("a=fatal", "unknown level `fatal`; one of off, error, warn, info, debug, trace"),
        ("=debug", "`=debug`: the target before `=` is empty"),
        ("a=b=debug", "`a=b=debug`: the target"),
        ("a b=debug", "`a b=debug`: the target"),
        ("a[s{f=1}]=debug", "span and field directives are not supported"),
        ("in\u{1b}[2Jfo", r"in\u{1b}[2Jfo"),
    ];
    for (text, part) in table {
        let error = text.parse::<Filter>().expect_err(text).to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn size_is_bounded() {
    let many = vec!["a=info"; 257].join(",");
    assert!(many.parse::<Filter>().expect_err("many").to_string().contains("256 directives"));
    assert!("x".repeat(9000).parse::<Filter>().expect_err("long").to_string().contains("8192 bytes"));
}

proptest! {
    #[test]
    fn what_is_shown_parses_back(everything in 0..6usize, targets in prop::collection::vec(("[a-z_]{1,4}(::[a-z-]{1,4}){0,2}", 0..6usize), 0..6)) {
        let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
        let filter = targets.iter().fold(Filter::new(levels[everything]), |f, (t, l)| f.target(t, levels[*l]));
        prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Filter>();
    }
}
