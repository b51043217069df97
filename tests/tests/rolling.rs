//! The proof: three processes behind nginx, HAProxy and Envoy, replaced one after the other under load, and not a request
//! is lost; and the same with servers that end wrongly, of which each loses some.
//!
//! `tests/long/rolling` does it in full size.

use std::process::ExitCode;

use libtest_mimic::Trial;
use prodkit_e2e::rolling::{Case, Ending, Front, What, cases};
use prodkit_e2e::tools::{self, Outcome};

fn main() -> ExitCode {
    tools::run(cases().into_iter().map(test).collect())
}

fn test(case: Case) -> Trial {
    let program = case.front.program();
    let there = move || {
        tools::find(program).ok_or_else(|| format!("{program} not found"))?;
        case.plan()
    };
    tools::trial(&name(case), there, move |plan| run(&case, &plan.run()?))
}

#[expect(clippy::print_stdout, reason = "the counts are what a reader of the gate's log looks for")]
fn run(case: &Case, tally: &prodkit_e2e::rolling::Tally) -> Outcome {
    println!("{case} | {tally}");
    Ok(case.judge(tally)?)
}

/// `nginx_loses_nothing`, `envoy_http2_loses_without_delay`, …
fn name(case: Case) -> String {
    let front = match case.front {
        Front::Nginx => "nginx",
        Front::Haproxy => "haproxy",
        Front::HaproxyHttp2 => "haproxy_http2",
        Front::HaproxyTcp => "haproxy_tcp",
        Front::Envoy => "envoy",
        Front::EnvoyHttp2 => "envoy_http2",
        _ => "another",
    };
    let what = match case.what {
        What::Service => "loses_nothing",
        What::Nothing => "loses_nothing_when_only_reloaded",
        What::NoDelay => "loses_without_delay",
        What::Ending(Ending::Orderly) => "loses_nothing_of_a_server_on_the_crates",
        What::Ending(Ending::ListenerFirst) => "loses_when_the_listener_goes_first",
        What::Ending(Ending::NoConnectionClose) => "loses_when_nobody_is_told_to_close",
        _ => "another",
    };
    format!("{front}_{what}")
}
