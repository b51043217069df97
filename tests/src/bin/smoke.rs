//! The smoke test of a built order-service: an order there and back, the probes, the metrics, then SIGTERM under load.
//!
//! `smoke PATH/TO/order-service`; exits 0 when no request failed and the service ended with 0.

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use prodkit_e2e::http::{Connection, get};
use prodkit_e2e::load::{Load, ORDER};
use prodkit_e2e::process::Service;
use rustix::process::Signal;

const CLIENTS: usize = 8;
/// The signal comes once the load is well under way.
const WARM: u64 = 500;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this program's output is its purpose")]
fn main() -> ExitCode {
    match smoke() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("smoke: {error}");
            ExitCode::FAILURE
        }
    }
}

fn smoke() -> Result<String, Box<dyn Error>> {
    let binary = std::env::args_os().nth(1).ok_or("usage: smoke PATH/TO/order-service")?;
    let binary = std::path::absolute(binary)?;
    let folder = tempfile::tempdir()?;
    // As in Kubernetes, at a fifth of the time: not ready, but served, while the balancer finds out.
    let mut service = Service::start(binary, folder.path(), &["shutdown.delay=1s"], &[])?;
    let (main, admin) = service.ready().ok_or("it never became ready")?;
    let main = main.ok_or("it does not serve")?;

    let mut client = Connection::open(main)?;
    let created =
        client.request("POST", "/api/orders", &[("content-type", "application/json")], ORDER.as_bytes())?;
    expect(created.status, 201, "POST /api/orders")?;
    let location = created.header("location").ok_or("no location")?;
    let read = client.request("GET", location, &[], b"")?;
    if read.body != created.body {
        return Err(format!("the order reads {}, not {}", read.text(), created.text()).into());
    }
    for path in ["/health/startup", "/health/live", "/health/ready", "/startupz", "/livez", "/readyz"] {
        expect(get(main, path)?.status, 200, path)?;
        expect(get(admin, path)?.status, 200, path)?;
    }
    expect(get(admin, "/metrics")?.status, 200, "/metrics")?;

    let load = Load::default();
    let count = thread::scope(|scope| {
        let running = scope.spawn(|| load.run(main, admin, CLIENTS));
        while load.good() < WARM && !running.is_finished() {
            thread::park_timeout(Duration::from_millis(10));
        }
        service.signal(Signal::TERM)?;
        running.join().map_err(|_| "the load generator panicked".into())
    });
    let count = count.map_err(|error: Box<dyn Error>| error)?;
    let status = service.wait()?;
    let report = service.seen().iter().rfind(|line| line["msg"] == "stopped").ok_or("no report line")?;
    if count.failed > 0 || status.code() != Some(0) {
        return Err(format!("{count:?}, {status}, {report}").into());
    }
    Ok(format!("smoke: {} requests, {} orders, 0 failed, {status}\n{report}", count.good, count.orders))
}

fn expect(status: u16, expected: u16, what: &str) -> Result<(), Box<dyn Error>> {
    if status == expected { Ok(()) } else { Err(format!("{what} answered {status}, not {expected}").into()) }
}
