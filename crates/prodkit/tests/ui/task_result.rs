//! A task returns something that is neither `()` nor a `Result`.

use prodkit::{App, BoxError, Context};

async fn app(_: Context) -> Result<App, BoxError> {
    Ok(App::new().task("counting", async |_| 42))
}

fn main() -> std::process::ExitCode {
    prodkit::run(app)
}
