//! A closure's error type cannot be inferred: name the function.

use prodkit::{App, Context};

fn main() -> std::process::ExitCode {
    prodkit::run!(async |_: Context| Ok(App::new()))
}
