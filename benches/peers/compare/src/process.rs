//! A peer that runs, in a process of its own.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::lines::{self, Lines};
use crate::peer::{Peer, Ports, environment};
use crate::sink::Sink;

/// To come up, or to go; under an instrument that slows everything fifty times.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Read and counted here.
    Pipe,
    Null,
}

/// How a peer is run.
#[derive(Clone, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) sink: &'a Sink,
    /// The share of traces to sample.
    pub(crate) ratio: f64,
    pub(crate) output: Output,
    /// The command that runs the command.
    pub(crate) wrapper: Vec<String>,
    pub(crate) more: Vec<(&'static str, String)>,
}

pub(crate) struct Process {
    child: Child,
    pub(crate) ports: Ports,
    lines: Option<JoinHandle<Lines>>,
}

impl Process {
    /// Returns once the peer listens.
    pub(crate) fn start(peer: &Peer, setup: &Setup<'_>) -> Result<Self, Box<dyn Error>> {
        let ports = free_ports()?;
        let program = peer.program(setup.folder);
        let mut command = match setup.wrapper.split_first() {
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(peer.arguments(ports))
            .envs(environment(setup.sink.address, setup.ratio))
            .envs(setup.more.iter().cloned())
            .stdin(Stdio::null())
            .stdout(if setup.output == Output::Pipe { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let marker = peer.duties.line.unwrap_or("\"request\"");
        let lines = child.stdout.take().map(|log| lines::count(log, marker));
        let mut process = Self { child, ports, lines };
        process.wait_until_it_listens()?;
        Ok(process)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        for port in [self.ports.main, self.ports.metrics] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                if port == self.ports.metrics && start.elapsed() > Duration::from_millis(200) {
                    // bare peers have no such port
                    break;
                }
                if let Some(status) = self.child.try_wait()? {
                    return Err(format!("ended while it started: {status}").into());
                }
                if start.elapsed() > PATIENCE {
                    return Err("did not listen in time".into());
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time used until now in microseconds: in user space, and in the kernel. Known to 10 ms.
    pub(crate) fn cpu_us(&self) -> Option<(f64, f64)> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        // the name in the second field may hold anything but this
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let mut time = || {
            Some(fields.next()?.parse::<f64>().ok()? * 1e6 / rustix::param::clock_ticks_per_second() as f64)
        };
        Some((time()?, time()?))
    }

    /// What of it is in memory.
    pub(crate) fn resident_kib(&self) -> Option<f64> {
        resident_kib(self.id())
    }

    /// All requests counted, by its own metrics; and with them what is called `name`.
    pub(crate) fn metric(&self, name: &str) -> io::Result<f64> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.metrics))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let metric = series.split('{').next()?;
            metric.ends_with(name).then(|| value.parse::<f64>().ok())?
        });
        Ok(values.sum())
    }

    /// Ends it as Kubernetes does, so that it flushes; what it logged.
    pub(crate) fn stop(mut self) -> Result<Option<Lines>, Box<dyn Error>> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                return Err("did not end in time".into());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        match self.lines.take().map(JoinHandle::join) {
            Some(lines) => Ok(Some(lines.map_err(|_| "the reader of the log panicked")?)),
            None => Ok(None),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn resident_kib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn free_ports() -> io::Result<Ports> {
    let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (main, metrics) = (listener()?, listener()?);
    Ok(Ports { main: main.local_addr()?.port(), metrics: metrics.local_addr()?.port() })
}
