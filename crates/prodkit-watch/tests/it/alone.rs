//! Tests that need a process of their own: this binary again, for one test.

use std::process::Command;

/// Runs the ignored test `name` of this binary under `command` (a program and its arguments), and fails as it fails.
#[track_caller]
pub(crate) fn run(name: &str, command: &[&str]) -> String {
    let this = std::env::current_exe().unwrap();
    let mut child = match command {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut child = Command::new(program);
            child.args(arguments).arg(this);
            child
        }
    };
    let output = child.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{name} did not run: {text}");
    text
}
