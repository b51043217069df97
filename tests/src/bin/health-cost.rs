//! What health costs where there is much of it: a thousand checks, and a probe beside them.
//!
//! `health-cost PATH/TO/fixture`; exits 0 when a thousand checks, each every ten seconds, take less than a hundredth of a
//! core, and a probe of readiness less than 50 µs. Both are CPU time of the service, as the kernel counts it, so that the client
//! is not in it; of a probe the least of five rounds counts, since who shares the caches only ever adds to it.

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::process::{DEADLINE, Service};
use serde_json::Value;

const CHECKS: u64 = 1_000;
/// So often each runs here: a hundred times as often as by default, so that there is something to measure.
const PERIOD: Duration = Duration::from_millis(100);
const ROUNDS: u64 = 20;
const PROBES: u32 = 4_000;
const ROUNDS_OF_PROBES: u32 = 5;
/// A hundredth of a core is 10 ms in a second, for a hundred runs.
const MOST_PER_RUN: Duration = Duration::from_micros(100);
const MOST_PER_PROBE: Duration = Duration::from_micros(50);

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its purpose")]
fn main() -> ExitCode {
    match measure() {
        Ok((run, probe)) => {
            let share = run.as_secs_f64() * 100.0 * 100.0;
            println!(
                "a check {run:.1?} of CPU, a thousand every 10 s {share:.2} % of a core; a probe {probe:.1?}"
            );
            if run < MOST_PER_RUN && probe < MOST_PER_PROBE {
                return ExitCode::SUCCESS;
            }
            eprintln!("health-cost: more than {MOST_PER_RUN:?} a check, or than {MOST_PER_PROBE:?} a probe");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("health-cost: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a run of a check takes, and a probe.
fn measure() -> Result<(Duration, Duration), Box<dyn Error>> {
    let binary = std::env::args_os().nth(1).ok_or("usage: health-cost PATH/TO/fixture")?;
    let binary = std::path::absolute(binary)?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("ways.yaml"), "ways: [serve, check-thousand]")?;
    let start = |period: &str| {
        Service::start_with(&binary, folder.path(), &["--config", "ways.yaml"], &[period], &[])
    };

    let mut busy = start(&format!("health.period={}ms", PERIOD.as_millis()))?;
    let (_, admin) = busy.ready().ok_or("it never became ready")?;
    let runs = || -> Result<u64, Box<dyn Error>> {
        let check: Value = serde_json::from_slice(&get(admin, "/health/ready/c0?verbose")?.body)?;
        Ok(check["streak"].as_u64().ok_or("no streak")?)
    };
    let (begun, before) = (runs()?, cpu(&busy)?);
    let until = Instant::now() + DEADLINE;
    let mut now = begun;
    while now < begun + ROUNDS {
        if Instant::now() > until {
            return Err("the checks do not run".into());
        }
        thread::park_timeout(PERIOD);
        now = runs()?;
    }
    let run = (cpu(&busy)? - before).div_f64(((now - begun) * CHECKS) as f64);
    drop(busy);

    // By default the checks themselves are next to nothing beside so many probes.
    let mut idle = start("health.period=10s")?;
    let (_, admin) = idle.ready().ok_or("it never became ready")?;
    let mut connection = Connection::open(admin)?;
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS_OF_PROBES {
        let before = cpu(&idle)?;
        for _ in 0..PROBES {
            let answer = connection.request("GET", "/health/ready", &[], b"")?;
            if answer.status != 200 {
                return Err(format!("not ready: {}", answer.text()).into());
            }
        }
        least = least.min((cpu(&idle)? - before) / PROBES);
    }
    Ok((run, least))
}

/// CPU time of all threads so far (`/proc/pid/task/*/schedstat`, kernel `Documentation/scheduler/sched-stats.rst`).
fn cpu(service: &Service) -> Result<Duration, Box<dyn Error>> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{}/task", service.pid()))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}
