//! Rolling restarts behind every proxy, in any size: `rolling [ROUNDS [LAG [DELAY [TEXT]]]]`, as `rolling 10 2s 5s`; with
//! a text, only of those whose line has it.
//!
//! Prints a table in Markdown, one line as each run ends, and exits 0 when no request was lost where none may be, and some
//! where some must be. `tests/long/rolling` builds what it needs.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use prodkit::config::duration;
use prodkit_e2e::rolling::{Case, What, cases};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its purpose")]
fn main() -> ExitCode {
    let (rounds, lag, delay, text) = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("rolling: {error}; usage: rolling [ROUNDS [LAG [DELAY [TEXT]]]]");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "| proxy, to the processes | what is restarted | restarts | requests | failed | answered 201 | in the books | wrong | seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut good = true;
    for case in cases().into_iter().filter(|case| case.to_string().contains(&text)) {
        match run(&case, rounds, lag, delay) {
            Ok((row, as_it_must)) => {
                println!("{row}");
                good &= as_it_must;
            }
            Err(error) => {
                println!("| {case} | did not run: {error} |");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments() -> Result<(u32, Duration, Duration, String), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(1), |rounds| rounds.parse())?;
    let mut time = |default| arguments.next().map_or(Ok(default), |time| duration::parse(&time));
    let (lag, delay) = (time(Duration::from_millis(400))?, time(Duration::from_secs(1))?);
    Ok((rounds, lag, delay, arguments.next().unwrap_or_default()))
}

#[expect(clippy::print_stderr, reason = "what failed is told beside the table")]
fn run(case: &Case, rounds: u32, lag: Duration, delay: Duration) -> Result<(String, bool), Box<dyn Error>> {
    let mut plan = case.plan()?;
    // one round is enough to see a loss, and to see that the fixture has none but what it is told to
    if matches!(case.what, What::Service | What::Nothing) {
        plan.rounds = rounds;
    }
    plan.lag = lag;
    if !plan.delay.is_zero() {
        plan.delay = delay;
    }
    let tally = plan.run()?;
    let as_it_must = case.judge(&tally).is_ok();
    if !as_it_must {
        eprintln!("{case}: {:#?}", tally.failures);
    }
    let books = tally.booked.map_or_else(|| "-".to_owned(), |booked| booked.to_string());
    let row = format!(
        "| {case} | {} | {} | {}{} | {} | {books} | {} | {:.0} |",
        tally.restarts,
        tally.requests,
        tally.failed,
        if as_it_must { "" } else { " **!**" },
        tally.orders,
        tally.wrong,
        tally.took.as_secs_f64(),
    );
    Ok((row, as_it_must))
}
