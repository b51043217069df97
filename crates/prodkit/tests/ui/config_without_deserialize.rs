//! The configuration's type cannot be read from anything.

use prodkit::{App, BoxError, Context};

struct Config {
    greeting: String,
}

async fn app(cx: Context<Config>) -> Result<App, BoxError> {
    println!("{}", cx.config().greeting);
    Ok(App::new())
}

fn main() -> std::process::ExitCode {
    prodkit::run(app)
}
