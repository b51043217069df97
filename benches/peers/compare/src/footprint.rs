//! What a process costs before and after its requests: the time until it answers, what it keeps in memory, the time
//! until it is gone.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer::environment;
use crate::sink::Sink;

const STARTS: usize = 21;
const STOPS: usize = 5;
/// Requests before an exit, each of them sampled: there is something to flush.
const REQUESTS: usize = 100;
const SETTLE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

/// `ours` is a service of prodkit's that answers `GET /`, `bare` the bare peer in the same build.
pub(crate) fn measure(ours: &Path, bare: &Path, sink: &Sink) -> Result<String, Box<dyn Error>> {
    let refusing = refusing()?;
    // a queue that takes connections and nobody who answers
    let hanging = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;

    let (mut starts, mut bare_starts) = (Vec::new(), Vec::new());
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let started = Running::start(bare, false, sink.address)?;
        bare_starts.push(started.took);
        drop(started);
        let started = Running::start(ours, true, sink.address)?;
        starts.push(started.took);
        drop(started);
    }
    for (program, is_ours) in [(bare, false), (ours, true)] {
        let running = Running::start(program, is_ours, sink.address)?;
        std::thread::sleep(SETTLE);
        resident.push(running.resident_kib().ok_or("no size")?);
    }
    let (start, bare_start) = (median(&mut starts), median(&mut bare_starts));
    let mut text = "| | bare axum | prodkit | |\n|---|---:|---:|---:|\n".to_owned();
    let _ = writeln!(
        text,
        "| size of the binary | {:.2} MB | {:.2} MB | |",
        size(bare)? as f64 / 1e6,
        size(ours)? as f64 / 1e6
    );
    if let Ok(size) = size(&ours.with_file_name("order-service")) {
        let _ = writeln!(text, "| size of order-service | | {:.2} MB | |", size as f64 / 1e6);
    }
    let _ = writeln!(
        text,
        "| exec to the first 200, median of {STARTS} | {:.2} ms | {:.2} ms | {:.2} × |",
        millis(bare_start),
        millis(start),
        start.as_secs_f64() / bare_start.as_secs_f64()
    );
    let _ = writeln!(
        text,
        "| RSS, idle | {:.1} MB | {:.1} MB | |",
        resident[0] * 1.024e-3,
        resident[1] * 1.024e-3
    );
    for (name, collector) in
        [("live", sink.address), ("refusing", refusing), ("hanging", hanging.local_addr()?)]
    {
        let mut stops = Vec::new();
        for _ in 0..STOPS {
            let mut running = Running::start(ours, true, collector)?;
            for _ in 0..REQUESTS {
                running.ask()?;
            }
            stops.push(running.stop()?);
        }
        stops.sort_unstable();
        let _ = writeln!(
            text,
            "| SIGTERM to exit, {REQUESTS} spans, {name} collector | | {:.1} ms (most {:.1}) | |",
            millis(stops[STOPS / 2]),
            millis(stops[STOPS - 1])
        );
    }
    Ok(text)
}

struct Running {
    child: Child,
    port: u16,
    took: Duration,
}

impl Running {
    fn start(program: &Path, is_ours: bool, collector: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let (port, admin) = (free_port()?, free_port()?);
        let mut command = Command::new(program);
        if is_ours {
            let settings = [
                "server.host=127.0.0.1".to_owned(),
                format!("server.port={port}"),
                "admin.host=127.0.0.1".to_owned(),
                format!("admin.port={admin}"),
            ];
            command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        } else {
            command.arg(port.to_string());
        }
        command
            .envs(environment(collector, 1.0))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn()?;
        let mut running = Self { child, port, took: Duration::ZERO };
        while running.ask().is_err() {
            if let Some(status) = running.child.try_wait()? {
                return Err(format!("{} ended while it started: {status}", program.display()).into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{} did not answer", program.display()).into());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        running.took = start.elapsed();
        Ok(running)
    }

    /// One request on a connection of its own, which must be answered 200.
    fn ask(&mut self) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn resident_kib(&self) -> Option<f64> {
        crate::process::resident_kib(self.child.id())
    }

    fn stop(mut self) -> Result<Duration, Box<dyn Error>> {
        let id = rustix::process::Pid::from_child(&self.child);
        let start = Instant::now();
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        let took = start.elapsed();
        if status.success() { Ok(took) } else { Err(format!("it ended with {status}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where nobody listens.
fn refusing() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn size(program: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(program)?.len())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
