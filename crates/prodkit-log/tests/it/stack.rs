use prodkit_log::Format;
use tracing::{error, info};

use crate::support::{Object, json, logged};

#[test]
fn errors_have_their_stack_where_it_is_asked_for() {
    let events = || {
        info!("fine");
        error!("not fine");
        error!(stacktrace = "its own", "not fine either");
    };
    let stacks = |on: bool| -> Vec<Option<String>> {
        let lines = logged(json().stacktrace(on), |_| events());
        let stack = |line: &String| Some(Object::of(line).value("stacktrace")?.as_str()?.to_owned());
        lines.iter().map(stack).collect()
    };
    let [None, Some(stack), Some(own)] = &stacks(true)[..] else { panic!("{:?}", stacks(true)) };
    assert!(stack.contains("errors_have_their_stack_where_it_is_asked_for"), "{stack}");
    assert_eq!(own, "its own");
    assert_eq!(stacks(false), [None, None, Some("its own".to_owned())]);

    // one that has no room for it is cut, and whole JSON all the same
    let lines = logged(json().stacktrace(true).max_line(1_024), |_| error!("not fine"));
    let line = Object::of(&lines[0]);
    assert!(
        lines[0].len() < 1_024 && line.value("truncated").is_some() && line.value("stacktrace").is_some()
    );

    let lines = logged(json().format(Format::Console).stacktrace(true), |_| events());
    let frame = |line: &&String| line.contains("errors_have_their_stack_where_it_is_asked_for");
    assert!(
        lines.len() > 10 && lines.iter().find(frame).is_some_and(|line| !line.contains("ERROR")),
        "{lines:?}"
    );
}
